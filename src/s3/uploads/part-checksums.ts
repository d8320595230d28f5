/**
 * The checksum of an object from those of its parts, without its bytes. A composite one is the checksum of the parts'
 * checksums, and says how many they are. A full one is that of all bytes: CRCs can be put together.
 */

import type { OwnTurns } from "../../http/server/turns.ts";
import { beginChecksum, type Checksum, type ChecksumAlgorithm } from "../body/checksum.ts";
import { S3Error } from "../words/s3-error.ts";
import { isCrc, joinCrcs } from "./crc-join.ts";
import type { checksumTypes, PartRecord, UploadRecord } from "./upload-records.ts";

type ChecksumType = (typeof checksumTypes)[number];

/**
 * What each part of an upload is to have, as its client says it.
 *
 * @throws S3Error `InvalidRequest`
 */
export function checksumRule(
  algorithm: ChecksumAlgorithm | undefined,
  type: string | undefined,
): UploadRecord["checksum"] {
  if (algorithm === undefined) {
    if (type === undefined) return undefined;
    throw new S3Error("InvalidRequest", "x-amz-checksum-type needs x-amz-checksum-algorithm");
  }
  const types = typesOf(algorithm);
  const found = type === undefined ? types[0] : types.find((each) => each === type.toUpperCase());
  if (found !== undefined) return { algorithm, type: found };
  throw new S3Error("InvalidRequest", `x-amz-checksum-type of ${algorithm} is ${types.join(" or ")}`);
}

/** The first is the one that is meant where none is named. */
function typesOf(algorithm: ChecksumAlgorithm): readonly ChecksumType[] {
  if (algorithm === "crc64nvme") return ["FULL_OBJECT"];
  return isCrc(algorithm) ? ["COMPOSITE", "FULL_OBJECT"] : ["COMPOSITE"];
}

/** Undefined unless each part has what it is to have. */
export async function checksumOfParts(
  rule: UploadRecord["checksum"],
  parts: readonly Pick<PartRecord, "checksum" | "size">[],
  turns: OwnTurns,
): Promise<Checksum | undefined> {
  if (rule === undefined) return undefined;
  const { algorithm, type } = rule;
  const sums: { readonly bytes: Buffer; readonly size: number }[] = [];
  for (const { checksum, size } of parts) {
    if (checksum?.algorithm !== algorithm) return undefined;
    sums.push({ bytes: Buffer.from(checksum.value, "base64"), size });
  }
  if (type === "FULL_OBJECT" && isCrc(algorithm)) {
    return { algorithm, value: (await joinCrcs(algorithm, sums, turns)).toString("base64") };
  }
  const composite = beginChecksum(algorithm);
  composite.update(Buffer.concat(sums.map(({ bytes }) => bytes)));
  return { algorithm, value: `${await composite.digest()}-${sums.length}` };
}
