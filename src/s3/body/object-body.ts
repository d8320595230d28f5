/**
 * The body of a request in S3's dialect: out of its chunks, checked against all that the request says of it, whole or
 * as a stream. A small one is read as a whole. A large one comes as a stream, which fails in place of its end if the
 * body is not what it should be. So nothing is stored before the body is complete and right.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";
import { compact } from "../../base/memory.ts";
import { announcedLength, type Bodies } from "../../http/server/body.ts";
import { announcesBody } from "../../http/server/exchange.ts";
import type { S3Call } from "../call.ts";
import { S3Error } from "../words/s3-error.ts";
import { BodyChecks, type BodyClaims, checkWhole, claimsOf } from "./body-checks.ts";
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
  const isFramed = payload.kind === "chunked" && announcesBody(exchange.request);
  const sent = announcedLength(exchange.request);
  // Known before anything has come: of a body in chunks the client tells it apart.
  const length = isFramed ? claims.length : sent;
  if (length !== undefined && length > Math.max(maxValueBytes, maxStreamBytes)) throw tooLarge(limits);
  const decoder = payload.kind === "chunked" && isFramed ? new ChunkDecoder(payload, identity.chunks) : undefined;
  const mayStream = maxStreamBytes > maxValueBytes;
  if ((length ?? (mayStream ? sent : undefined) ?? 0) > maxValueBytes) {
    return { kind: "stream", body: await checked(bodies.stream(exchange), claims, decoder), length, ...kept(claims) };
  }
  const maxBytes = length === undefined ? maxValueBytes : length + (isFramed ? framingBytes(length) : 0);
  if (length !== undefined && sent !== undefined && sent > maxBytes) {
    throw new S3Error("IncompleteBody", "the chunks have more bytes than x-amz-decoded-content-length and their heads");
  }
  const read = await bodies.read(exchange, maxBytes, length === undefined && mayStream);
  if (read.stream !== undefined) {
    return { kind: "stream", body: await checked(read.stream, claims, decoder), length, ...kept(claims) };
  }
  try {
    const bytes = decoder === undefined ? read.bytes : Buffer.concat(decoder.decode(read.bytes));
    const md5 = hash("md5", bytes);
    const checksum = await checkWhole(claims, bytes, md5, decoder?.end() ?? noTrailer);
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

/** The body itself, which rejects in place of its end if it is not what the request says. */
async function checked(
  source: AsyncIterableIterator<Uint8Array>,
  claims: BodyClaims,
  decoder: ChunkDecoder | undefined,
): Promise<AsyncIterableIterator<Uint8Array, void>> {
  const checks = await BodyChecks.begin(claims);
  return new CheckedBody(source, checks, decoder);
}

class CheckedBody implements AsyncIterableIterator<Uint8Array, void> {
  readonly #source: AsyncIterableIterator<Uint8Array>;
  readonly #checks: BodyChecks;
  readonly #decoder: ChunkDecoder | undefined;
  /** Pieces of the chunk that came last. They are good until the next one is asked for. */
  #pieces: Uint8Array[] = [];
  #isOver = false;

  constructor(source: AsyncIterableIterator<Uint8Array>, checks: BodyChecks, decoder: ChunkDecoder | undefined) {
    this.#source = source;
    this.#checks = checks;
    this.#decoder = decoder;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    while (!this.#isOver) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#checks.update(piece);
        return { done: false, value: piece };
      }
      const result = await this.#source.next();
      if (result.done === true) {
        // Given up while it waited: then nothing of it counts.
        if (this.#isOver) break;
        this.#isOver = true;
        await this.#checks.finish(this.#decoder?.end() ?? noTrailer);
        break;
      }
      this.#pieces = this.#decoder?.decode(result.value) ?? [result.value];
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, void>> {
    this.#isOver = true;
    this.#pieces = [];
    await this.#source.return?.();
    return { done: true, value: undefined };
  }
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

function tooLarge({ maxValueBytes, maxStreamBytes }: BodyLimits): S3Error {
  return new S3Error("EntityTooLarge", `the body may have ${Math.max(maxValueBytes, maxStreamBytes)} bytes at most`);
}
