/**
 * One direction of a simulated link: what was sent arrives in order, after a while, until the link breaks; then only what was far enough on its way
 * still arrives. A stalled channel holds everything back, as a network does that drops packets until it heals.
 */

import type { Timer } from "../../src/base/clock.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimRandom } from "./sim-random.ts";

interface InFlight {
  readonly dueMs: number;
  readonly deliver: () => void;
}

export class SimChannel {
  readonly #receiver: SimProcess;
  readonly #queue: InFlight[] = [];
  /** Large messages, which others may overtake. */
  readonly #overtakable = new Set<Timer>();
  #lastDueMs = 0;
  #timer: Timer | undefined;
  #stalled = false;
  #closed = false;

  constructor(receiver: SimProcess) {
    this.#receiver = receiver;
  }

  /** Messages on their way. */
  get inFlight(): number {
    return this.#queue.length + this.#overtakable.size;
  }

  /** Delivers after `delayMs`, but never before what was sent earlier. */
  send(delayMs: number, deliver: () => void): void {
    if (this.#closed) return;
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#receiver.world.now + delayMs);
    this.#queue.push({ dueMs: this.#lastDueMs, deliver });
    this.#arm();
  }

  /** Delivers after what was sent earlier; what is sent later may come first. */
  sendOvertakable(delayMs: number, deliver: () => void): void {
    if (this.#closed) return;
    const { world } = this.#receiver;
    const ms = Math.max(this.#lastDueMs - world.now, 0) + delayMs;
    const arrive = (): void => {
      this.#overtakable.delete(timer);
      // Held up with the rest, and behind it then: order is only ever relaxed, never promised.
      if (this.#stalled) this.send(0, deliver);
      else if (!this.#closed) deliver();
    };
    const timer = this.#receiver.schedule(ms, arrive);
    this.#overtakable.add(timer);
  }

  stall(stalled: boolean): void {
    this.#stalled = stalled;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#arm();
  }

  /** The link has broken: of what is on its way a part, drawn at random, still arrives; nothing more can be sent. `last` comes behind it. */
  breakOff(random: SimRandom, noticeMs: number, last: () => void): void {
    const kept = this.#stalled ? 0 : random.whole(0, this.#queue.length);
    this.#queue.length = kept;
    for (const timer of this.#overtakable) timer.cancel();
    this.#overtakable.clear();
    this.#lastDueMs = this.#queue.at(-1)?.dueMs ?? 0;
    this.stall(false);
    this.send(noticeMs, last);
    this.#closed = true;
  }

  /** Nothing more arrives. */
  discard(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const timer of this.#overtakable) timer.cancel();
    this.#overtakable.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Only the first message has a timer: those behind it can't come before it. */
  #arm(): void {
    const first = this.#queue[0];
    if (first === undefined || this.#timer !== undefined || this.#stalled) return;
    const ms = Math.max(0, first.dueMs - this.#receiver.world.now);
    this.#timer = this.#receiver.schedule(ms, () => {
      this.#timer = undefined;
      this.#queue.shift();
      this.#arm();
      first.deliver();
    });
  }
}
