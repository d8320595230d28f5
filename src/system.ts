/** The real clock and the real chance: the only file that reads them. */

import { randomBytes } from "node:crypto";
import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";

/**
 * `now` is CLOCK_MONOTONIC on Linux: it stands still while the host is suspended, or a virtual machine is paused; `wallMs` goes on, but may be set to
 * anything. So what must not outlast a pause, a lease, ends when either of them says so.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomBytes(16).toString("hex"),
};
