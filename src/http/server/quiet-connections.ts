/**
 * Closes connections on which nothing moves: idle ones, and those with a request under way that is stuck. node:http
 * would do that, too, by timers that each request and each write sets anew. They are about a thirtieth of the cost of a
 * GET. Here one timer goes round all connections, and a request costs nothing. So a connection stays somewhat longer:
 * by a quarter at most.
 */

import type { Socket } from "node:net";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant, Timer } from "../../base/clock.ts";

/** So many rounds are made in the shortest time that a quiet connection is kept. */
const rounds = 8;

/** What is looked at of a connection. */
export type QuietSocket = Pick<Socket, "bytesRead" | "bytesWritten" | "destroySoon"> & { destroy(): unknown };

export interface QuietSettings {
  /** How long an idle connection is kept at least. */
  readonly keepAliveMs: number;
  /** How long at least nothing has to move on a connection that waits for an answer before it is cut. */
  readonly stallMs: number;
}

/** What was seen of a connection in the last round. */
interface Seen {
  bytes: number;
  isBusy: boolean;
  /** The first round in which nothing had moved. Undefined while something does. */
  quietSince: Instant | undefined;
}

export class QuietConnections<S extends QuietSocket> {
  readonly #clock: Clock;
  readonly #keepAliveMs: number;
  readonly #roundMs: number;
  readonly #stallMsOf: (socket: S) => number | undefined;
  readonly #seen = new Map<S, Seen>();
  #timer: Timer | undefined;

  /**
   * @param stallMsOf - if an answer is due on the connection, how long nothing may move on it meanwhile: as the
   *   settings have it, or longer
   */
  constructor(clock: Clock, { keepAliveMs, stallMs }: QuietSettings, stallMsOf: (socket: S) => number | undefined) {
    assert(keepAliveMs > 0 && stallMs > 0, "a quiet connection is kept for a while");
    this.#clock = clock;
    this.#keepAliveMs = keepAliveMs;
    this.#roundMs = Math.min(keepAliveMs, stallMs) / rounds;
    this.#stallMsOf = stallMsOf;
  }

  add(socket: S): void {
    assert(!this.#seen.has(socket), "a connection is added once");
    this.#seen.set(socket, { bytes: bytesOf(socket), isBusy: false, quietSince: undefined });
    this.#timer ??= this.#clock.after(this.#roundMs, this.#goRound);
  }

  remove(socket: S): void {
    this.#seen.delete(socket);
    if (this.#seen.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #goRound = (): void => {
    const now = this.#clock.now();
    this.#timer = this.#clock.after(this.#roundMs, this.#goRound);
    for (const [socket, seen] of this.#seen) {
      const bytes = bytesOf(socket);
      const stallMs = this.#stallMsOf(socket);
      const isBusy = stallMs !== undefined;
      const isQuiet = bytes === seen.bytes && isBusy === seen.isBusy;
      seen.bytes = bytes;
      seen.isBusy = isBusy;
      if (!isQuiet) seen.quietSince = undefined;
      else if (seen.quietSince === undefined) seen.quietSince = now;
      else if (isBusy && now - seen.quietSince >= stallMs) socket.destroy();
      else if (!isBusy && now - seen.quietSince >= this.#keepAliveMs) socket.destroySoon();
    }
  };
}

/** Those that are written and that the system has not taken yet count, too: unread-answers.ts bounds their time. */
function bytesOf({ bytesRead, bytesWritten }: QuietSocket): number {
  return bytesRead + bytesWritten;
}
