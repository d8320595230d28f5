/**
 * The body of a request in S3's dialect: out of its chunks, checked against all that the request says of it, whole or
 * as a stream. A small one is read as a whole. A large one comes as a stream, which fails in place of its end if the
 * body is not what it should be. So nothing is stored before the body is complete and right.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";
import { compact, shrink } from "../../base/memory.ts";
import { announcedLength, type Bodies } from "../../http/server/body.ts";
import { announcesBody } from "../../http/server/exchange.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
import type { S3Call } from "../call.ts";
import { S3Error } from "../words/s3-error.ts";
import { BodyChecks, type BodyClaims, checkChecksum, checkWhole, claimsOf } from "./body-checks.ts";
import { CheckedBody } from "./checked-body.ts";
import type { Checksum } from "./checksum.ts";
import { ChunkDecoder, framingBytes, type Trailer } from "./chunk-decoder.ts";

export interface WholeBody {
  readonly kind: "whole";
  readonly bytes: Buffer;
  /** In hexadecimal digits. */
  readonly md5: string;
  /** That of the request, if it has one. */
  readonly checksum: Checksum | undefined;
  /** Says that the bytes are no longer under way. Must be called once, when the request is answered. */
  release(): void;
}

export interface StreamedBody {
  readonly kind: "stream";
  readonly body: AsyncIterableIterator<Uint8Array, void>;
  /** Undefined if it is not known yet. */
  readonly length: number | undefined;
  /** That of the request, if it came before the body. */
  readonly checksum: Checksum | undefined;
}

export interface BodyLimits {
  /** In a body that is read as a whole. */
  readonly maxValueBytes: number;
  /** In any body. */
  readonly maxStreamBytes: number;
}

const noTrailer: Trailer = new Map();

/**
 * Reads the body of a request.
 *
 * @throws S3Error, and OperatingError as {@link Bodies.read} does.
 */
export async function readObjectBody(
  call: S3Call,
  bodies: Bodies,
  limits: BodyLimits,
): Promise<WholeBody | StreamedBody> {
  const { exchange, identity } = call;
  const { payload } = identity;
  const claims = claimsOf(call.headers, payload);
  const { maxValueBytes, maxStreamBytes } = limits;
  const isFramed = payload.kind === "chunked";
  const sent = announcedLength(exchange.request);
  // Known before anything has come: of a body in chunks the client tells it apart.
  const length = isFramed ? claims.length : sent;
  if (length !== undefined && length > Math.max(maxValueBytes, maxStreamBytes)) throw tooLarge(limits);
  const decoder = isFramed ? new ChunkDecoder(payload, identity.chunks) : undefined;
  const mayStream = maxStreamBytes > maxValueBytes;
  if ((length ?? (mayStream ? sent : undefined) ?? 0) > maxValueBytes) {
    const body = new CheckedBody(bodies.stream(exchange), new BodyChecks(claims), decoder, bodies.turnsOf(exchange));
    return { kind: "stream", body, length, ...kept(claims) };
  }
  const maxBytes = length === undefined ? maxValueBytes : length + (isFramed ? framingBytes(length) : 0);
  if (length !== undefined && sent !== undefined && sent > maxBytes) throw tooMuchFraming();
  const read = await bodies.read(exchange, maxBytes, length === undefined && mayStream);
  if (read.stream !== undefined) {
    const body = new CheckedBody(read.stream, new BodyChecks(claims), decoder, bodies.turnsOf(exchange));
    return { kind: "stream", body, length, ...kept(claims) };
  }
  try {
    const bytes = decoder === undefined ? read.bytes : await decodeWhole(read.bytes, decoder, bodies.turnsOf(exchange));
    const md5 = hash("md5", bytes);
    const checksum = checkWhole(claims, bytes, md5, decoder?.end() ?? noTrailer);
    if (checksum !== undefined) await checkChecksum(checksum, bytes, bodies.turnsOf(exchange));
    return { kind: "whole", bytes: compact(bytes), md5, checksum, release: () => read.release() };
  } catch (error) {
    read.release();
    throw error;
  }
}

/** Of a streamed body's checksum, what is known before its end: it is stored before that. */
function kept({ checksum }: BodyClaims): Pick<StreamedBody, "checksum"> {
  return { checksum };
}

/** Bytes that are taken apart in a turn of the event loop. With the smallest chunks that takes some milliseconds. */
const turnBytes = 65_536;

/** Takes a body apart in its own memory, which counts as it is: there is no second copy. */
async function decodeWhole(bytes: Buffer, decoder: ChunkDecoder, turns: OwnTurns): Promise<Buffer> {
  let decoded = 0;
  for (let at = 0; at < bytes.length; at += turnBytes) {
    if (at > 0) await turns.next();
    const part = decoder.decode(bytes.subarray(at, at + turnBytes));
    bytes.copyWithin(decoded, at, at + part.length);
    decoded += part.length;
  }
  return shrink(bytes, decoded);
}

/** For a request whose body has no use but to be what it says: nothing may come. */
export function requireNoBody({ exchange, identity }: S3Call): void {
  if (announcesBody(exchange.request)) throw new S3Error("InvalidRequest", "this request takes no body");
  const { payload } = identity;
  if (payload.kind === "hashed" && payload.sha256 !== emptyHash) {
    throw new S3Error("XAmzContentSHA256Mismatch", "there is no body, and x-amz-content-sha256 is that of one");
  }
}

const emptyHash = hash("sha256", "");

/** The whole of a small body that is a document. */
export async function readDocument(call: S3Call, bodies: Bodies, maxBytes: number): Promise<WholeBody> {
  const body = await readObjectBody(call, bodies, { maxValueBytes: maxBytes, maxStreamBytes: 0 });
  if (body.kind === "whole") return body;
  throw new OperatingError("internal", "a document is read as a whole");
}

export function tooMuchFraming(): S3Error {
  return new S3Error("IncompleteBody", "the chunks have more bytes than x-amz-decoded-content-length and their heads");
}

function tooLarge({ maxValueBytes, maxStreamBytes }: BodyLimits): S3Error {
  return new S3Error("EntityTooLarge", `the body may have ${Math.max(maxValueBytes, maxStreamBytes)} bytes at most`);
}
