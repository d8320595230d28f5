/**
 * Puts CRCs together: from those of `a` and `b`, and the length of `b`, that of `ab`. A CRC is the remainder of a
 * polynomial over GF(2). So the CRC of `a` is multiplied by x to the number of bits of `b`, and that of `b` is added
 * (crc32_combine of zlib, by Mark Adler, does the same). The bits are reflected: the highest bit stands for x^0.
 */

import type { OwnTurns } from "../../http/server/turns.ts";
import type { ChecksumAlgorithm } from "../body/checksum.ts";

/** The width in bits, and the polynomial without its highest term, reflected. */
const kinds = {
  crc32: { width: 32n, polynomial: 0xedb88320n },
  crc32c: { width: 32n, polynomial: 0x82f63b78n },
  crc64nvme: { width: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
} as const;

export type CrcAlgorithm = keyof typeof kinds;

export function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return Object.hasOwn(kinds, algorithm);
}

/** Parts whose CRCs are put together in a turn of the event loop: that takes a millisecond. */
const turnParts = 64;

/** The CRC of all parts, in their order. */
export async function joinCrcs(
  algorithm: CrcAlgorithm,
  parts: readonly { readonly bytes: Buffer; readonly size: number }[],
  turns: OwnTurns,
): Promise<Buffer> {
  const { width } = kinds[algorithm];
  // Most parts have one size.
  const powers = new Map<number, bigint>();
  let all = 0n;
  for (const [index, { bytes, size }] of parts.entries()) {
    if (index % turnParts === turnParts - 1) await turns.next();
    let power = powers.get(size);
    if (power === undefined) {
      power = powerOf(algorithm, 8n * BigInt(size));
      powers.set(size, power);
    }
    all = multiply(algorithm, power, all) ^ BigInt(`0x${bytes.toString("hex")}`);
  }
  return Buffer.from(all.toString(16).padStart(Number(width) / 4, "0"), "hex");
}

/** x to this power. */
function powerOf(algorithm: CrcAlgorithm, exponent: bigint): bigint {
  const { width } = kinds[algorithm];
  let result = 1n << (width - 1n);
  let square = 1n << (width - 2n);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = multiply(algorithm, result, square);
    square = multiply(algorithm, square, square);
  }
  return result;
}

/** The product of two polynomials, modulo that of the CRC. */
function multiply(algorithm: CrcAlgorithm, a: bigint, b: bigint): bigint {
  const { width, polynomial } = kinds[algorithm];
  let product = 0n;
  let shifted = b;
  for (let bit = 1n << (width - 1n); bit > 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n;
  }
  return product;
}
