/**
 * One simulated process: whatever happens in it is planned here, so that a crash ends it between two events (nothing more is ever
 * delivered to it) and a pause holds everything back. It has a clock of its own, with an offset, and a rate that is a little wrong.
 */

import type { Clock, Timer } from "../../src/base/clock.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimWorld } from "./sim-world.ts";

export interface SimClockSettings {
  /** How far a clock's rate may be off, as a part of it: 0.02 lets it run at 0.98 to 1.02. */
  readonly maxRateError: number;
  /** How much later than asked a timer may fire. */
  readonly maxTimerDelayMs: number;
}

export const defaultClockSettings: SimClockSettings = { maxRateError: 0.01, maxTimerDelayMs: 1 };

/** The world's own date at its beginning, and how far a host's wall clock may be from it. */
const worldDateMs = Date.UTC(2030, 0, 1);
const maxWallErrorMs = 3_600_000;
/** Keeps a timer from firing before its time on its own clock by a rounding error. */
const roundingMs = 1e-6;

export class SimProcess implements Clock {
  readonly name: string;
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly #settings: SimClockSettings;
  readonly #rate: number;
  readonly #offsetMs: number;
  readonly #wallOffsetMs: number;
  readonly #crashListeners: (() => void)[] = [];
  #alive = true;
  /** What was due while the process is paused; undefined when it is not. */
  #held: (() => void)[] | undefined;

  /** `name` must be unique in its world, because a process draws from the stream of its name. */
  constructor(world: SimWorld, name: string, settings: SimClockSettings) {
    this.name = name;
    this.world = world;
    this.#settings = settings;
    this.random = world.random(`process ${name}`);
    this.#rate = 1 + this.random.between(-settings.maxRateError, settings.maxRateError);
    this.#offsetMs = this.random.between(0, 1e6);
    this.#wallOffsetMs = worldDateMs + this.random.between(-maxWallErrorMs, maxWallErrorMs);
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  now(): number {
    return this.#offsetMs + this.world.now * this.#rate;
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.world.now);
  }

  /** The {@link Clock} port: `ms` of this process's own clock. */
  after(ms: number, callback: () => void): Timer {
    const lateMs = this.random.next() * this.#settings.maxTimerDelayMs + roundingMs;
    return this.schedule(Math.max(0, ms) / this.#rate + lateMs, callback);
  }

  /** Something that comes to the process from outside, after `ms` of the world's time. */
  schedule(ms: number, callback: () => void): Timer {
    let cancelled = false;
    const arrive = (): void => {
      if (cancelled || !this.#alive) return;
      if (this.#held !== undefined) this.#held.push(arrive);
      else callback();
    };
    const timer = this.world.schedule(ms, arrive);
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** Nothing runs until {@link resume}; time goes on. */
  pause(): void {
    this.world.note("pause", () => this.name);
    this.#held ??= [];
  }

  /** What was due meanwhile happens now, in order, each as an event of its own. */
  resume(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.world.note("resume", () => this.name);
    this.#held = undefined;
    for (const arrive of held) this.world.schedule(0, arrive);
  }

  onCrash(listener: () => void): void {
    this.#crashListeners.push(listener);
  }

  /** The process is gone, with its memory. What it sent may still arrive. */
  crash(): void {
    if (!this.#alive) return;
    this.world.note("crash", () => this.name);
    this.#alive = false;
    this.#held = undefined;
    for (const listener of this.#crashListeners) listener();
  }
}
