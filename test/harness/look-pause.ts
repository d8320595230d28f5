/**
 * How long a test pauses between two looks at what it waits for: a twentieth of the wait so far. Looks at nodes take
 * processor time, which all tests share.
 */

const leastMs = 20;
const mostMs = 100;

export function lookPauseMs(waitedMs: number): number {
  return Math.min(mostMs, Math.max(leastMs, waitedMs / 20));
}
