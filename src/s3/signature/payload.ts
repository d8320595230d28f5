/** What a request says of its body's bytes: whether they are signed, and whether they come in chunks of their own. */

import { S3Error } from "../words/s3-error.ts";
import { emptySha256, isSha256 } from "./sha256.ts";

export type Payload =
  /** Nothing is signed of it. */
  | { readonly kind: "unsigned" }
  /** It has this SHA-256, in hexadecimal digits. */
  | { readonly kind: "hashed"; readonly sha256: string }
  /** It comes in chunks (`aws-chunked`). Each may be signed, and headers may follow the last one. */
  | { readonly kind: "chunked"; readonly signed: boolean; readonly trailer: boolean };

const kinds: ReadonlyMap<string, Payload> = new Map([
  ["UNSIGNED-PAYLOAD", { kind: "unsigned" }],
  ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", { kind: "chunked", signed: false, trailer: true }],
  ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", { kind: "chunked", signed: true, trailer: false }],
  ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", { kind: "chunked", signed: true, trailer: true }],
] as const satisfies readonly (readonly [string, Payload])[]);

export const unsignedPayload = "UNSIGNED-PAYLOAD";

/** What most requests without a body say. */
const emptyPayload: Payload = { kind: "hashed", sha256: emptySha256 };

/**
 * @param text The value of `x-amz-content-sha256`.
 * @throws S3Error `InvalidArgument`, `NotImplemented`.
 */
export function parsePayload(text: string): Payload {
  if (text === emptySha256) return emptyPayload;
  if (isSha256(text)) return { kind: "hashed", sha256: text };
  const known = kinds.get(text);
  if (known !== undefined) return known;
  if (text.startsWith("STREAMING-")) {
    throw new S3Error("NotImplemented", `bodies of the kind ${JSON.stringify(text.slice(0, 64))} are not spoken`);
  }
  const detail = `x-amz-content-sha256 must be ${[...kinds.keys()].join(", ")}, or a SHA-256 in 64 lower-case digits`;
  throw new S3Error("InvalidArgument", detail);
}
