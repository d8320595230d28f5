/**
 * The last minutes of the cluster as one node has seen them: the figures of each member at regular times, and what
 * changed, in words. It is kept in memory only.
 */

import type { Clock, Instant, Timer } from "../base/clock.ts";
import type { ClusterStatus } from "../core/status.ts";
import { changesBetween } from "./changes.ts";

/** Milliseconds between two looks. What comes and goes in between is not seen. */
const lookMs = 500;
/** Milliseconds between two looks whose figures are kept. */
export const sampleMs = 2_000;
/** How many samples are kept: those of five minutes. */
export const maxSamples = 150;
/** How many changes are kept. */
const maxChanges = 50;

/** The figures of a member that are drawn. */
export interface MemberSample {
  readonly dirtyBytes: number;
  readonly oldestDirtyMs: number;
}

export interface Sample {
  readonly at: Instant;
  /** By id. Only members that were reached are in it. */
  readonly members: ReadonlyMap<string, MemberSample>;
}

export interface Change {
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly text: string;
}

export class History implements Disposable {
  readonly #clock: Clock;
  readonly #status: () => ClusterStatus;
  readonly #samples: Sample[] = [];
  readonly #changes: Change[] = [];
  #latest: ClusterStatus | undefined;
  #looks = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, status: () => ClusterStatus) {
    this.#clock = clock;
    this.#status = status;
    this.#look();
  }

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** The latest first. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = this.#clock.after(lookMs, () => this.#look());
    const status = this.#status();
    if (this.#looks++ % (sampleMs / lookMs) === 0) this.#sample(status);
    const wallMs = this.#clock.wallMs();
    const texts = this.#latest ? changesBetween(this.#latest, status) : [];
    this.#latest = status;
    if (texts.length === 0) return;
    this.#changes.unshift(...texts.map((text) => ({ wallMs, text })).toReversed());
    this.#changes.splice(maxChanges);
  }

  #sample(status: ClusterStatus): void {
    const reached = status.members.filter(({ state }) => state !== "unreachable");
    this.#samples.push({
      at: this.#clock.now(),
      members: new Map(reached.map(({ id, dirtyBytes, oldestDirtyMs }) => [id, { dirtyBytes, oldestDirtyMs }])),
    });
    if (this.#samples.length > maxSamples) this.#samples.shift();
  }
}
