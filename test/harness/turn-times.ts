/** How long work keeps the event loop: while it does, a node answers no ping. */

import assert from "node:assert/strict";

/**
 * Asserts that no turn takes 5 ms while `work` is done. One try in twenty is enough: the first ones compile, and some
 * collect the garbage of those before.
 */
export async function assertShortTurns(work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const time = await longestTurn(work);
    if (time < 5) return;
    times.push(time);
  }
  assert.fail(`${times.map((time) => time.toFixed(1)).join(", ")} ms`);
}

/** The processor time of the longest turn of the event loop while `work` is done, in milliseconds. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = processorMs();
  let isOver = false;
  const look = (): void => {
    const now = processorMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await work();
  await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  return longest;
}

/** What this thread has used. Other programs on the host add nothing to it. */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
