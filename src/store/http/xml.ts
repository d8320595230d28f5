/** What the stores' XML has in common: character references, and elements that occur any number of times. */

import { z } from "zod";

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

export function unescapeXml(text: string): string {
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d+)|#x([0-9A-Fa-f]+));/g, (_whole, name, decimal, hexadecimal) =>
    name === undefined
      ? characterOf(decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal))
      : (entities[name] as string),
  );
}

/** U+FFFD in place of what is no character. */
function characterOf(code: number): string {
  return String.fromCodePoint(code <= 0x10_ff_ff ? code : 0xff_fd);
}

/** The text of the first element of this name; undefined if there is none. */
export function elementIn(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text === undefined ? undefined : unescapeXml(text);
}

/** The parser gives nothing, a single item or an array. This schema makes an array of each. */
export function listOf<T extends z.ZodType>(item: T) {
  return z
    .union([z.array(item), item])
    .optional()
    .transform((found): z.output<T>[] => (found === undefined ? [] : Array.isArray(found) ? found : [found]));
}
