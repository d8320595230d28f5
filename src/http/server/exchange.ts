/**
 * One request and its answer: what the routes get, and the few ways in which they answer. An answer is written in one
 * go, with its length. So the runtime sends head and body in one packet if they fit.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Grant } from "../../access/grant.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Share } from "../../base/shares.ts";

/** What the exchanges of one server share. */
export interface Service {
  /** The server stops, or has been withdrawn. Each connection ends with its next answer. */
  isEnding: boolean;
  /** The value of `Keep-Alive`: how long a connection is kept. */
  readonly keepAlive: string;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What the caller may do. Nothing until the router has looked. */
  grant: Grant;
  /** The caller's place among the requests under way, if it needs one. */
  place: Share | undefined;
  /** Headers of every answer to it, errors too. */
  always: readonly string[];
  /** Keeps an answer that the client does not read at once. */
  readonly unread: { add(exchange: Exchange): void };
  /** The client sends its body only after a `100 Continue`, which has not been sent. */
  awaitsContinue: boolean;
  /** Its body has come as a stream, or comes so. */
  isStreamed: boolean;
  /** Its connection is cut if nothing moves on it for so long before its answer is out. */
  stallMs: number;
  /** Tells whether the server ends, and with it every connection after its next answer. */
  readonly service: Service;
  /** The answer says that the connection ends with it. Later requests on the connection are not served. */
  closing: boolean;
  /**
   * Why no more of the request can come: the connection's bytes make no sense from here on. Undefined while all is
   * well.
   */
  broken: OperatingError | undefined;
  /** The body's reader, while it reads. */
  reader: { fail(error: Error): void } | undefined;
}

/**
 * Names and values in turn. Values are byte strings, as node:http gives and takes them. Each answer needs a new array,
 * since {@link writeHead} adds to it.
 */
export type HeaderList = string[];

/**
 * Up to this length, a buffer is sent as a string of its bytes. The runtime joins the string to the head and makes one
 * plain write of both. That saves a fifth of the whole cost of a GET at 1 KiB. From 8 KiB on, the copying costs more
 * than it saves.
 */
const oneWriteBytes = 4096;

/** Writes the head of an answer. Adds to `headers` what every answer says, of its connection too. */
export function writeHead(exchange: Exchange, status: number, headers: HeaderList): void {
  const { response, service, always } = exchange;
  if (service.isEnding) exchange.closing = true;
  if (exchange.closing) headers.push("Connection", "close");
  // node:http says it only where it closes idle connections itself.
  else if (response.shouldKeepAlive) headers.push("Keep-Alive", service.keepAlive);
  headers.push(...always);
  response.writeHead(status, headers);
}

/** Answers. If there is a body, `headers` must contain `Content-Length`. A body for HEAD is not sent. */
export function answer(exchange: Exchange, status: number, headers: HeaderList, body?: Buffer | string): void {
  const { response } = exchange;
  if (response.destroyed) return;
  writeHead(exchange, status, headers);
  if (body instanceof Buffer && body.length <= oneWriteBytes) response.end(body.toString("latin1"), "latin1");
  else response.end(body);
  if (response.writableLength > 0) exchange.unread.add(exchange);
}

export function answerJson(exchange: Exchange, status: number, value: unknown, headers: HeaderList = []): void {
  const body = JSON.stringify(value);
  headers.push("Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body)));
  answer(exchange, status, headers, body);
}

/** So many bytes a request takes beside its line and headers. */
const objectBytes = 1_500;

/** The memory that a request takes, its body aside. */
export function headBytes({ url = "", rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, objectBytes + url.length);
}

/** Whether the request says that it has a body, even an empty chunked one. */
export function announcesBody(request: IncomingMessage): boolean {
  const { headers } = request;
  const length = headers["content-length"];
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined;
}

/** @throws OperatingError `body_invalid` when there is a body. */
export function refuseBody({ request }: Exchange): void {
  if (announcesBody(request)) throw new OperatingError("body_invalid", "this request takes no body");
}

/**
 * Answers a request whose body may not have been read. What the client still sends is read and thrown away for a while.
 * Then the connection ends. Closing at once would reset the connection, and the client would never see the answer.
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
  // The whole answer goes out now. Only its formal end waits, which closes the connection.
  writeHead(exchange, status, headers);
  response.write(body);
  linger.discard(request, () => response.end());
}

/** Reads the rest of a body and throws it away, within limits. */
export interface Linger {
  /** Calls `done` once: when the body has ended, the connection broke, or the rest is too much or takes too long. */
  discard(request: IncomingMessage, done: () => void): void;
}
