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

/** Products in a turn of the event loop: that takes a millisecond. */
const turnProducts = 64;

/** The CRC of all parts, in their order. */
export async function joinCrcs(
  algorithm: CrcAlgorithm,
  parts: readonly { readonly bytes: Buffer; readonly size: number }[],
  turns: OwnTurns,
): Promise<Buffer> {
  const { width } = kinds[algorithm];
  const powers = powersOf(algorithm);
  let products = 0;
  let all = 0n;
  for (const { bytes, size } of parts) {
    // x to the number of the part's bits, from its binary digits.
    for (let bit = 0, left = size; left > 0; bit++, left = Math.floor(left / 2)) {
      if (left % 2 === 0) continue;
      if (++products % turnProducts === 0) await turns.next();
      all = multiply(algorithm, powers[bit] as bigint, all);
    }
    all ^= BigInt(`0x${bytes.toString("hex")}`);
  }
  return Buffer.from(all.toString(16).padStart(Number(width) / 4, "0"), "hex");
}

/** x to the number of bits in 1, 2, 4, 8 and so on bytes, for parts of any size. */
function powersOf(algorithm: CrcAlgorithm): readonly bigint[] {
  const { width } = kinds[algorithm];
  // x itself, and then squared three times.
  let power = 1n << (width - 2n);
  for (let square = 0; square < 3; square++) power = multiply(algorithm, power, power);
  const powers: bigint[] = [];
  for (let bit = 0; bit < maxSizeBits; bit++) {
    powers.push(power);
    power = multiply(algorithm, power, power);
  }
  return powers;
}

/** Binary digits in the size of a part. */
const maxSizeBits = 46;

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
