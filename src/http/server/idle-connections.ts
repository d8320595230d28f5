/**
 * Closes connections on which nobody asks for anything. node:http would do that, too, by two timers for each request:
 * one from its answer on, and another one from the next request on. That is about a fiftieth of the cost of a GET.
 * Here one timer goes round all connections, and a request costs nothing. So an idle connection stays somewhat longer:
 * by a quarter at most.
 */

import type { Socket } from "node:net";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant, Timer } from "../../base/clock.ts";

/** So many rounds are made in the time that an idle connection is kept. */
const rounds = 8;

/** What is looked at of a connection. */
export type IdleSocket = Pick<Socket, "bytesRead" | "destroySoon">;

/** What was seen of a connection in the last round. */
interface Seen {
  bytesRead: number;
  /** The first round in which it was idle. Undefined while it is not. */
  idleSince: Instant | undefined;
}

export class IdleConnections<S extends IdleSocket> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #isBusy: (socket: S) => boolean;
  readonly #seen = new Map<S, Seen>();
  #timer: Timer | undefined;

  /**
   * @param keepMs - for how long an idle connection is kept at least
   * @param isBusy - whether an answer is due on it
   */
  constructor(clock: Clock, keepMs: number, isBusy: (socket: S) => boolean) {
    assert(keepMs > 0, "an idle connection is kept for a while");
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#isBusy = isBusy;
  }

  add(socket: S): void {
    assert(!this.#seen.has(socket), "a connection is added once");
    this.#seen.set(socket, { bytesRead: socket.bytesRead, idleSince: undefined });
    this.#timer ??= this.#clock.after(this.#keepMs / rounds, this.#goRound);
  }

  remove(socket: S): void {
    this.#seen.delete(socket);
  }

  /** No connection comes any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #goRound = (): void => {
    const now = this.#clock.now();
    for (const [socket, seen] of this.#seen) {
      const { bytesRead } = socket;
      // Bytes have come: a request that was answered since, or the beginning of one.
      const isIdle = bytesRead === seen.bytesRead && !this.#isBusy(socket);
      seen.bytesRead = bytesRead;
      if (!isIdle) seen.idleSince = undefined;
      else if (seen.idleSince === undefined) seen.idleSince = now;
      else if (now - seen.idleSince >= this.#keepMs) socket.destroySoon();
    }
    this.#timer = this.#seen.size > 0 ? this.#clock.after(this.#keepMs / rounds, this.#goRound) : undefined;
  };
}
