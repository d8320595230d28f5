/** The real clock and the real chance: the only file that reads them. */

import { randomBytes } from "node:crypto";
import type { Clock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";

/** CLOCK_MONOTONIC on Linux: it stands still while a host is suspended, which leases will have to mind. */
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
