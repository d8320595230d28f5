/** A deadline for work that has none of its own, such as a look-up inside a library or a disk that hangs. */

import type { Clock } from "../base/clock.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";

/**
 * Resolves to the result of `work` if it comes within `ms` milliseconds. Does not stop the work.
 *
 * @param giveUp - gets a result that comes later, if it has to be closed
 * @throws OperatingError `store_unavailable` otherwise.
 */
export function inTime<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  giveUp?: (late: T) => Promise<void> | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      reject(lateStore(ms));
      // Nobody hears how a late end fails.
      if (giveUp !== undefined) void work.then(giveUp).catch(() => undefined);
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

/**
 * Runs what comes before a change is sent.
 *
 * @throws OperatingError as the work does; `store_unavailable` then says `neverSent`.
 */
export async function beforeSending<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isOperatingError(error, "store_unavailable")) throw error;
    throw new OperatingError(error.code, error.message, { cause: error.cause, neverSent: true });
  }
}

/** The message rounds, because what is left of a deadline is not a whole number. */
export function lateStore(ms: number): OperatingError {
  return new OperatingError("store_unavailable", `the store did not answer within ${Math.round(ms)} ms`);
}
