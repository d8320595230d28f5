/**
 * Warnings, each at most once in an interval, with a count of those held back. A peer that is refused is refused again
 * every few seconds. Callers from outside must not be able to fill the log.
 */

import type { Clock, Instant } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

/** The usual time between two log lines about the same trouble, in milliseconds. */
export const complaintIntervalMs = 10_000;

/**
 * How many complaints are told apart at a time. More than these are dropped until one of them is older than the
 * interval.
 */
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

  /**
   * Logs the warning, or only counts it. `subject` tells complaints apart; a caller from outside must not choose it
   * freely.
   */
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

  /** The map is in order of `since`, so only its first subject can be old enough to go. */
  #makeRoom(now: Instant): boolean {
    for (const [subject, { since }] of this.#subjects) {
      if (now - since < this.#intervalMs) return false;
      this.#subjects.delete(subject);
      return true;
    }
    return false;
  }
}
