/**
 * How long a client may keep a stream waiting. It may be silent for a while, but what it saves up by that is bounded:
 * over time it must move its bytes at a least rate. Else it would hold its place for as long as it likes with a byte
 * now and then.
 */

import { assert } from "../../base/assert.ts";

export interface PatienceSettings {
  /** A client may be silent for so long at once, in milliseconds. */
  readonly bodyIdleMs: number;
  readonly leastBytesPerSecond: number;
}

export class Patience {
  readonly #settings: PatienceSettings;
  #leftMs: number;

  constructor(settings: PatienceSettings) {
    this.#settings = settings;
    this.#leftMs = settings.bodyIdleMs;
  }

  /** For so long the client may be waited for now. */
  get leftMs(): number {
    return this.#leftMs;
  }

  /** The client was waited for so long, and has moved so many bytes then. */
  moved(bytes: number, waitedMs: number): void {
    assert(bytes >= 0 && waitedMs >= 0, "neither bytes nor time go back");
    const { bodyIdleMs, leastBytesPerSecond } = this.#settings;
    const earnedMs = (bytes * 1_000) / leastBytesPerSecond;
    this.#leftMs = Math.min(bodyIdleMs, Math.max(0, this.#leftMs - waitedMs) + earnedMs);
  }
}
