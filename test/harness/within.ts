/** Waiting for what may never come, in tests that must fail then and not hang. */

import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";

/** What the work resolves with; "nothing" if it does not within the time. Leaves no timer behind. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T | "nothing"> {
  const isOver = new AbortController();
  const late = sleep(systemClock, ms, isOver.signal).then(
    () => "nothing" as const,
    () => "nothing" as const,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    isOver.abort();
  }
}
