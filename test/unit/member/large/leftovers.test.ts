/** Uploads that nobody goes on with: who removes them, when, and which (L12). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import { Leftovers } from "../../../../src/member/large/leftovers.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { memberIn, memberOf, nextView, viewOf } from "../../../harness/view-fixtures.ts";
import { SimUploads } from "../../../simulation/sim-uploads.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function trial(self = a) {
  const clock = new ManualClock();
  const uploads = new SimUploads();
  const log = new RecordedLog();
  const view = viewOf(1, [b, a]);
  const membership = memberIn(view, self, { clock });
  const state = { looks: 0, fails: false, refuses: "" };
  const leftovers = new Leftovers({
    membership,
    store: {
      listUploads: async () => {
        state.looks++;
        await turn();
        if (state.fails) throw new OperatingError("store_unavailable", "away");
        return uploads.list();
      },
      abortUpload: async (name, id) => {
        await turn();
        assert.equal(name, "film");
        if (id === state.refuses) throw new OperatingError("store_refused", "locked");
        uploads.delete(id);
      },
    },
    clock,
    log,
    complaints: new Complaints(log, clock, 1_000),
    settings: { large: { leftoverMs: 3 * hourMs } },
  });
  leftovers.start();
  const begin = (): string => uploads.begin("film", { headers: noHeaders, token: "t" }, clock.wallMs());
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turns = 0; turns < 10; turns++) await turn();
  };
  const left = (): string[] => uploads.list().map(({ id }) => id);
  return { begin, pass, left, leftovers, state, log, clock, membership, view };
}

describe("leftovers of uploads", () => {
  it("are removed once they are old enough, and not before: somebody may still be at it", async () => {
    const { begin, pass, left, log } = trial();
    const old = begin();
    await pass(minuteMs);
    assert.deepEqual(left(), [old]);
    await pass(hourMs);
    const young = begin();
    await pass(hourMs);
    assert.deepEqual(left(), [old, young]);
    await pass(hourMs);
    assert.deepEqual(left(), [young]);
    assert.deepEqual(log.messages("info"), ["uploads that nobody went on with were aborted"]);
    await pass(hourMs);
    await pass(hourMs);
    assert.deepEqual(left(), []);
  });

  it("are looked for by the member with the lowest id only, and by the next one when that is gone", async () => {
    const { begin, pass, left, state, membership, view } = trial(b);
    begin();
    for (let hours = 0; hours < 5; hours++) await pass(hourMs);
    assert.deepEqual([state.looks, left().length], [0, 1]);
    membership.adopt(nextView(view, [b]));
    await pass(hourMs);
    assert.deepEqual([state.looks, left().length], [1, 0]);
  });

  it("are looked for again after the store was away, which is said", async () => {
    const { begin, pass, left, state, log } = trial();
    begin();
    state.fails = true;
    await pass(4 * hourMs);
    assert.equal(left().length, 1);
    assert.deepEqual(log.messages("warn"), ["uploads that nobody goes on with cannot be removed from the store"]);
    state.fails = false;
    await pass(hourMs);
    assert.deepEqual(left(), []);
  });

  it("are removed one and all, but for those that the store does not let go, which is said", async () => {
    const { begin, pass, left, state, log } = trial();
    const [first] = [begin(), begin(), begin()];
    state.refuses = first;
    await pass(4 * hourMs);
    assert.deepEqual(left(), [first]);
    assert.deepEqual(log.messages("warn"), ["uploads that nobody goes on with cannot be removed from the store"]);
  });

  it("are nobody's business any more once the member ends", async () => {
    const { begin, pass, left, leftovers, state, clock } = trial();
    begin();
    await pass(minuteMs);
    leftovers.stop();
    await pass(5 * hourMs);
    assert.deepEqual([state.looks, left().length, clock.idle], [1, 1, true]);
  });
});
