/**
 * What an ETag tells about the content. It is the content's MD5. For an object that was uploaded to S3 in parts, it is
 * the MD5 of the parts' MD5s, followed by their number.
 *
 * The ETag does not tell the size of the parts. So the sizes that weir and other programs use are tried. If none fits,
 * or the store's tags are no hashes, the answer is "not surely the same". Then the same content is copied again.
 * Different content is never taken for the same.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { maxParts } from "../../core/part-sizes.ts";
import { factsOf } from "../../store/folder/folder-copy.ts";

const mebibyte = 1024 ** 2;

/** weir's `large.partBytes`, and the powers of two that other programs use. */
const usualPartBytes = [5 * mebibyte, ...Array.from({ length: 10 }, (_, n) => 8 * mebibyte * 2 ** n)];

export function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** Whether the ETag surely stands for the content of the file, which has `size` bytes. */
export async function hasContentOf(file: string, size: number, etag: string): Promise<boolean> {
  if (isMd5(etag)) return (await factsOf(file)).md5 === etag;
  const count = Number(/^[0-9a-f]{32}-(\d+)$/.exec(etag)?.[1]);
  const digests = partSizes(size, count).map((bytes) => new PartsDigest(bytes));
  if (digests.length === 0) return false;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    for (const digest of digests) digest.update(chunk);
  }
  return digests.some((digest) => digest.digest() === etag);
}

/** The sizes of parts that give `count` parts. */
function partSizes(size: number, count: number): number[] {
  const sizes = new Set([...usualPartBytes, Math.ceil(size / maxParts)]);
  return [...sizes].filter((bytes) => Math.ceil(size / bytes) === count);
}

/** The ETag of an object that is uploaded in parts of so many bytes. */
class PartsDigest {
  readonly #partBytes: number;
  readonly #whole = createHash("md5");
  #part = createHash("md5");
  #filled = 0;
  #count = 0;

  constructor(partBytes: number) {
    this.#partBytes = partBytes;
  }

  update(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length; ) {
      const piece = chunk.subarray(offset, offset + this.#partBytes - this.#filled);
      this.#part.update(piece);
      this.#filled += piece.length;
      offset += piece.length;
      if (this.#filled === this.#partBytes) this.#endPart();
    }
  }

  digest(): string {
    if (this.#filled > 0) this.#endPart();
    return `${this.#whole.digest("hex")}-${this.#count}`;
  }

  #endPart(): void {
    this.#whole.update(this.#part.digest());
    this.#part = createHash("md5");
    this.#filled = 0;
    this.#count += 1;
  }
}
