/** The deadline of work that has none of its own: a look-up inside a library, a disk that hangs. */

import type { Clock } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";

/**
 * What `work` comes to, if it does within `ms` milliseconds. The work itself is not stopped.
 *
 * @throws OperatingError `store_unavailable` otherwise.
 */
export function inTime<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      reject(lateStore(ms));
    });
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as Error);
      },
    );
  });
}

/** What is left of a deadline is no whole number. */
export function lateStore(ms: number): OperatingError {
  return new OperatingError("store_unavailable", `the store did not answer within ${Math.round(ms)} ms`);
}
