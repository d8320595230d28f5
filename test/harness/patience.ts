/**
 * How long tests wait for what has to come. These are no bounds of weir: they only end a test that would wait for ever.
 * A machine that is busy with other work may take ten times as long as a quiet one.
 */

/**
 * Milliseconds after which a test is taken for hung. Shorter than the minute that tests set where no deadline of weir's
 * is to end a wait.
 */
export const hangMs = 50_000;

/** Shorter, so that a test says what it has waited for. */
const longMs = 40_000;

/** Milliseconds to wait for what takes `usualMs` at most on a quiet machine. With a planted bug it may never come. */
export function patienceMs(usualMs: number): number {
  return process.env["WEIR_TEST_PLANTED"] === undefined ? Math.max(usualMs, longMs) : usualMs;
}
