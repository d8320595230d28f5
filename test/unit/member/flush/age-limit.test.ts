/** How long the store may lack an acknowledged value before writers wait, and what ends that (W26). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { Backlog } from "../../../../src/core/backlog.ts";
import { KeyState } from "../../../../src/core/key-state.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { AgeLimit } from "../../../../src/member/flush/age-limit.ts";
import { flightOf, settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";

const maxAgeMs = 10_000;

function trial(maxMs = maxAgeMs) {
  const clock = new ManualClock();
  const backlog = new Backlog();
  const admission = new Admission({ dirtyBytes: 1e6, refusedBytes: 1e6, waitMs: 500 }, clock);
  const state = { flushedAt: Number.NEGATIVE_INFINITY, probes: 0, refuses: false, refusesRemovals: false };
  const trialOf = async (isRefused: boolean): Promise<void> => {
    state.probes++;
    await turn();
    if (isRefused) throw new OperatingError("store_refused", "credentials");
  };
  const store = {
    write: async () => {
      await trialOf(state.refuses);
      return { kind: "written", tag: "t" } as const;
    },
    /** Of all rights: it needs those to remove, too. */
    probe: async () => {
      await trialOf(state.refuses || state.refusesRemovals);
      return { conditionalWrites: true, conditionalRemoves: true, conditionalCompletions: true, notes: [] };
    },
  };
  const self = memberOf("a");
  const context = {
    membership: memberIn(viewOf(4, [self]), self, { clock }),
    buffer: new WriteBuffer(admission, { append: () => undefined }),
    store,
    clock,
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    settings: settingsOf({ maxDirtyAgeMs: maxMs }),
  };
  const health = {
    get workedAt() {
      return state.flushedAt;
    },
  };
  const limit = new AgeLimit(context, backlog, health);
  const add = (key: string): KeyState => {
    const record = new KeyState(key, clock.now());
    backlog.add(record);
    return record;
  };
  const refuse = (record: KeyState): void =>
    backlog.failed(flightOf(record), new OperatingError("store_refused", "no"));
  /** As a member does, with each round of pings. */
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 200) {
      clock.advance(200);
      limit.check();
      await turn();
      await turn();
    }
  };
  return { backlog, admission, limit, state, add, refuse, pass };
}

describe("a bound on the age of what the store lacks", () => {
  it("has writers wait once the oldest is older, and lets them in the moment that is flushed", async () => {
    const { backlog, admission, limit, add, pass } = trial();
    const record = add("k");
    await pass(9_800);
    assert.equal(admission.tryTake(1), true);
    await pass(400);
    assert.equal(admission.tryTake(1), false);
    const waiting = admission.waitAndTake(1);
    backlog.remove(record);
    limit.check();
    assert.equal(await waiting, true);
  });

  it("keeps out neither replicas nor what is handed over", async () => {
    const { admission, add, pass } = trial();
    add("k");
    await pass(11_000);
    assert.equal(admission.isShut, true);
    assert.equal(admission.tryTakeForReplica(5), true);
    admission.take(5);
    admission.takeForWrite(5);
    assert.equal(admission.usedBytes, 15);
  });

  it("expedites what waits from half of it on", async () => {
    const { limit, add, pass } = trial();
    add("k");
    await pass(4_800);
    assert.equal(limit.isLate(), false);
    await pass(400);
    assert.equal(limit.isLate(), true);
  });

  it("does not stop for a key that is refused while the store takes others", async () => {
    const { admission, state, add, refuse, pass } = trial();
    refuse(add("k"));
    await pass(30_000);
    assert.equal(admission.isShut, false);
    assert.ok(state.probes >= 3 && state.probes < 12, `${state.probes} probes in 30 s`);
  });

  it("does not stop for removals that are refused while the store takes values", async () => {
    const { admission, state, add, refuse, pass } = trial();
    state.refusesRemovals = true;
    refuse(add("k"));
    await pass(30_000);
    assert.equal(admission.isShut, false);
  });

  it("asks the store for no proof while flushes go well", async () => {
    const { admission, state, add, refuse, pass } = trial();
    refuse(add("k"));
    state.flushedAt = 1e9;
    await pass(30_000);
    assert.deepEqual([admission.isShut, state.probes], [false, 0]);
  });

  it("stops where the store refuses everything, and goes on when it takes something again", async () => {
    const { admission, state, add, refuse, pass } = trial();
    state.refuses = true;
    refuse(add("k"));
    await pass(9_800);
    assert.equal(admission.isShut, false);
    await pass(600);
    assert.equal(admission.isShut, true);
    await pass(20_000);
    assert.equal(admission.isShut, true);
    state.refuses = false;
    await pass(2_000);
    assert.equal(admission.isShut, false);
  });

  it("is none when it is 0", async () => {
    const { admission, limit, add, pass } = trial(0);
    add("k");
    await pass(100_000);
    assert.deepEqual([admission.isShut, limit.isLate()], [false, false]);
  });
});
