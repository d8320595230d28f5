/**
 * Time as a port. Only `system.ts` reads a real clock. Everything else is given a clock, so that a whole cluster can
 * run under a simulated one.
 */

/**
 * Milliseconds on a monotonic clock. It may stand still while the host is suspended. Two instants are comparable within
 * one process only.
 */
export type Instant = number;

export interface Timer {
  /** After this the callback does not run. Calling it again, or after the callback ran, does nothing. */
  cancel(): void;
}

export interface Clock {
  now(): Instant;
  /**
   * Milliseconds since 1970 by the host's wall clock, which may jump. It is for people (`Last-Modified`), and to notice
   * that the host was suspended. It must never decide that something may go on for longer.
   */
  wallMs(): number;
  /** Runs the callback once, after at least `ms` milliseconds. */
  after(ms: number, callback: () => void): Timer;
}

/** Resolves after `ms`. Rejects with the signal's reason, at once, when `signal` is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves when the work does, or after `ms`; rejects if the work rejects before that. */
export async function endOrTimeout(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  try {
    await Promise.race([work, late]);
  } finally {
    timer.cancel();
  }
}
