/** One request in S3's dialect, from when it is known who sent it. */

import type { Exchange, HeaderList } from "../http/server/exchange.ts";
import { answer } from "../http/server/exchange.ts";
import type { Identity } from "./signature/verifier.ts";
import type { S3Target } from "./words/target.ts";

export interface S3Call {
  readonly exchange: Exchange;
  readonly target: S3Target;
  readonly identity: Identity;
  /** Names the request in its answer and in the log. */
  readonly requestId: string;
  /** Those of the request; and of a presigned one the parameters that stand for headers. Names are in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export const requestIdHeader = "x-amz-request-id";

/** Answers with what is no error. */
export function answerCall(call: S3Call, status: number, headers: HeaderList, body?: Buffer | string): void {
  headers.push(requestIdHeader, call.requestId);
  answer(call.exchange, status, headers, body);
}

export function answerXml(call: S3Call, xml: string, headers: HeaderList = []): void {
  headers.push("Content-Type", "application/xml", "Content-Length", String(Buffer.byteLength(xml)));
  answerCall(call, 200, headers, xml);
}
