/**
 * What a request says that its body must be: its SHA-256, its MD5, its checksum, its length. All of it is checked on
 * the bytes that came, before anything of them is stored.
 */

import { createHash, type Hash, hash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { isOperatingError } from "../../base/errors.ts";
import { announcedMd5 } from "../../http/routes/content-md5.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
import type { Payload } from "../signature/payload.ts";
import { S3Error } from "../words/s3-error.ts";
import {
  beginChecksum,
  type Checksum,
  type ChecksumAlgorithm,
  checksumAlgorithms,
  isChecksum,
  isChecksumAlgorithm,
  type RunningChecksum,
} from "./checksum.ts";
import type { Trailer } from "./chunk-decoder.ts";

const prefix = "x-amz-checksum-";

/** What a request says of its body. */
export interface BodyClaims {
  /** In hexadecimal digits. */
  readonly sha256: string | undefined;
  readonly md5: string | undefined;
  readonly checksum: Checksum | undefined;
  /** The checksum of this kind comes after the body. */
  readonly trailing: ChecksumAlgorithm | undefined;
  /** Bytes in the body itself. Undefined where that is not known before it has come. */
  readonly length: number | undefined;
}

/** @throws S3Error `InvalidDigest`, `InvalidRequest`, `InvalidArgument`, `NotImplemented`. */
export function claimsOf(headers: Readonly<Record<string, string | undefined>>, payload: Payload): BodyClaims {
  if (payload.kind !== "chunked") refuseChunkHeaders(headers);
  const checksum = checksumIn(headers);
  const trailing = payload.kind === "chunked" ? trailingIn(headers) : undefined;
  if (checksum !== undefined && trailing !== undefined) {
    throw new S3Error("InvalidRequest", "a body has one checksum, in a header or after it");
  }
  requireAlgorithm(headers, trailing ?? checksum?.algorithm);
  return {
    sha256: payload.kind === "hashed" ? payload.sha256 : undefined,
    md5: md5In(headers["content-md5"]),
    checksum,
    trailing,
    length: payload.kind === "chunked" ? decodedLength(headers["x-amz-decoded-content-length"]) : undefined,
  };
}

/** A body in chunks that is taken for a plain one would be stored with the heads of its chunks. */
function refuseChunkHeaders(headers: Readonly<Record<string, string | undefined>>): void {
  const codings = headers["content-encoding"]?.split(",").map((coding) => coding.trim().toLowerCase());
  const saysChunks =
    headers["x-amz-trailer"] !== undefined ||
    headers["x-amz-decoded-content-length"] !== undefined ||
    codings?.includes("aws-chunked") === true;
  if (!saysChunks) return;
  throw new S3Error("InvalidRequest", "headers say that the body is aws-chunked, and x-amz-content-sha256 does not");
}

/** Headers that name the algorithm of the checksum that the request has. */
const algorithmNames = ["x-amz-sdk-checksum-algorithm", `${prefix}algorithm`] as const;

function requireAlgorithm(
  headers: Readonly<Record<string, string | undefined>>,
  algorithm: ChecksumAlgorithm | undefined,
): void {
  for (const name of algorithmNames) {
    const value = headers[name];
    if (value === undefined || value.toLowerCase() === algorithm) continue;
    throw new S3Error("InvalidRequest", `${name} names a checksum that the request does not have`);
  }
}

function md5In(header: string | undefined): string | undefined {
  try {
    return announcedMd5(header);
  } catch (error) {
    if (isOperatingError(error, "header_invalid")) throw new S3Error("InvalidDigest", error.message);
    throw error;
  }
}

function checksumIn(headers: Readonly<Record<string, string | undefined>>): Checksum | undefined {
  let found: Checksum | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || !name.startsWith(prefix)) continue;
    const algorithm = name.slice(prefix.length);
    if (algorithm === "mode" || algorithm === "algorithm" || (algorithm === "type" && value === "FULL_OBJECT"))
      continue;
    if (!isChecksumAlgorithm(algorithm))
      throw new S3Error("InvalidRequest", `${name}: ${value} cannot be checked here`);
    if (found !== undefined) throw new S3Error("InvalidRequest", "a body has one checksum, and the request names two");
    if (!isChecksum(algorithm, value)) {
      throw new S3Error("InvalidRequest", `the value of ${prefix}${algorithm} is no such checksum in base64`);
    }
    found = { algorithm, value };
  }
  return found;
}

function trailingIn(headers: Readonly<Record<string, string | undefined>>): ChecksumAlgorithm | undefined {
  const names = (headers["x-amz-trailer"] ?? "").split(",").map((name) => name.trim().toLowerCase());
  const algorithms = names.filter((name) => name !== "").map((name) => name.replace(prefix, ""));
  const [first, second] = algorithms;
  if (first === undefined) return undefined;
  if (second === undefined && names.some((name) => name === prefix + first) && isChecksumAlgorithm(first)) return first;
  throw new S3Error(
    "InvalidRequest",
    `x-amz-trailer must name one of ${prefix}${checksumAlgorithms.join(`, ${prefix}`)}`,
  );
}

function decodedLength(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,14}$/.test(header)) return Number(header);
  throw new S3Error("InvalidArgument", "x-amz-decoded-content-length must be a number of bytes");
}

/** Bytes whose checksum is made in a turn of the event loop: that takes a millisecond. */
const turnBytes = 256 * 1024;

/** How a body comes off beside what was said of it. A sum is there if something was said of it. */
interface BodySums {
  readonly received: number;
  readonly sha256: string | undefined;
  readonly md5: string | undefined;
}

/**
 * Checks a body that is there as a whole, but for its checksum. Returns what that must be, if the request has one:
 * {@link checkChecksum} has to follow.
 *
 * @param md5 Of the body, in hexadecimal digits.
 * @throws S3Error as {@link BodyChecks.finish}.
 */
export function checkWhole(claims: BodyClaims, bytes: Uint8Array, md5: string, trailer: Trailer): Checksum | undefined {
  const sha256 = claims.sha256 === undefined ? undefined : hash("sha256", bytes);
  return judge(claims, trailer, { received: bytes.length, sha256, md5 });
}

/**
 * Checks that a body that is there as a whole has this checksum.
 *
 * @throws S3Error `BadDigest`.
 */
export async function checkChecksum(claimed: Checksum, bytes: Uint8Array, turns: OwnTurns): Promise<void> {
  requireChecksum(claimed, (await makeChecksum(claimed.algorithm, bytes, turns)).value);
}

/** The checksum of bytes that are there as a whole. */
export async function makeChecksum(
  algorithm: ChecksumAlgorithm,
  bytes: Uint8Array,
  turns: OwnTurns,
): Promise<Checksum> {
  const checksum = beginChecksum(algorithm);
  for (let at = 0; at < bytes.length; at += turnBytes) {
    if (at > 0) await turns.next();
    checksum.update(bytes.subarray(at, at + turnBytes));
  }
  return { algorithm, value: await checksum.digest() };
}

/** Returns the checksum that the request says, which is not looked at yet. */
function judge(claims: BodyClaims, trailer: Trailer, sums: BodySums): Checksum | undefined {
  const { length, sha256, md5, checksum, trailing } = claims;
  if (length !== undefined && length !== sums.received) {
    throw wrongLength(length, String(sums.received));
  }
  for (const name of trailer.keys()) {
    if (trailing !== undefined && name === prefix + trailing) continue;
    throw new S3Error("InvalidRequest", `${name} comes after the body, and x-amz-trailer does not name it`);
  }
  if (sha256 !== undefined && sums.sha256 !== sha256) {
    throw new S3Error("XAmzContentSHA256Mismatch", wrong("SHA-256", "x-amz-content-sha256"));
  }
  if (md5 !== undefined && sums.md5 !== md5) throw new S3Error("BadDigest", wrong("MD5", "Content-MD5"));
  return trailing === undefined ? checksum : trailingChecksum(trailing, trailer);
}

function requireChecksum({ algorithm, value }: Checksum, made: string | undefined): void {
  if (made !== value) throw new S3Error("BadDigest", wrong(algorithm.toUpperCase(), prefix + algorithm));
}

/** What is to be known of a body, whatever the request says of it. */
export interface WantedSums {
  readonly md5: boolean;
  readonly checksum: ChecksumAlgorithm | undefined;
}

const noSums: WantedSums = { md5: false, checksum: undefined };

/** Checks a body while it comes. */
export class BodyChecks {
  readonly #claims: BodyClaims;
  readonly #sha256: Hash | undefined;
  readonly #md5: Hash | undefined;
  readonly #algorithm: ChecksumAlgorithm | undefined;
  readonly #checksum: RunningChecksum | undefined;
  #received = 0;
  #sums: { readonly md5: string | undefined; readonly checksum: Checksum | undefined } | undefined;

  /** @param wanted Its checksum is that which the request has, if it has one. */
  constructor(claims: BodyClaims, wanted = noSums) {
    this.#algorithm = claims.trailing ?? claims.checksum?.algorithm ?? wanted.checksum;
    assert(wanted.checksum === undefined || wanted.checksum === this.#algorithm, "a body has one checksum");
    this.#claims = claims;
    this.#checksum = this.#algorithm === undefined ? undefined : beginChecksum(this.#algorithm);
    this.#sha256 = claims.sha256 === undefined ? undefined : createHash("sha256");
    this.#md5 = claims.md5 === undefined && !wanted.md5 ? undefined : createHash("md5");
  }

  /** Known when {@link finish} has resolved. */
  get sums(): { readonly md5: string | undefined; readonly checksum: Checksum | undefined } {
    assert(this.#sums !== undefined, "sums are asked for at the end of a body");
    return this.#sums;
  }

  /** @throws S3Error `IncompleteBody` when there are more bytes than the request says. */
  update(bytes: Uint8Array): void {
    this.#received += bytes.length;
    const { length } = this.#claims;
    if (length !== undefined && this.#received > length) throw wrongLength(length, `more than ${length}`);
    this.#sha256?.update(bytes);
    this.#md5?.update(bytes);
    this.#checksum?.update(bytes);
  }

  /**
   * To be called at the end of the body. Returns its checksum, if the request has one.
   *
   * @throws S3Error `BadDigest`, `IncompleteBody`, `InvalidRequest`, `XAmzContentSHA256Mismatch`.
   */
  async finish(trailer: Trailer): Promise<Checksum | undefined> {
    const md5 = this.#md5?.digest("hex");
    const value = await this.#checksum?.digest();
    const algorithm = this.#algorithm;
    this.#sums = { md5, checksum: algorithm && value !== undefined ? { algorithm, value } : undefined };
    const sha256 = this.#sha256?.digest("hex");
    const claimed = judge(this.#claims, trailer, { received: this.#received, sha256, md5 });
    if (claimed !== undefined) requireChecksum(claimed, value);
    return claimed;
  }
}

function wrongLength(length: number, received: string): S3Error {
  return new S3Error("IncompleteBody", `the body has ${received} bytes, not ${length}; nothing was stored`);
}

function trailingChecksum(algorithm: ChecksumAlgorithm, trailer: Trailer): Checksum {
  const value = trailer.get(prefix + algorithm);
  if (value !== undefined && isChecksum(algorithm, value)) return { algorithm, value };
  throw new S3Error(
    "InvalidRequest",
    `the body ended without the checksum that x-amz-trailer names; nothing was stored`,
  );
}

function wrong(kind: string, header: string): string {
  return `the body that came has another ${kind} than ${header} says; nothing was stored`;
}
