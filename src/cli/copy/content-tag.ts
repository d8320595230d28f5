/**
 * What an ETag tells of the content: it is the MD5, or, of an object that was uploaded to S3 in parts, the MD5 of the parts' MD5s with their number behind it. How large the parts were
 * it does not say, so the sizes that weir and other programs use are tried. Where none fits (and for stores whose tags are no hashes) nothing is told: what is the same is copied
 * again then, and what is not is never taken for it.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { factsOf } from "../../store/folder/folder-copy.ts";

const mebibyte = 1024 ** 2;

/** weir's `large.partBytes`; and those of other programs, which take powers of two. */
const usualPartBytes = [5 * mebibyte, ...Array.from({ length: 10 }, (_, n) => 8 * mebibyte * 2 ** n)];

/** S3's own limit: the parts of the largest values are as small as it allows. */
const maxParts = 10_000;

export function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** Whether the file, of `size` bytes, is surely what the ETag stands for. */
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

/** The sizes of parts that make `count` of them. */
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
