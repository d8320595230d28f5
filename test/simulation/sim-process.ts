/**
 * One simulated process: whatever happens in it is planned here, so that a crash ends it between two events (nothing
 * more is ever delivered to it) and a pause holds everything back. It has a clock of its own, with an offset, and a
 * rate that is a little wrong.
 */

import { assert } from "../../src/base/assert.ts";
import type { Clock, Timer } from "../../src/base/clock.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { SimWorld } from "./sim-world.ts";

export interface SimClockSettings {
  /** How far a clock's rate may be off, as a part of it: 0.02 lets it run at 0.98 to 1.02. */
  readonly maxRateError: number;
  /** How much later than asked a timer may fire. */
  readonly maxTimerDelayMs: number;
}

export const defaultClockSettings: SimClockSettings = { maxRateError: 0.01, maxTimerDelayMs: 1 };

/** The world's own date at its beginning, and how far a host's wall clock may be from it. */
export const worldDateMs = Date.UTC(2030, 0, 1);
const maxWallErrorMs = 3_600_000;
/** Keeps a timer from firing before its time on its own clock by a rounding error. */
const roundingMs = 1e-6;

export class SimProcess implements Clock {
  readonly name: string;
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly #settings: SimClockSettings;
  readonly #rate: number;
  #offsetMs: number;
  #wallOffsetMs: number;
  readonly #crashListeners: (() => void)[] = [];
  #alive = true;
  /** While its host sleeps: what its clock showed when that began. */
  #asleepAt: number | undefined;
  /** What it showed when the last sleep began: by a rounding error it could show a little less when that ends. */
  #sleptAt = Number.NEGATIVE_INFINITY;
  /** What was due while the process is paused; undefined when it is not. */
  #held: { readonly isTimer: boolean; readonly arrive: () => void }[] | undefined;

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
    return this.#asleepAt ?? Math.max(this.#sleptAt, this.#offsetMs + this.world.now * this.#rate);
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.world.now);
  }

  /** Somebody sets the host's wall clock. */
  setWallClock(byMs: number): void {
    this.world.note("wall clock", () => `${this.name} by ${Math.round(byMs)} ms`);
    this.#wallOffsetMs += byMs;
  }

  /** The {@link Clock} port: `ms` of this process's own clock. */
  after(ms: number, callback: () => void): Timer {
    assert(ms >= 0, "a timer is set for a time to come");
    const lateMs = this.random.next() * this.#settings.maxTimerDelayMs + roundingMs;
    const due = this.now() + ms;
    const fire = (): void => {
      // The host has slept meanwhile, and the clock with it.
      if (this.now() < due) timer = this.#schedule((due - this.now()) / this.#rate + roundingMs, fire, true);
      else callback();
    };
    let timer = this.#schedule(Math.max(0, ms) / this.#rate + lateMs, fire, true);
    return { cancel: () => timer.cancel() };
  }

  /** Something that comes to the process from outside, after `ms` of the world's time. */
  schedule(ms: number, callback: () => void): Timer {
    return this.#schedule(ms, callback, false);
  }

  #schedule(ms: number, callback: () => void, isTimer: boolean): Timer {
    const arrive = (): void => {
      // It may be cancelled while the process is paused.
      if (event.callback === undefined || !this.#alive) return;
      if (this.#held !== undefined) this.#held.push({ isTimer, arrive });
      else callback();
    };
    const event = this.world.schedule(ms, arrive);
    return event;
  }

  /**
   * Nothing runs until {@link resume}; time goes on. When it is the whole host that sleeps, its monotonic clock stands
   * still.
   */
  pause(isAsleep = false): void {
    this.world.note("pause", () => `${this.name}${isAsleep ? ", asleep" : ""}`);
    this.#held ??= [];
    if (isAsleep) this.#asleepAt ??= this.now();
  }

  /**
   * What was due meanwhile happens now, each as an event of its own: in order, or timers first, as an event loop does
   * that was stopped while it waited for timers.
   */
  resume(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.world.note("resume", () => this.name);
    this.#held = undefined;
    if (this.#asleepAt !== undefined) {
      this.#offsetMs = this.#asleepAt - this.world.now * this.#rate;
      this.#sleptAt = this.#asleepAt;
    }
    this.#asleepAt = undefined;
    const timersFirst = this.random.chance(0.5);
    const ordered = timersFirst ? held.toSorted((a, b) => Number(b.isTimer) - Number(a.isTimer)) : held;
    for (const { arrive } of ordered) this.world.schedule(0, arrive);
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
