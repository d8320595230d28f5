/** What a host counts, over all members that it has been: plain numbers, which `metrics/` reads to expose them. */

import type { ErrorCode } from "../base/errors.ts";
import { delayBounds, Histogram, latencyBounds } from "../base/histogram.ts";

export class MemberMetrics {
  /** Reads answered as the key's primary, by where the state was. */
  readonly reads = { buffer: 0, cache: 0, store: 0 };
  /** From a write's assignment at its primary until it was visible, in seconds: every owner had it by then. */
  readonly commit = new Histogram(latencyBounds);
  /** Writes that got no room: the buffer was full, a value in it too old, or the store refuses too much (W28). */
  readonly refusals = { full: 0, age: 0, refused: 0 };
  /** From the moment at which a key got a state that the store lacked, until the store had one as new, in seconds. */
  readonly flushLag = new Histogram(delayBounds);
  /** Attempts to flush: all that began, and those that repeated one that had failed. */
  readonly flushes = { begun: 0, repeated: 0 };
  /** Attempts to flush that failed, by what the error says. */
  readonly flushFailures = new Map<ErrorCode, number>();
  /** Views adopted, and members that this one has dropped. */
  readonly views = { adopted: 0, dropped: 0 };

  flushFailed(code: ErrorCode): void {
    this.flushFailures.set(code, (this.flushFailures.get(code) ?? 0) + 1);
  }
}
