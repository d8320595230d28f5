/**
 * The simulated world: its time and its event loop. Nothing in it happens but by an event, events are ordered by
 * virtual time, and after each one all promise reactions run to the end before the next; so a seed decides everything,
 * and hours pass in seconds.
 *
 * How one event is told from the next: each event's callback runs in a callback of `setImmediate` of its own. Before
 * the next one the runtime empties the microtask queue, however long the chain of `await`s is (a fixed number of
 * `await null` proves nothing), and reports rejections that nobody handled, exactly as after a real socket or timer
 * event. Going on by `process.nextTick` from within a microtask also proves that the queue is empty, but it lets a
 * rejection be handled some events late, which would end a real process.
 */

import { inspect } from "node:util";
import { assert } from "../../src/base/assert.ts";
import type { Timer } from "../../src/base/clock.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { type Event, EventQueue } from "./event-queue.ts";
import { SimTrace } from "./sim-trace.ts";

export interface SimWorldOptions {
  readonly seed: number;
  /** Gets each line of the trace; without it no text is made. */
  readonly print?: (line: string) => void;
}

/**
 * Events after which a run is taken to be stuck in a loop that takes no virtual time: far above what the longest
 * scenario needs.
 */
const maxEvents = 5_000_000;

/** Somebody looks at the world at an interval. */
interface Look {
  readonly everyMs: number;
  readonly look: () => void;
  dueMs: number;
  /** Its place among what is due at one instant. */
  number: number;
}

const noLook: Look = { everyMs: 0, look: () => undefined, dueMs: Number.POSITIVE_INFINITY, number: 0 };

/** Events that are run in one turn of the real event loop, which costs a system call. */
const turnsPerRound = 64;

export class SimWorld {
  readonly seed: number;
  readonly trace: SimTrace;
  readonly #random: SimRandom;
  readonly #queue = new EventQueue();
  readonly #looks = new Set<Look>();
  #now = 0;
  #events = 0;
  #running = false;
  #failure: Error | undefined;

  constructor(options: SimWorldOptions) {
    this.seed = options.seed;
    this.#random = new SimRandom(options.seed);
    this.trace = new SimTrace(options.print);
  }

  /** Virtual milliseconds since the world began; the true time that no process can see. */
  get now(): number {
    return this.#now;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** The stream of chance for one part of the world. */
  random(label: string): SimRandom {
    return this.#random.fork(label);
  }

  /** Plans an event of the world itself; what happens to a process is planned by {@link SimProcess}. */
  schedule(ms: number, callback: () => void): Event {
    assert(ms >= 0, "nothing happens in the past");
    return this.#queue.add(this.#now + ms, callback);
  }

  /**
   * Looks at the world at an interval, first after `everyMs`. A look is no event: it plans nothing, and nothing in the
   * world waits for it. So it costs no turn of the event loop.
   */
  lookEvery(everyMs: number, look: () => void): Timer {
    assert(everyMs > 0, "time passes between two looks");
    const planned = { everyMs, look, dueMs: this.#now + everyMs, number: this.#queue.nextNumber() };
    this.#looks.add(planned);
    return { cancel: () => this.#looks.delete(planned) };
  }

  note(kind: string, detail: () => string): void {
    this.trace.add(this.#now, kind, detail);
  }

  /** Ends the run: something happened that must not. The first failure counts, later ones follow from it. */
  fail(failure: unknown): void {
    const error = failure instanceof Error ? failure : new Error(String(failure));
    this.note("failure", () => inspect(error));
    this.#failure ??= error;
  }

  /**
   * Lets the world go on until `untilMs`, or until `condition` holds after an event or a look.
   *
   * @returns whether the condition came to hold; true without one.
   * @throws the failure, if anything called {@link fail}, threw, or left a rejection unhandled.
   */
  async run(untilMs: number, condition?: () => boolean): Promise<boolean> {
    assert(!this.#running, "a world runs once at a time");
    assert(untilMs >= this.#now, "time goes forward");
    const onRejection = (reason: unknown): void => this.fail(reason);
    process.on("unhandledRejection", onRejection);
    this.#running = true;
    try {
      return await new Promise<boolean>((resolve, reject) => {
        let isOver = false;
        const end = (settle: () => void): void => {
          isOver = true;
          settle();
        };
        const isMet = (): boolean => this.#failure !== undefined || condition?.() === true;
        const turn = (): void => {
          if (isOver) return;
          this.#look(untilMs, isMet);
          if (this.#failure !== undefined) end(() => reject(this.#failure));
          else if (condition?.() === true) end(() => resolve(true));
          else if (this.#queue.nextMs() > untilMs) {
            this.#now = untilMs;
            end(() => resolve(condition === undefined));
          } else this.#runOne();
        };
        const round = (): void => {
          if (isOver) return;
          for (let turns = 0; turns < turnsPerRound; turns++) setImmediate(turn);
          setImmediate(round);
        };
        round();
      });
    } finally {
      this.#running = false;
      process.off("unhandledRejection", onRejection);
    }
  }

  /** The looks that come before the next event, but none after one that has found what ends the run. */
  #look(untilMs: number, isOver: () => boolean): void {
    for (;;) {
      const next = this.#nextLook();
      if (next.dueMs > untilMs || !this.#queue.isAfter(next.dueMs, next.number) || isOver()) return;
      this.#now = next.dueMs;
      next.dueMs += next.everyMs;
      next.number = this.#queue.nextNumber();
      this.#call(next.look);
    }
  }

  #nextLook(): Look {
    let next = noLook;
    for (const each of this.#looks) if (each.dueMs < next.dueMs) next = each;
    return next;
  }

  #runOne(): void {
    const event = this.#queue.take();
    assert(event?.callback !== undefined && event.atMs >= this.#now, "the queue is ordered");
    this.#now = event.atMs;
    if (++this.#events > maxEvents) {
      this.fail(new Error(`the run is stuck at ${this.#now} ms: more than ${maxEvents} events`));
      return;
    }
    this.#call(event.callback);
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.fail(error);
    }
  }
}
