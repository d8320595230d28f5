/**
 * One direction of a simulated link: what was sent arrives in order, after a while, until the link breaks; then only
 * what was far enough on its way still arrives. There are two lanes: the fast one, for pings, their answers and
 * notices, keeps its own order and overtakes the other. A stalled channel holds everything back, as a network does that
 * drops packets until it heals; a choked one holds back all but the fast lane.
 */

import type { Timer } from "../../src/base/clock.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { SimProcess } from "./sim-process.ts";

export type LaneName = "fast" | "slow";

interface InFlight {
  readonly dueMs: number;
  readonly deliver: () => void;
}

/** Messages that arrive one after the other. */
class Lane {
  readonly #receiver: SimProcess;
  queue: InFlight[] = [];
  lastDueMs = 0;
  isHeld = false;
  #timer: Timer | undefined;
  readonly #onDue = (): void => {
    this.#timer = undefined;
    const due = this.queue.shift();
    this.arm();
    due?.deliver();
  };

  constructor(receiver: SimProcess) {
    this.#receiver = receiver;
  }

  /** Delivers after `delayMs`, but never before what was sent earlier. */
  send(delayMs: number, deliver: () => void): void {
    this.lastDueMs = Math.max(this.lastDueMs, this.#receiver.world.now + delayMs);
    this.queue.push({ dueMs: this.lastDueMs, deliver });
    this.arm();
  }

  /** Only the first message has a timer: those behind it can't come before it. */
  arm(): void {
    const first = this.queue[0];
    if (first === undefined || this.#timer !== undefined || this.isHeld) return;
    const ms = Math.max(0, first.dueMs - this.#receiver.world.now);
    this.#timer = this.#receiver.schedule(ms, this.#onDue);
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.arm();
  }

  /** Only the first `count` messages still arrive. */
  cut(count: number): void {
    this.queue.length = Math.min(count, this.queue.length);
    this.lastDueMs = this.queue.at(-1)?.dueMs ?? 0;
    this.hold(false);
  }
}

export class SimChannel {
  readonly #receiver: SimProcess;
  readonly #fast: Lane;
  readonly #slow: Lane;
  /** Large messages, which others may overtake. */
  readonly #overtakable = new Set<Timer>();
  #isStalled = false;
  #isChoked = false;
  #closed = false;

  constructor(receiver: SimProcess) {
    this.#receiver = receiver;
    this.#fast = new Lane(receiver);
    this.#slow = new Lane(receiver);
  }

  /** The first thing that comes over the channel: nothing comes before it. */
  begin(delayMs: number, deliver: () => void): void {
    this.#slow.lastDueMs = this.#receiver.world.now + delayMs;
    this.#fast.send(delayMs, deliver);
  }

  /** Delivers after `delayMs`, but never before what was sent in the same lane earlier. */
  send(lane: LaneName, delayMs: number, deliver: () => void): void {
    if (this.#closed) return;
    (lane === "fast" ? this.#fast : this.#slow).send(delayMs, deliver);
  }

  /** Delivers after what was sent earlier in the slow lane; what is sent later may come first. */
  sendOvertakable(delayMs: number, deliver: () => void): void {
    if (this.#closed) return;
    const ms = Math.max(this.#slow.lastDueMs - this.#receiver.world.now, 0) + delayMs;
    const arrive = (): void => {
      this.#overtakable.delete(timer);
      // Held up with the rest, and behind it then: order is only ever relaxed, never promised.
      if (this.#slow.isHeld) this.send("slow", 0, deliver);
      else if (!this.#closed) deliver();
    };
    const timer = this.#receiver.schedule(ms, arrive);
    this.#overtakable.add(timer);
  }

  stall(isStalled: boolean): void {
    this.#isStalled = isStalled;
    this.#hold();
  }

  choke(isChoked: boolean): void {
    this.#isChoked = isChoked;
    this.#hold();
  }

  /**
   * The link has broken: of what is on its way a part, drawn at random, still arrives; nothing more can be sent. `last`
   * comes behind it.
   */
  breakOff(random: SimRandom, noticeMs: number, last: () => void): void {
    for (const lane of [this.#fast, this.#slow]) lane.cut(lane.isHeld ? 0 : random.whole(0, lane.queue.length));
    for (const timer of this.#overtakable) timer.cancel();
    this.#overtakable.clear();
    this.#slow.lastDueMs = Math.max(this.#fast.lastDueMs, this.#slow.lastDueMs);
    this.#slow.send(noticeMs, last);
    this.#closed = true;
  }

  /** Nothing more arrives. */
  discard(): void {
    this.#closed = true;
    for (const lane of [this.#fast, this.#slow]) lane.cut(0);
    for (const timer of this.#overtakable) timer.cancel();
    this.#overtakable.clear();
  }

  #hold(): void {
    this.#fast.hold(this.#isStalled);
    this.#slow.hold(this.#isStalled || this.#isChoked);
  }
}
