/**
 * The signatures of a body that comes in signed chunks. Each is made over the one before, so that no chunk can be left
 * out, repeated or moved. The first is made over the signature of the request.
 */

import { S3Error } from "../words/s3-error.ts";
import { emptySha256, sha256 } from "./sha256.ts";
import type { SigningKey } from "./signing-keys.ts";

export class ChunkSignatures {
  readonly #key: SigningKey;
  /** The time and the scope of the request's signature, each with a line break. */
  readonly #context: string;
  #previous: string;

  constructor(key: SigningKey, context: string, requestSignature: string) {
    this.#key = key;
    this.#context = context;
    this.#previous = requestSignature;
  }

  /**
   * Checks the next chunk.
   *
   * @param bodyHash The SHA-256 of its bytes, in hexadecimal digits.
   * @throws S3Error `SignatureDoesNotMatch`.
   */
  requireChunk(bodyHash: string, signature: string): void {
    this.#require("AWS4-HMAC-SHA256-PAYLOAD", `${emptySha256}\n${bodyHash}`, signature);
  }

  /** Checks the trailer: lines of `name:value`, each with its line break. */
  requireTrailer(lines: string, signature: string): void {
    this.#require("AWS4-HMAC-SHA256-TRAILER", sha256(lines), signature);
  }

  #require(kind: string, text: string, signature: string): void {
    if (!this.#key.signed(`${kind}\n${this.#context}`, `${this.#previous}\n${text}`, signature)) {
      throw new S3Error(
        "SignatureDoesNotMatch",
        "a part of the body was changed after it was signed; nothing was stored",
      );
    }
    this.#previous = signature;
  }
}
