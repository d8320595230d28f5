/**
 * What the soak's clients know: for each key what was written, what was acknowledged, and so what a read may say. Each
 * key has one writer, which numbers its writes from 1; a write's bytes follow from its key and number, so that none
 * have to be kept.
 */

import { hash } from "node:crypto";

/** What became of a write: `refused` had no effect; `unknown` may take effect at any time, or never. */
export type WriteEnd = "acknowledged" | "refused" | "unknown";

const kibibyte = 1024;
const mebibyte = 1024 ** 2;

/** Filler that all values are cut from: longer than the longest by as much as their beginnings may differ. */
const maxShift = 65_521;

export interface Content {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export class KeyModel {
  readonly key: string;
  /** The number of the last write sent; 0 before the first. */
  issued = 0;
  /** The number of the last write acknowledged; 0 before the first. */
  acknowledged = 0;
  readonly #deletions = new Set<number>();
  readonly #refused = new Set<number>();
  readonly #unknown = new Set<number>();

  constructor(key: string) {
    this.key = key;
  }

  /** Returns the number of the write that is now sent. */
  issue(kind: "put" | "delete"): number {
    this.issued++;
    if (kind === "delete") this.#deletions.add(this.issued);
    return this.issued;
  }

  end(number: number, how: WriteEnd): void {
    if (how === "acknowledged") this.acknowledged = number;
    else if (how === "refused") this.#refused.add(number);
    else this.#unknown.add(number);
  }

  /**
   * Whether a read may have found the write of that `number`, or nothing (undefined).
   * @param floor the last write acknowledged before the read was sent.
   */
  mayBe(number: number | undefined, floor: number): boolean {
    if (number === undefined) {
      if (floor === 0) return true;
      for (const deletion of this.#deletions) if (this.#mayShow(deletion, floor)) return true;
      return false;
    }
    return !this.#deletions.has(number) && this.#mayShow(number, floor);
  }

  #mayShow(number: number, floor: number): boolean {
    if (number < 1 || number > this.issued || this.#refused.has(number)) return false;
    return number >= floor || this.#unknown.has(number);
  }
}

export class Contents {
  readonly #filler: Buffer;
  readonly #maxBytes: number;

  /** @param maxBytes the longest value. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    const block = Buffer.concat(Array.from({ length: 1_024 }, (_, n) => hash("sha512", `${n}`, "buffer")));
    this.#filler = Buffer.alloc(maxBytes + maxShift, block);
  }

  of(key: string, number: number): Content {
    const digest = hash("md5", `${key} ${number}`, "buffer");
    const size = sizeOf(digest.readUInt16LE(0) / 2 ** 16, digest.readUInt16LE(2) / 2 ** 16, this.#maxBytes);
    const shift = digest.readUInt16LE(4) % maxShift;
    const body = Buffer.from(this.#filler.subarray(shift, shift + size));
    body.write(`${key} ${number}\n`, 0, "latin1");
    return { body, headers: { "content-type": "application/x-soak", "x-weir-meta-number": `${number}` } };
  }
}

/** Mostly small, some middling, a few large: the large ones make most of the bytes. */
function sizeOf(kind: number, part: number, maxBytes: number): number {
  const [least, most] =
    kind < 0.7
      ? [128, 4 * kibibyte]
      : kind < 0.97
        ? [16 * kibibyte, 128 * kibibyte]
        : [Math.min(mebibyte, maxBytes), maxBytes];
  return Math.floor(least + part * (most - least));
}
