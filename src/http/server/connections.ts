/**
 * The open connections of clients: how many there are and what each is doing. Refuses a client that sends something
 * other than HTTP. Ends all connections without cutting an answer.
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { type ErrorCode, OperatingError } from "../../base/errors.ts";
import type { Share } from "../../base/shares.ts";
import { type Exchange, headBytes } from "./exchange.ts";
import type { NodeShares } from "./node-shares.ts";
import { Pieces } from "./pieces.ts";
import { problem } from "./problem.ts";
import { QuietConnections, type QuietSettings } from "./quiet-connections.ts";
import { unreadBodyBytes } from "./unread-body.ts";

export interface ConnectionSettings extends QuietSettings {
  /** So many connections that are too many may wait for their refusal. */
  readonly spareConnections: number;
}

export interface ClientConnection {
  /** There were too many connections when it came. Its request is refused and it is closed. */
  readonly surplus: boolean;
  /** Undefined if its client was gone before it could be told from others. */
  readonly place: Place | undefined;
  /** The latest request, answered or not. */
  latest: Exchange | undefined;
  /** What the requests take that wait for the answer to an earlier one. */
  readonly waiting: Set<Share>;
  /** The client sent something other than HTTP. */
  broken: boolean;
}

/** A connection's share of all, from its first byte on: before its client has been heard, or has spoken TLS. */
interface Place {
  /** Undefined if there was no room. */
  readonly share: Share | undefined;
  /** With TLS, the connection that is within the first one, once there is one. */
  socket: Duplex;
  /** Gives the share back. It may be called again. */
  readonly leave: () => void;
}

/** Most clients that connect send their first request within this, in milliseconds. */
const firstRequestMs = 200;

interface Ending {
  /** Those that are still open. */
  readonly left: Set<Duplex>;
  readonly done: () => void;
}

export class Connections {
  readonly #clock: Clock;
  readonly #shares: NodeShares;
  readonly #spare: number;
  /**
   * Of connections that are not open yet, by their clients' address and port, which TLS keeps. Those of broken
   * connections have no address, and all the same key.
   */
  readonly #arriving = new Map<string, Place>();
  /** The places of connections that are too many. Those that came first come first. */
  readonly #surplus = new Set<Place>();
  readonly #open = new Map<Duplex, ClientConnection>();
  readonly #quiet: QuietConnections<Socket>;
  /** Each waits until its connections are closed. */
  readonly #endings = new Set<Ending>();
  /** Requests that have waited for the answer to an earlier one. */
  readonly #pieces: Pieces;

  constructor(clock: Clock, shares: NodeShares, settings: ConnectionSettings) {
    this.#clock = clock;
    this.#pieces = new Pieces(clock);
    this.#shares = shares;
    this.#spare = settings.spareConnections;
    this.#quiet = new QuietConnections(clock, settings, (socket) => this.#due(socket)?.stallMs);
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Gives a connection its place among those of its address. Where there is none left, one of an address that has more
   * is closed: one without a request under way, or else one whose client is to send or to read.
   *
   * If no address has more, the connection is one too many. A peer's call may be on it, or an operator's request. So of
   * those that are too many the oldest is closed when there are more than a few. Who sends its request at once is
   * heard.
   */
  enter(socket: Socket): void {
    const id = idOf(socket);
    let hasLeft = false;
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      if (this.#arriving.get(id) === place) this.#arriving.delete(id);
      if (share) share.release();
      else this.#surplus.delete(place);
    };
    const share = this.#shares.takeFor("connections", socket.remoteAddress, 1, (isUrgent) => {
      if (isUrgent ? this.#isOurTurn(place.socket) : this.isBusy(place.socket)) return false;
      place.leave();
      place.socket.destroy();
      return true;
    });
    const place: Place = { share, socket, leave };
    this.#arriving.set(id, place);
    socket.once("close", leave);
    if (share) return;
    this.#surplus.add(place);
    if (this.#surplus.size > this.#spare / 2) this.#closeSurplus();
  }

  /** Closes the oldest of those that are too many: one whose answer is not due, if there is one. */
  #closeSurplus(): void {
    const [oldest] = this.#surplus;
    const idle = [...this.#surplus].find((place) => !this.isBusy(place.socket)) ?? oldest;
    idle?.leave();
    idle?.socket.destroy();
  }

  /** The connection can have requests now. */
  add(socket: Socket): void {
    assert(!this.#open.has(socket), "a connection is added once");
    const id = idOf(socket);
    const place = this.#arriving.get(id);
    this.#arriving.delete(id);
    if (place) place.socket = socket;
    const surplus = place?.share === undefined;
    this.#open.set(socket, { surplus, place, latest: undefined, waiting: new Set(), broken: false });
    this.#quiet.add(socket);
    socket.once("close", () => this.remove(socket));
  }

  /** Called when the connection has closed, or belongs to another protocol. */
  remove(socket: Socket): void {
    this.#open.get(socket)?.place?.leave();
    this.#open.delete(socket);
    this.#quiet.remove(socket);
    for (const { left, done } of this.#endings) if (left.delete(socket) && left.size === 0) done();
  }

  get(socket: Duplex): ClientConnection | undefined {
    return this.#open.get(socket);
  }

  /**
   * Has a request wait for the answer to an earlier one, and then calls `then`. If it may not wait, or other addresses
   * need the room, the connection is cut.
   */
  wait(connection: ClientConnection, { request, response }: Exchange, earlier: Exchange, then: () => void): void {
    const { waiting } = connection;
    const { socket } = request;
    const bytes = headBytes(request) + unreadBodyBytes(request);
    const share = this.#shares.takeFor("unread_bytes", socket.remoteAddress, bytes, () => {
      share?.release();
      socket.destroy();
      return true;
    });
    if (!share) {
      socket.destroy();
      return;
    }
    waiting.add(share);
    // If the connection ends, each answer closes, also those that have not begun.
    earlier.response.once("close", () => {
      waiting.delete(share);
      share.release();
      if (!response.destroyed) this.#pieces.add(() => (response.destroyed ? undefined : then()));
    });
  }

  /** Whether an answer is still due on it. */
  isBusy(socket: Duplex): boolean {
    return this.#due(socket) !== undefined;
  }

  /** The request whose answer is still due on the connection. */
  #due(socket: Duplex): Exchange | undefined {
    const latest = this.#open.get(socket)?.latest;
    return latest === undefined || isSent(latest.response) ? undefined : latest;
  }

  /** Whether a request is whole and has no answer yet: the node is at it, and ends it in time. */
  #isOurTurn(socket: Duplex): boolean {
    const latest = this.#open.get(socket)?.latest;
    return latest?.request.complete === true && !latest.response.headersSent;
  }

  /**
   * Answers on a connection that node:http has given up. Waits until the answers under way are out. The client would
   * take a refusal that comes sooner for one of those.
   */
  refuse(socket: Duplex, code: ErrorCode, detail: string, headers: readonly string[] = []): void {
    const latest = this.#open.get(socket)?.latest;
    if (latest === undefined || isSent(latest.response)) {
      refuseRaw(socket, this.#clock, code, detail, headers);
      return;
    }
    socket.on("error", () => socket.destroy());
    latest.response.once("finish", () => refuseRaw(socket, this.#clock, code, detail, headers));
  }

  /**
   * Tells the answer under way when there is room for more of it. node:http has let go of the connection and no longer
   * does.
   */
  keepGoing(socket: Duplex): void {
    const { latest, waiting } = this.#open.get(socket) ?? {};
    // With pipelined requests, it is not known which answer is going out now.
    if (waiting && waiting.size > 0) socket.destroy();
    else if (latest) socket.on("drain", () => latest.response.emit("drain"));
  }

  /** Answers what node:http could not parse. */
  onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#open.get(socket);
    if (connection === undefined || !socket.writable || error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    if (connection.broken) return;
    connection.broken = true;
    const { latest } = connection;
    const [code, detail] = explain(error, latest?.request.complete === false);
    if (latest?.request.complete === false) {
      // The connection is in the middle of a body. That request fails, and its answer says why.
      latest.broken = new OperatingError(code, detail);
      latest.reader?.fail(latest.broken);
    } else {
      this.refuse(socket, code, detail);
    }
  }

  /**
   * Closes each connection with a request under way once its answer is out. After `withinMs` it cuts those that are
   * left, and calls `onCut` with their number. Resolves when all of them are closed. The other connections stay open.
   */
  async endBusy(withinMs: number, onCut: (count: number) => void): Promise<void> {
    const busy = [...this.#open].filter(([socket]) => this.isBusy(socket));
    for (const [socket, connection] of busy) closeAfterLatest(socket, connection);
    await this.#ended(new Set(busy.map(([socket]) => socket)), withinMs, onCut);
  }

  /** Like {@link endBusy}, for all connections. A connection that waits for a request is closed at once. */
  async end(withinMs: number, onCut: (count: number) => void): Promise<void> {
    for (const [socket, connection] of this.#open) {
      if (connection.latest !== undefined) closeAfterLatest(socket, connection);
      // A client that has just connected is about to send a request.
      else this.#clock.after(firstRequestMs, () => closeAfterLatest(socket, connection));
    }
    await this.#ended(new Set(this.#open.keys()), withinMs, onCut);
  }

  /** @param left The connections to wait for. Connections that close leave the set. */
  async #ended(left: Set<Duplex>, withinMs: number, onCut: (count: number) => void): Promise<void> {
    if (left.size === 0) return;
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const ending: Ending = { left, done };
    this.#endings.add(ending);
    const timer = this.#clock.after(withinMs, () => {
      onCut(left.size);
      for (const socket of left) socket.destroy();
    });
    await promise;
    timer.cancel();
    this.#endings.delete(ending);
  }
}

function idOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Whether the answer was given to the system. The client may not have it yet. */
function isSent(response: ServerResponse): boolean {
  return response.writableFinished || response.destroyed;
}

function closeAfterLatest(socket: Duplex, connection: ClientConnection): void {
  const response = connection.latest?.response;
  if (response === undefined || isSent(response)) (socket as Socket).destroySoon();
  // Another request may have come by then.
  else response.once("finish", () => closeAfterLatest(socket, connection));
}

/** The usual reason is a key with a space in it. */
const malformedLine =
  "the request line is malformed: it is METHOD TARGET HTTP/1.1, and keys in the target are percent-encoded (a space is %20)";

function explain(error: NodeJS.ErrnoException, inBody: boolean): readonly [ErrorCode, string] {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return ["headers_too_large", "the request's line and headers are too long"];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return ["body_timeout", "the request's headers did not arrive in time"];
    case "HPE_INVALID_URL":
      return ["key_invalid", "the request's target has a character that must be percent-encoded"];
    case "HPE_INVALID_EOF_STATE":
      return ["body_truncated", "the connection ended before the request did"];
    case "HPE_INVALID_METHOD":
    case "HPE_INVALID_CONSTANT":
    case "HPE_INVALID_VERSION":
      return ["header_invalid", malformedLine];
  }
  return inBody
    ? ["body_invalid", `the body is not framed as HTTP requires: ${error.message}`]
    : ["header_invalid", `this is not an HTTP/1.1 request: ${error.message}`];
}

/** Answers without node:http, which has given the connection up, and ends the connection. */
export function refuseRaw(
  socket: Duplex,
  clock: Clock,
  code: ErrorCode,
  detail: string,
  headers: readonly string[] = [],
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  // node:http has also removed its error listener. Without one, a client that has gone by now would end the process.
  socket.on("error", () => socket.destroy());
  const answer = problem(code, detail);
  const body = JSON.stringify(answer);
  const head = [
    `HTTP/1.1 ${answer.status} ${answer.title}`,
    "Content-Type: application/problem+json",
    "Cache-Control: no-store",
    "Cross-Origin-Resource-Policy: same-origin",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Date: ${new Date(clock.wallMs()).toUTCString()}`,
    "Connection: close",
    ...headers,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  (socket as Socket).destroySoon();
}
