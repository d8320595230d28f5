/**
 * Work over very many items, a slice at a time. While the event loop is busy no ping is answered, and the peers take
 * this member for lost. So a slice ends after a few milliseconds. Then whatever has come meanwhile has its turn.
 *
 * What fits into one slice is done at once, before `over` returns. Between two slices anything may happen: items come
 * and go, and another view is adopted. Each user says what that means for it.
 */

import { assert } from "./assert.ts";
import { type Clock, type Instant, sleep } from "./clock.ts";

export interface SliceSettings {
  /** Items in a slice, at most. */
  readonly items: number;
  /** Milliseconds between two slices. 0: one turn of the event loop. */
  readonly pauseMs: number;
}

/** A slice ends after so many milliseconds, whatever is left. */
const sliceMs = 4;
/** Items between two looks at the clock. */
const itemsPerLook = 16;

/** One job, from its first slice to its last. */
interface Job {
  /** Goes on while there is room in the slice; says whether it has ended. */
  readonly goOn: () => boolean;
}

/** All slices of one member: one slice in a turn of the event loop, however many jobs there are. */
export class Slices {
  readonly #clock: Clock;
  readonly #settings: SliceSettings;
  /** Jobs that wait for their next slice, in the order of their turns. */
  readonly #waiting: Job[] = [];
  #isSet = false;
  /** Whether a slice has begun in this turn. Then `#left` and `#endsAt` count. */
  #isOpen = false;
  #left = 0;
  #endsAt: Instant = 0;

  constructor(clock: Clock, settings: SliceSettings) {
    assert(settings.items >= 1, "a slice has an item");
    this.#clock = clock;
    this.#settings = settings;
  }

  /** For one job after the other. */
  lane(): Lane {
    return new Lane(this);
  }

  /** For {@link Lane}: begins at once, unless others wait for their turns. */
  begin(job: Job): void {
    if (this.#isOpen) this.#run(job);
    else if (this.#waiting.length > 0) this.#wait(job);
    else this.#slice(job);
  }

  /** For {@link Lane}: the job has no further slice. */
  end(job: Job): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** For {@link Lane}: takes room for one item; false when the slice is over. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    if (this.#left % itemsPerLook === 0 && this.#clock.now() >= this.#endsAt) this.#left = 0;
    return true;
  }

  #slice(job: Job): void {
    this.#isOpen = true;
    this.#left = this.#settings.items;
    this.#endsAt = this.#clock.now() + sliceMs;
    try {
      this.#run(job);
    } finally {
      this.#isOpen = false;
    }
  }

  #run(job: Job): void {
    if (!job.goOn()) this.#wait(job);
  }

  #wait(job: Job): void {
    this.#waiting.push(job);
    this.#set();
  }

  /** Each slice has a turn of its own. */
  #set(): void {
    if (this.#isSet || this.#waiting.length === 0) return;
    this.#isSet = true;
    this.#clock.after(this.#settings.pauseMs, () => {
      this.#isSet = false;
      const next = this.#waiting.shift();
      if (next) this.#slice(next);
      this.#set();
    });
  }
}

/** One job at a time: the next one ends the one before. */
export class Lane {
  readonly #slices: Slices;
  #job: Job | undefined;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Whether a job is under way. */
  get isBusy(): boolean {
    return this.#job !== undefined;
  }

  /**
   * Visits each item, and calls `onDone` after the last. `items` must bear what happens between two slices, as a Map or
   * a Set does: what comes meanwhile is visited, and what goes is not.
   */
  over<T>(items: Iterable<T>, visit: (item: T) => void, onDone: () => void): void {
    this.stop();
    const slices = this.#slices;
    const iterator = items[Symbol.iterator]();
    const job: Job = {
      goOn: () => {
        while (job === this.#job) {
          if (!slices.take()) return false;
          const next = iterator.next();
          if (next.done === true) {
            this.#job = undefined;
            onDone();
            return true;
          }
          visit(next.value);
        }
        return true;
      },
    };
    this.#job = job;
    slices.begin(job);
  }

  /** Ends the job under way; its `onDone` is not called. */
  stop(): void {
    const job = this.#job;
    this.#job = undefined;
    if (job) this.#slices.end(job);
  }
}

/** The same for a loop that may wait: `if (breaks.isDue()) await breaks.take();` after each item. */
export class Breaks {
  readonly #clock: Clock;
  #items = 0;
  #endsAt: Instant;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endsAt = clock.now() + sliceMs;
  }

  /** A turn of the event loop has begun anyway. */
  restart(): void {
    this.#endsAt = this.#clock.now() + sliceMs;
  }

  /** Whether the slice has taken its time. */
  isDue(): boolean {
    return ++this.#items % itemsPerLook === 0 && this.#clock.now() >= this.#endsAt;
  }

  /** Resolves in the next turn of the event loop. */
  async take(): Promise<void> {
    await sleep(this.#clock, 0);
    this.restart();
  }
}
