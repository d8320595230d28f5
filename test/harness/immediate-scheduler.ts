/**
 * The scheduler of simulated parts where there is no virtual time: what is planned happens in the next turn of the
 * event loop.
 */

import type { Scheduler } from "../simulation/sim-store.ts";

export const immediateScheduler: Scheduler = {
  schedule(_ms, callback) {
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  },
};
