/**
 * The checksums that S3 knows. Three come with the runtime. CRC-32C and CRC-64/NVME are AWS's own code. It takes some
 * milliseconds to load, so that is done before there are requests.
 */

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc32c, Crc64Nvme } from "@aws-sdk/checksums/crc";
import { S3Error } from "../words/s3-error.ts";

export const checksumAlgorithms = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** In base64. */
  readonly value: string;
}

/** A checksum that is being made. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  /** In base64. */
  digest(): string | Promise<string>;
}

const lengths: Readonly<Record<ChecksumAlgorithm, number>> = {
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  sha1: 20,
  sha256: 32,
};

export function isChecksumAlgorithm(text: string): text is ChecksumAlgorithm {
  return (checksumAlgorithms as readonly string[]).includes(text);
}

/**
 * Which checksum an object is to have that comes without one: by a copy, or in parts.
 *
 * @throws S3Error `InvalidRequest`.
 */
export function wantedAlgorithm(headers: Readonly<Record<string, string | undefined>>): ChecksumAlgorithm | undefined {
  const name = headers["x-amz-checksum-algorithm"]?.toLowerCase();
  if (name === undefined || isChecksumAlgorithm(name)) return name;
  throw new S3Error("InvalidRequest", `x-amz-checksum-algorithm is one of ${checksumAlgorithms.join(", ")}`);
}

/** Whether the text is such a checksum in base64. */
export function isChecksum(algorithm: ChecksumAlgorithm, text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === lengths[algorithm] && bytes.toString("base64") === text;
}

/** The checksums of no bytes. */
const ofNothing: Readonly<Record<ChecksumAlgorithm, string>> = {
  crc32: "AAAAAA==",
  crc32c: "AAAAAA==",
  crc64nvme: "AAAAAAAAAAA=",
  sha1: "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
  sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
};

export function isChecksumOfNothing(algorithm: string, value: string): boolean {
  return isChecksumAlgorithm(algorithm) && ofNothing[algorithm] === value;
}

export function beginChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case "crc32":
      return new RunningCrc32();
    case "sha1":
    case "sha256": {
      const hash = createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("base64") };
    }
    case "crc32c":
    case "crc64nvme": {
      const checksum = algorithm === "crc32c" ? new Crc32c() : new Crc64Nvme();
      return {
        update: (bytes) => checksum.update(bytes),
        digest: async () => Buffer.from(await checksum.digest()).toString("base64"),
      };
    }
  }
}

class RunningCrc32 implements RunningChecksum {
  #value = 0;

  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }

  digest(): string {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(this.#value);
    return bytes.toString("base64");
  }
}
