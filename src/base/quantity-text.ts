/** Quantities, and keys, as people read them. */

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes with a binary unit and at most three digits: `0 B`, `1.5 MiB`, `12 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as four digits.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** Milliseconds in the unit that suits them: `0 ms`, `1.5 s`, `12 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** `33.3 %` */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Control characters, ends of lines, and what turns the direction of text: a terminal acts on them. */
const acting = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Those of them that JSON lets through. */
const actingInJson = /[\u007f-\u009f\p{Bidi_Control}\u2028\u2029]/gu;

/** Whether a terminal shows all of it, and does nothing else. */
export function isPlain(text: string): boolean {
  return text.search(acting) < 0;
}

/** The same JSON, with nothing in its strings that a terminal would act on. */
export function plainJson(json: string): string {
  return json.replace(actingInJson, escapeControl);
}

/** A key in quotes, with nothing in it that a terminal would act on. It is written as in JSON. */
export function quote(key: string): string {
  return plainJson(JSON.stringify(key));
}

/** Words that may contain a key or another program's words, on one line, with nothing that a terminal would act on. */
export function plain(words: string): string {
  return words.replace(acting, (character) => quote(character).slice(1, -1));
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
