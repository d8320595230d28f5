/**
 * Warnings, each at most once in a while, with a count of those that were held back: a peer that is refused is refused again
 * every few seconds, and callers from outside must not be able to fill the log.
 */

import type { Clock, Instant } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

/** How often what keeps going wrong is logged, in milliseconds, unless there is a reason to choose otherwise. */
export const complaintIntervalMs = 10_000;

/** Complaints that are told apart at a time; further ones are only counted, until the others are old. */
const maxSubjects = 256;

interface Subject {
  readonly since: Instant;
  heldBack: number;
}

export class Complaints {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #subjects = new Map<string, Subject>();

  constructor(log: Log, clock: Clock, intervalMs: number) {
    this.#log = log;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** `subject` tells complaints apart; it must not be chosen freely by a caller from outside. */
  warn(subject: string, message: string, fields: LogFields): void {
    const now = this.#clock.now();
    const last = this.#subjects.get(subject);
    if (last !== undefined && now - last.since < this.#intervalMs) {
      last.heldBack += 1;
      return;
    }
    if (last === undefined && this.#subjects.size >= maxSubjects && !this.#makeRoom(now)) return;
    this.#subjects.delete(subject);
    this.#subjects.set(subject, { since: now, heldBack: 0 });
    this.#log.warn(message, last !== undefined && last.heldBack > 0 ? { ...fields, heldBack: last.heldBack } : fields);
  }

  /** The map is in order of `since`: only its first can be old enough to go. */
  #makeRoom(now: Instant): boolean {
    for (const [subject, { since }] of this.#subjects) {
      if (now - since < this.#intervalMs) return false;
      this.#subjects.delete(subject);
      return true;
    }
    return false;
  }
}
