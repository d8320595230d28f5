/**
 * The failure detector: which peers are silent. A peer is heard while it answers pings, there and back. A peer that has
 * not been heard for D is *suspected*. A peer that answers pings and does not do its work (replicating to it takes too
 * long) counts as silent for a while, too.
 *
 * Silence is counted in ticks of this process. A process that was paused has heard nobody meanwhile, which says nothing
 * about its peers. Silence of most peers says nothing about them either: then this member is cut off. When it hears one
 * of the silent peers again, it counts anew for all of them.
 */

import { assert } from "../base/assert.ts";

export interface FailureDetectorSettings {
  /** D: a peer that is silent for this long is suspected, in milliseconds. */
  readonly suspectMs: number;
  /** Time between two ticks, in milliseconds. */
  readonly tickMs: number;
}

/** A peer that has answered within this many ticks is certainly there. */
const freshTicks = 2;
/** How much of the time between two ticks counts as silence, in ticks. The rest is this process's own pause. */
const maxTicksCounted = 2;

/**
 * Part of D: when most peers have been silent for longer, this member takes itself to be cut off. It is less than D
 * because after a cut it hears some peers later than others.
 */
const cutOffShare = 0.5;

interface Watched {
  silentMs: number;
  /** For this long it counts as silent, whatever it answers. */
  stuckMs: number;
  /** Whether it has ever answered. A new peer is not silent yet, and nobody knows whether it can be reached. */
  wasHeard: boolean;
}

export class FailureDetector {
  readonly #settings: FailureDetectorSettings;
  readonly #cutOffMs: number;
  readonly #watched = new Map<string, Watched>();
  /** Whether less than half of all members, this one included, have been heard lately. */
  #isCutOff = false;

  constructor(settings: FailureDetectorSettings) {
    assert(settings.suspectMs > settings.tickMs, "silence is longer than a tick");
    this.#settings = settings;
    // A tick that is late does not look like a cut: however late, all peers that answer are heard in between.
    this.#cutOffMs = Math.max(settings.suspectMs * cutOffShare, maxTicksCounted * settings.tickMs);
  }

  /** Sets which processes to watch from now on, each by a name of its own. New ones are not silent yet. */
  watch(names: Iterable<string>): void {
    const wanted = new Set(names);
    for (const name of this.#watched.keys()) if (!wanted.has(name)) this.#watched.delete(name);
    for (const name of wanted) {
      if (!this.#watched.has(name)) this.#watched.set(name, { silentMs: 0, stuckMs: 0, wasHeard: false });
    }
  }

  /** The peer has answered a ping (V19). */
  heard(name: string): void {
    const watched = this.#watched.get(name);
    if (!watched) return;
    // One that was heard all the time says nothing of the others: they may be gone.
    if (this.#isCutOff && watched.silentMs > this.#cutOffMs) {
      for (const each of this.#watched.values()) each.silentMs = 0;
      this.#isCutOff = false;
    }
    watched.silentMs = 0;
    watched.wasHeard = true;
  }

  /**
   * The peer does not do its work. It is suspected from now on, for as long as it would take to notice its silence
   * again (V20).
   */
  stuck(name: string): void {
    const watched = this.#watched.get(name);
    if (watched) watched.stuckMs = 2 * this.#settings.suspectMs;
  }

  /** Call it each `tickMs`. `elapsedMs` have passed since the last call. */
  tick(elapsedMs: number): void {
    const countedMs = Math.min(elapsedMs, maxTicksCounted * this.#settings.tickMs);
    for (const watched of this.#watched.values()) {
      watched.silentMs += countedMs;
      watched.stuckMs = Math.max(0, watched.stuckMs - countedMs);
    }
    let heard = 1;
    for (const { silentMs, stuckMs } of this.#watched.values()) {
      if (stuckMs === 0 && silentMs <= this.#cutOffMs) heard++;
    }
    this.#isCutOff = 2 * heard < this.#watched.size + 1;
  }

  /** Whether it has answered just now. That is more than not being suspected yet (V18). */
  isFresh(name: string): boolean {
    const watched = this.#watched.get(name);
    if (!watched?.wasHeard || watched.stuckMs > 0) return false;
    return watched.silentMs <= freshTicks * this.#settings.tickMs;
  }

  /** Silent for D, or not doing its work (V16). */
  suspects(name: string): boolean {
    const watched = this.#watched.get(name);
    return watched !== undefined && (watched.silentMs >= this.#settings.suspectMs || watched.stuckMs > 0);
  }
}
