/**
 * When a peer is dialled: at once, then after waits that double up to a limit, and never while there is a link or an
 * attempt.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Dialler, type DialOutcome } from "../../../src/network/dialler.ts";
import { defaultLinkSettings } from "../../../src/network/link-settings.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const settings = { ...defaultLinkSettings, redialMinMs: 50, redialMaxMs: 400, steadyMs: 1000 };

function setUp(): {
  clock: ManualClock;
  dialler: Dialler;
  attempts: { atMs: number; signal: AbortSignal; end: (outcome: DialOutcome) => Promise<void> }[];
} {
  const clock = new ManualClock();
  const attempts: ReturnType<typeof setUp>["attempts"] = [];
  const dialler = new Dialler({
    settings,
    clock,
    random: new SimRandom(1),
    attempt: (signal) => {
      const { promise, resolve } = Promise.withResolvers<DialOutcome>();
      const end = async (outcome: DialOutcome): Promise<void> => {
        resolve(outcome);
        await nextTurn();
      };
      attempts.push({ atMs: clock.now(), signal, end });
      return promise;
    },
  });
  return { clock, dialler, attempts };
}

test("dialler: it tries at once, then after waits that double up to the limit", async () => {
  const { clock, dialler, attempts } = setUp();
  dialler.begin();
  const leftMs = new Set<number>();
  for (const fullMs of [50, 100, 200, 400, 400, 400]) {
    const attempt = attempts.at(-1);
    const count = attempts.length;
    await attempt?.end("failed");
    clock.advance(fullMs / 2 - 1);
    assert.equal(dialler.isPersistent, fullMs === 400);
    assert.equal(attempts.length, count, "half of the wait is certain");
    clock.advance(fullMs / 2 + 1);
    assert.equal(attempts.length, count + 1);
    leftMs.add(clock.now() - (attempts.at(-1)?.atMs ?? 0));
  }
  assert.ok(leftMs.size > 4, "the other half is left to chance");
});

test("dialler: what only an operator can mend is tried again after the longest wait", async () => {
  const { clock, dialler, attempts } = setUp();
  dialler.begin();
  await attempts[0]?.end("hopeless");
  assert.equal(dialler.isPersistent, true);
  clock.advance(199);
  assert.equal(attempts.length, 1);
  clock.advance(201);
  assert.equal(attempts.length, 2);
});

test("dialler: a link made by the peer ends the attempt under way, and what comes of it counts no more", async () => {
  const { clock, dialler, attempts } = setUp();
  dialler.begin();
  assert.equal(dialler.tryingSince(10), true);
  clock.advance(10);
  assert.equal(dialler.tryingSince(10), false);
  dialler.linked();
  assert.equal(attempts[0]?.signal.aborted, true);
  await attempts[0]?.end("failed");
  clock.advance(10_000);
  assert.equal(attempts.length, 1);
  assert.equal(clock.idle, true);
});

test("dialler: after a link that lasted it tries at once, after one that did not it waits on", async () => {
  const { clock, dialler, attempts } = setUp();
  dialler.begin();
  dialler.linked();
  clock.advance(999);
  dialler.begin();
  assert.equal(attempts.length, 1);
  clock.advance(50);
  assert.equal(attempts.length, 2);
  dialler.linked();
  clock.advance(1000);
  dialler.begin();
  assert.equal(attempts.length, 3);
});

test("dialler: it begins once however often it is told, stops when told, and starts afresh after a reset", async () => {
  const { clock, dialler, attempts } = setUp();
  dialler.begin();
  dialler.begin();
  assert.equal(attempts.length, 1);
  await attempts[0]?.end("failed");
  dialler.begin();
  dialler.stop();
  clock.advance(1000);
  assert.equal(attempts.length, 1);
  dialler.reset();
  dialler.begin();
  assert.equal(attempts.length, 2);
});
