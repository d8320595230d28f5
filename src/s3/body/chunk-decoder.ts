/**
 * Takes a body in chunks (`aws-chunked`) apart, as it comes. A chunk is its size in hexadecimal digits, perhaps its
 * signature, and its bytes. After the last one, which is empty, headers may follow: the trailer. Bytes go on before
 * their signature is checked, so whoever takes them must not use them before {@link ChunkDecoder.end}.
 */

import { createHash, type Hash } from "node:crypto";
import type { ChunkSignatures } from "../signature/chunk-signatures.ts";
import type { Payload } from "../signature/payload.ts";
import { isSha256 } from "../signature/sha256.ts";
import { S3Error } from "../words/s3-error.ts";

export type Trailer = ReadonlyMap<string, string>;

/** Bytes of a chunk's head, or of a line of the trailer: 16 digits and a signature take 100. */
const maxLineBytes = 1_024;
const maxTrailerLines = 16;

/**
 * Bytes of heads and of the trailer in a body of so many bytes, at most. Chunks of 8 KiB have heads of 100 bytes, and
 * AWS takes no smaller ones. Else a body of tiny chunks would keep a node busy for long.
 */
export function framingBytes(bodyBytes: number): number {
  return 16_384 + Math.ceil(bodyBytes / 8);
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

type State =
  /** In the line before a chunk. */
  | "head"
  | "bytes"
  /** In the line break after a chunk. */
  | "break"
  /** In the lines after the last chunk. */
  | "trailer"
  | "over";

export class ChunkDecoder {
  readonly #payload: Extract<Payload, { kind: "chunked" }>;
  /** Undefined where no signatures are checked. */
  readonly #signatures: ChunkSignatures | undefined;
  readonly #trailer = new Map<string, string>();
  #state: State = "head";
  /** Of a line that has not ended yet. */
  #line = "";
  /** Bytes of the chunk that have not come yet. */
  #left = 0;
  #signature = "";
  #hash: Hash | undefined;
  #received = 0;
  /** Bytes of lines that have come. */
  #framing = 0;
  /** The trailer had an empty line before its signature. */
  #hasEmptyLine = false;
  /** No line may come any more. */
  #hasLastLine = false;

  constructor(payload: Extract<Payload, { kind: "chunked" }>, signatures: ChunkSignatures | undefined) {
    this.#payload = payload;
    this.#signatures = signatures;
  }

  /** How many bytes of the body itself have come. */
  get received(): number {
    return this.#received;
  }

  /**
   * What these bytes have of the body itself. It is moved together at their beginning, over what was there.
   *
   * @throws S3Error `InvalidRequest`, `SignatureDoesNotMatch`.
   */
  decode(bytes: Uint8Array): Uint8Array {
    let decoded = 0;
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === "bytes") {
        const end = Math.min(at + this.#left, bytes.length);
        this.#hash?.update(bytes.subarray(at, end));
        bytes.copyWithin(decoded, at, end);
        decoded += end - at;
        this.#received += end - at;
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#endChunk();
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    return bytes.subarray(0, decoded);
  }

  /**
   * To be called at the end of the body: only then is it known to be whole.
   *
   * @throws S3Error `IncompleteBody`.
   */
  end(): Trailer {
    if (this.#state !== "over" || this.#line !== "") {
      throw new S3Error("IncompleteBody", "the body ended before its last chunk did; nothing was stored");
    }
    return this.#trailer;
  }

  /** Reads to the end of a line, if it is there. Returns where to go on. */
  #readLine(bytes: Uint8Array, from: number): number {
    const end = bytes.indexOf(lineFeed, from);
    const part = bytes.subarray(from, end === -1 ? bytes.length : end);
    if (this.#state === "over" && this.#hasLastLine) throw malformed("goes on after its last chunk");
    if (this.#line.length + part.length > maxLineBytes) throw malformed("has a line that is too long");
    this.#framing += part.length;
    if (this.#framing > framingBytes(this.#received)) throw malformed("has chunks that are too small");
    this.#line += Buffer.from(part).toString("latin1");
    if (end === -1) return bytes.length;
    const hasReturn = this.#line.charCodeAt(this.#line.length - 1) === carriageReturn;
    if (!hasReturn && this.#state !== "trailer") throw malformed("has a line without its end");
    const line = hasReturn ? this.#line.slice(0, -1) : this.#line;
    this.#line = "";
    if (this.#state === "head") this.#beginChunk(line);
    else if (this.#state === "trailer") this.#takeTrailer(line);
    else if (this.#state === "over") this.#takeLastLine(line);
    else if (line !== "") throw malformed("has a chunk that is longer than its size says");
    else this.#state = "head";
    return end + 1;
  }

  #beginChunk(line: string): void {
    const { signed } = this.#payload;
    const found = (signed ? signedHead : plainHead).exec(line);
    if (found === null)
      throw malformed(`has a chunk that does not begin with its size${signed ? " and signature" : ""}`);
    this.#left = Number.parseInt(found[1] as string, 16);
    this.#signature = found[2] ?? "";
    if (this.#signatures !== undefined) this.#hash = createHash("sha256");
    if (this.#left > 0) {
      this.#state = "bytes";
      return;
    }
    this.#checkChunk();
    this.#state = "trailer";
  }

  #endChunk(): void {
    this.#checkChunk();
    this.#state = "break";
  }

  #checkChunk(): void {
    this.#signatures?.requireChunk((this.#hash as Hash).digest("hex"), this.#signature);
    this.#hash = undefined;
  }

  /** minio-go ends a checksum's line with a line feed alone. An empty line follows it, before the signature too. */
  #takeTrailer(line: string): void {
    if (line === "") {
      const owesSignature = this.#payload.signed && this.#payload.trailer && !this.#trailer.has(trailerSignature);
      if (owesSignature && !this.#hasEmptyLine) this.#hasEmptyLine = true;
      else this.#endTrailer();
      return;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!this.#payload.trailer || colon < 1 || this.#trailer.has(name) || this.#trailer.size === maxTrailerLines) {
      throw malformed("has a trailer that is not as it must be");
    }
    this.#trailer.set(name, line.slice(colon + 1).trim());
  }

  #takeLastLine(line: string): void {
    if (line !== "") throw malformed("goes on after its last chunk");
    this.#hasLastLine = true;
  }

  #endTrailer(): void {
    const signature = this.#trailer.get(trailerSignature);
    this.#trailer.delete(trailerSignature);
    if (this.#signatures !== undefined && this.#payload.trailer) {
      if (signature === undefined || !isSha256(signature)) throw malformed("has a trailer without a signature");
      const lines = [...this.#trailer].map(([name, value]) => `${name}:${value}\n`).join("");
      this.#signatures.requireTrailer(lines, signature);
    }
    this.#state = "over";
    this.#hasLastLine = !this.#payload.trailer;
  }
}

const trailerSignature = "x-amz-trailer-signature";
/** 12 digits are more than any value may have. */
const plainHead = /^([0-9a-fA-F]{1,12})$/;
const signedHead = /^([0-9a-fA-F]{1,12});chunk-signature=([0-9a-f]{64})$/;

function malformed(what: string): S3Error {
  return new S3Error("InvalidRequest", `the chunked body ${what}; nothing was stored`);
}
