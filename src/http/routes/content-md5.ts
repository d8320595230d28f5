/**
 * `Content-MD5` (RFC 1864), as S3 takes it: the sender states the body's MD5. A body with another MD5 is refused, and
 * nothing of it is stored.
 */

import { createHash, hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";

const md5Bytes = 16;

/**
 * The MD5 that the header names, in hexadecimal digits. Undefined without the header.
 *
 * @throws OperatingError `header_invalid`.
 */
export function announcedMd5(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const digest = Buffer.from(String(header), "base64");
  // The decoder skips what it does not know. Encoding its result again shows whether it did.
  if (digest.length === md5Bytes && digest.toString("base64") === header) return digest.toString("hex");
  throw new OperatingError("header_invalid", "Content-MD5 must be the 16 bytes of an MD5 in base64");
}

/**
 * The body's MD5, in hexadecimal digits.
 * @throws OperatingError `body_invalid` where that is not what was announced.
 */
export function md5Of(body: Buffer, announced?: string): string {
  const md5 = hash("md5", body);
  if (announced !== undefined) compare(md5, announced);
  return md5;
}

/** The same body. If its MD5 is not `announced`, it rejects with `body_invalid` in place of its end. */
export function requiringMd5(
  body: AsyncIterableIterator<Uint8Array, void>,
  announced: string,
): AsyncIterableIterator<Uint8Array, void> {
  const digest = createHash("md5");
  let isOver = false;
  return {
    async next() {
      const result = await body.next();
      if (!result.done) {
        digest.update(result.value);
      } else if (!isOver) {
        isOver = true;
        compare(digest.digest("hex"), announced);
      }
      return result;
    },
    // A body that is not read to its end has no MD5.
    async return() {
      isOver = true;
      return (await body.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function compare(md5: string, announced: string): void {
  if (md5 === announced) return;
  const base64 = Buffer.from(md5, "hex").toString("base64");
  const detail = `the body that came has the MD5 ${base64}, not the one in Content-MD5; nothing was stored`;
  throw new OperatingError("body_invalid", detail);
}
