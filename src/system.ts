/** The real clock and the real chance. No other file reads them. */

import { randomBytes } from "node:crypto";
import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";
import type { LoopMeter } from "./base/spare-time.ts";

/**
 * The clock of the system:
 *
 * - `now` is CLOCK_MONOTONIC on Linux. It stands still while the host is suspended, or a virtual machine is paused.
 * - `wallMs` goes on, but may be set to anything.
 *
 * A lease must not outlast a pause. So it ends when either of them says so.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, callback) {
    if (ms > 0) {
      const timer = setTimeout(callback, ms);
      return { cancel: () => clearTimeout(timer) };
    }
    // A timer takes a millisecond at least. This is the next turn of the event loop.
    const turn = setImmediate(callback);
    return { cancel: () => clearImmediate(turn) };
  },
};

/** The same, for timers that do not keep the process from ending. */
export const backgroundClock: Clock = {
  ...systemClock,
  after(ms, callback) {
    const timeout = setTimeout(callback, ms).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** The event loop of this thread. What it waits for does not count as busy. */
export const systemLoop: LoopMeter = {
  begin() {
    const mark = performance.eventLoopUtilization();
    return () => performance.eventLoopUtilization(mark).utilization;
  },
};

/**
 * How many files and sockets this process may have open at a time. Infinite when the system sets or tells no limit. The
 * runtime has already raised the limit as far as the process may.
 */
export function openFilesLimit(): number {
  const { userLimits } = process.report.getReport() as { readonly userLimits?: UserLimits };
  const limit = userLimits?.open_files?.soft;
  return typeof limit === "number" ? limit : Number.POSITIVE_INFINITY;
}

/** The limits in the form of the runtime's report. */
interface UserLimits {
  readonly open_files?: { readonly soft: number | "unlimited" };
}

export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomBytes(16).toString("hex"),
};
