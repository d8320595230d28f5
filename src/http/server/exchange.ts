/**
 * One request and its answer: what the routes are given, and the few ways in which they answer. An answer is written in one go, with
 * its length, so that the runtime sends head and body in one packet where they fit.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Grant } from "../../access/grant.ts";
import { OperatingError } from "../../base/errors.ts";
import type { UnreadAnswers } from "./unread-answers.ts";

/** What the exchanges of one server share. */
export interface Service {
  /** The server stops, or has been withdrawn: each connection ends with its next answer. */
  isEnding: boolean;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What the caller may do; nothing until the router has looked. */
  grant: Grant;
  /** Headers of its answer, whatever that is. */
  readonly always: readonly string[];
  /** Where an answer is kept that the client does not read at once. */
  readonly unread: UnreadAnswers;
  /** The client sends its body only after a `100 Continue`, which has not been sent. */
  awaitsContinue: boolean;
  /** Of the server: whether it ends, and with it every connection after its next answer. */
  readonly service: Service;
  /** The answer says that the connection ends with it: nothing behind this request is served. */
  closing: boolean;
  /** Why nothing more of the request can come, once that is so: the connection's bytes make no sense from here on. */
  broken: OperatingError | undefined;
  /** Who reads the body, while that goes on. */
  reader: { fail(error: Error): void } | undefined;
}

/**
 * Names and values in turn. Values are byte strings, as node:http gives and takes them. A new array for each answer: it is
 * added to.
 */
export type HeaderList = string[];

/**
 * Up to this length a buffer is sent as a string of its bytes: the runtime joins it to the head and makes one plain write of both. A fifth
 * off the whole cost of a GET at 1 KiB; from 8 KiB on the copying costs more than it saves.
 */
const oneWriteBytes = 4096;

/** Whether the answer that is about to be written is the last on its connection, and has to say so. */
export function isLast(exchange: Exchange): boolean {
  if (exchange.service.isEnding) exchange.closing = true;
  return exchange.closing;
}

/** Answers. `Content-Length` must be among `headers` if there is a body; a body given to HEAD is not sent. */
export function answer(exchange: Exchange, status: number, headers: HeaderList, body?: Buffer | string): void {
  const { response } = exchange;
  if (response.destroyed) return;
  if (isLast(exchange)) headers.push("Connection", "close");
  if (exchange.always.length > 0) headers.push(...exchange.always);
  response.writeHead(status, headers);
  if (body instanceof Buffer && body.length <= oneWriteBytes) response.end(body.toString("latin1"), "latin1");
  else response.end(body);
  if (response.writableLength > 0) exchange.unread.add(response);
}

export function answerJson(exchange: Exchange, status: number, value: unknown, headers: HeaderList = []): void {
  const body = JSON.stringify(value);
  headers.push("Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body)));
  answer(exchange, status, headers, body);
}

/** Whether the request says that it has a body, if only an empty chunked one. */
export function announcesBody(request: IncomingMessage): boolean {
  const { headers } = request;
  const length = headers["content-length"];
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined;
}

/** @throws OperatingError `body_invalid` when there is one. */
export function refuseBody({ request }: Exchange): void {
  if (announcesBody(request)) throw new OperatingError("body_invalid", "this request takes no body");
}

/**
 * Answers a request whose body may not have been read. What the client is still sending is read and thrown away for a while (closing at
 * once would reset the connection and the client would never see the answer), then the connection ends.
 */
export function answerUnread(
  exchange: Exchange,
  status: number,
  headers: HeaderList,
  body: string,
  linger: Linger,
): void {
  const { request, response } = exchange;
  if (request.complete || !announcesBody(request)) {
    answer(exchange, status, headers, body);
    return;
  }
  exchange.closing = true;
  if (exchange.broken !== undefined || exchange.awaitsContinue || response.destroyed) {
    answer(exchange, status, headers, body);
    return;
  }
  // The whole answer goes out now; only its formal end, which closes the connection, waits.
  headers.push("Connection", "close", ...exchange.always);
  response.writeHead(status, headers);
  response.write(body);
  linger.discard(request, () => response.end());
}

/** Reads what nobody wants, within limits. */
export interface Linger {
  /** Calls `done` once: when the body has ended, the connection broke, or it has taken too much or too long. */
  discard(request: IncomingMessage, done: () => void): void;
}
