/**
 * The body of a part of a multipart upload: always a stream. Its MD5 is made while it comes, and the checksum that the
 * upload wants.
 */

import { assert } from "../../base/assert.ts";
import { announcedLength, type Bodies } from "../../http/server/body.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
import type { S3Call } from "../call.ts";
import { S3Error } from "../words/s3-error.ts";
import { BodyChecks, type BodyClaims, claimsOf } from "./body-checks.ts";
import { CheckedBody } from "./checked-body.ts";
import type { Checksum, ChecksumAlgorithm } from "./checksum.ts";
import { ChunkDecoder, framingBytes } from "./chunk-decoder.ts";
import { tooMuchFraming } from "./object-body.ts";

export interface SummedBody {
  readonly body: AsyncIterableIterator<Uint8Array, void>;
  /** Bytes in the body. */
  readonly length: number;
  /** Known when the body has been read to its end. The MD5 is in hexadecimal digits. */
  readonly sums: () => { readonly md5: string; readonly checksum: Checksum | undefined };
}

/**
 * The body of a request that sends a part. Nothing of it is read yet.
 *
 * @param algorithm Which checksum each part of the upload is to have.
 * @throws S3Error `EntityTooLarge`, `IncompleteBody`, `MissingContentLength`, and as {@link claimsOf} does.
 */
export function partBody(
  call: S3Call,
  bodies: Bodies,
  algorithm: ChecksumAlgorithm | undefined,
  maxBytes: number,
): SummedBody {
  const { exchange, identity } = call;
  const { payload } = identity;
  const claims = claimsOf(call.headers, payload);
  const own = claims.trailing ?? claims.checksum?.algorithm;
  if (own !== undefined && algorithm !== undefined && own !== algorithm) {
    throw new S3Error("InvalidRequest", `the upload was begun with the checksum ${algorithm}, and the part has ${own}`);
  }
  const sent = announcedLength(exchange.request);
  const isFramed = payload.kind === "chunked";
  const length = isFramed ? claims.length : sent;
  if (length === undefined) {
    const name = isFramed ? "x-amz-decoded-content-length" : "Content-Length";
    throw new S3Error("MissingContentLength", `the length of a part must be known before it comes: send ${name}`);
  }
  if (length > maxBytes) throw new S3Error("EntityTooLarge", `a part may have ${maxBytes} bytes at most`);
  if (isFramed && sent !== undefined && sent > length + framingBytes(length)) throw tooMuchFraming();
  const decoder = isFramed ? new ChunkDecoder(payload, identity.chunks) : undefined;
  const source = sent === 0 ? nothing() : bodies.stream(exchange);
  return summed(source, length, claims, decoder, algorithm, bodies.turnsOf(exchange));
}

const noClaims: BodyClaims = {
  sha256: undefined,
  md5: undefined,
  checksum: undefined,
  trailing: undefined,
  length: undefined,
};

/** The same for bytes that come from elsewhere. */
export function summedBody(
  source: AsyncIterableIterator<Uint8Array, void>,
  length: number,
  algorithm: ChecksumAlgorithm | undefined,
  turns: OwnTurns,
): SummedBody {
  return summed(source, length, noClaims, undefined, algorithm, turns);
}

function summed(
  source: AsyncIterableIterator<Uint8Array, void>,
  length: number,
  claims: BodyClaims,
  decoder: ChunkDecoder | undefined,
  algorithm: ChecksumAlgorithm | undefined,
  turns: OwnTurns,
): SummedBody {
  const checks = new BodyChecks({ ...claims, length }, { md5: true, checksum: algorithm });
  return {
    body: new CheckedBody(source, checks, decoder, turns),
    length,
    sums: () => {
      const { md5, checksum } = checks.sums;
      assert(md5 !== undefined, "the MD5 of a part is always made");
      return { md5, checksum };
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {
  // There is no body.
}
