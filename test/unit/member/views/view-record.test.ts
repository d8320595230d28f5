/**
 * The view's record: a swap wins or it does not, and what its answer leaves open is settled by reading back (V1, V2).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import type { View } from "../../../../src/core/view.ts";
import { joinedView } from "../../../../src/core/view-changes.ts";
import { type StoredView, ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { type Ending, ViewStore } from "../../../harness/view-store.ts";

const view: View = { ...viewOf(4, [memberOf("a")]), settled: true };
const next = joinedView(view, memberOf("b"), "p");
const other = joinedView(view, memberOf("c"), "q");
const { signal } = new AbortController();

function trialOf(stored?: View): {
  readonly clock: ManualClock;
  readonly store: ViewStore;
  readonly record: ViewRecord;
} {
  const clock = new ManualClock();
  const store = new ViewStore(stored);
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  return { clock, store, record: new ViewRecord({ store, clock, random: new SimRandom(1), complaints }) };
}

describe("ViewRecord.read", () => {
  it("gives the view, or nothing when there is none", async () => {
    assert.deepEqual((await trialOf(view).record.read())?.view, view);
    assert.equal(await trialOf().record.read(), undefined);
  });

  it("reads a record anew that has changed since, and only then", async () => {
    const { store, record } = trialOf(view);
    const first = await record.read();
    assert.equal((await record.read())?.view, first?.view);
    store.view = next;
    assert.deepEqual((await record.read())?.view, next);
    store.bytes = Buffer.from("{}");
    await assert.rejects(record.read(), (error) => isOperatingError(error, "store_refused"));
    await assert.rejects(record.read(), (error) => isOperatingError(error, "store_refused"));
  });

  it("refuses what is not a view", async () => {
    const { store, record } = trialOf();
    store.bytes = Buffer.from("{}");
    await assert.rejects(record.read(), (error) => isOperatingError(error, "store_refused"));
  });

  it("goes on, patiently, while the store is away, and no longer than that", async () => {
    const { clock, store, record } = trialOf(view);
    store.readEndings.push("not_done", "not_done");
    const read = record.readPatiently(signal);
    for (let time = 0; time < 2; time++) {
      await turn();
      clock.advance(400);
    }
    assert.deepEqual((await read)?.view, view);
    store.readEndings.push("refused");
    await assert.rejects(record.readPatiently(signal), (error) => isOperatingError(error, "store_refused"));
  });

  it("bears a refusal, too, where that was asked for", async () => {
    const { clock, store, record } = trialOf(view);
    store.readEndings.push("refused");
    const read = record.readPatiently(signal, "store_refused");
    await turn();
    clock.advance(400);
    assert.deepEqual((await read)?.view, view);
  });

  it("ends its patience with the signal, and for its reason", async () => {
    const { store, record } = trialOf(view);
    store.readEndings.push("not_done");
    const abort = new AbortController();
    const read = record.readPatiently(abort.signal);
    await turn();
    const reason = new OperatingError("shutting_down", "enough");
    abort.abort(reason);
    await assert.rejects(read, reason);
  });
});

describe("ViewRecord.swap", () => {
  /** Whether a swap of `next` won that ended so; meanwhile the record may have become another. */
  async function swap(ending: Ending, meanwhile?: View): Promise<boolean> {
    const { store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.writeEndings.push(ending);
    if (meanwhile) {
      store.onWritten = () => {
        store.view = meanwhile;
      };
    }
    return await record.swap(read, next, signal);
  }

  it("wins on the record that was read", async () => {
    const { store, record } = trialOf(view);
    assert.equal(await record.swap(await record.read(), next, signal), true);
    assert.deepEqual(store.view, next);
  });

  it("loses when the record has changed, or was made, meanwhile", async () => {
    const { store, record } = trialOf(view);
    const read = await record.read();
    store.view = other;
    assert.equal(await record.swap(read, next, signal), false);
    const founded = trialOf(view);
    assert.equal(await founded.record.swap(undefined, next, signal), false);
    assert.deepEqual([store.view, founded.store.view], [other, view]);
  });

  it("whose answer was lost has won if the record is the very one that was proposed", async () => {
    assert.equal(await swap("done_unsaid"), true);
    assert.equal(await swap("not_done"), false);
  });

  it("whose answer was lost has not won when another, of the same epoch or a later one, is there", async () => {
    assert.equal(await swap("done_unsaid", { ...next, proposal: "another's" }), false);
    assert.equal(await swap("done_unsaid", joinedView(next, memberOf("d"), "r")), false);
  });

  it("reads back for as long as that takes", async () => {
    const { clock, store, record } = trialOf(view);
    const read = await record.read();
    store.writeEndings.push("done_unsaid");
    store.readEndings.push("not_done", "not_done");
    const won = record.swap(read, next, signal);
    for (let time = 0; time < 2; time++) {
      await turn();
      clock.advance(400);
    }
    assert.equal(await won, true);
  });

  it("may take effect for as long as no later look has found another record", async () => {
    const { clock, store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.writeEndings.push("not_done");
    assert.equal(await record.swap(read, next, signal), false);
    clock.advance(3_600_000);
    assert.deepEqual([(await record.read())?.isOpen, record.isOpen], [true, true], "its condition still holds");
    store.view = other;
    assert.deepEqual([(await record.read())?.isOpen, record.isOpen], [false, false]);
  });

  it("may take effect after a look that began before it was sent", async () => {
    const { store, record } = trialOf(view);
    const early = Promise.withResolvers<void>();
    const readOnce = store.read.bind(store);
    store.read = async () => {
      const found = await readOnce();
      await early.promise;
      return found;
    };
    const slow = record.read();
    await turn();
    store.read = readOnce;
    store.view = other;
    const read = (await record.read()) as StoredView;
    store.writeEndings.push("not_done");
    await record.swap(read, next, signal);
    early.resolve();
    assert.equal((await slow)?.isOpen, true);
  });

  it("is sent again while the record is as it was, if it is insisted on", async () => {
    const { clock, store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.writeEndings.push("not_done", "not_done");
    const won = record.insist(read, next, signal);
    for (let time = 0; time < 4; time++) {
      for (let each = 0; each < 6; each++) await turn();
      clock.advance(400);
    }
    assert.deepEqual([await won, store.writes, record.isOpen], [true, 3, false]);
    store.writeEndings.push("not_done");
    const again = (await record.read()) as StoredView;
    const lost = record.insist(again, { ...other, epoch: 9 }, signal);
    store.view = view;
    assert.deepEqual([await lost, store.writes], [false, 4]);
  });

  it("says so when it is refused after an attempt that may still be done", async () => {
    const { clock, store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.writeEndings.push("not_done", "refused");
    const refused = assert.rejects(record.insist(read, next, signal), /an earlier attempt had no answer/);
    for (let each = 0; each < 12; each++) await turn();
    clock.advance(400);
    await refused;
  });

  it("that was never sent leaves nothing open", async () => {
    const { store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.write = () => Promise.reject(new OperatingError("store_unavailable", "no connection", { neverSent: true }));
    assert.equal(await record.swap(read, next, signal), false);
    assert.equal(record.isOpen, false);
  });

  it("that the store refuses is none", async () => {
    await assert.rejects(swap("refused"), (error) => isOperatingError(error, "store_refused"));
  });
});

describe("ViewRecord, over a store that refuses a swap and then shows the very tag", () => {
  /** Swaps so often, with another's swap in between where `isRaced` says so, and returns what is logged. */
  async function warningsAfter(swaps: number, isRaced: (swap: number) => boolean = () => false): Promise<string[]> {
    const clock = new ManualClock();
    const log = new RecordedLog();
    const store = new ViewStore(view);
    const complaints = new Complaints(log, clock, 10_000);
    const record = new ViewRecord({ store, clock, random: new SimRandom(1), complaints });
    store.write = () => Promise.resolve({ kind: "conflict" });
    for (let swap = 1; swap <= swaps; swap++) {
      assert.equal(await record.swap(await record.read(), next, signal), false);
      if (isRaced(swap)) store.view = { ...view };
    }
    await record.read();
    return log.lines.map(({ message, fields }) => `${message}: ${String(fields?.["error"])}`);
  }

  it("says that no view can be changed, and why", async () => {
    assert.deepEqual(await warningsAfter(2), []);
    const [warning, ...more] = await warningsAfter(4);
    assert.match(warning ?? "", /no view can be changed.* the very tag that it shows: is versioning on\?/);
    assert.deepEqual(more, []);
  });

  it("is asked no more by who insists", async () => {
    const { clock, store, record } = trialOf(view);
    const read = (await record.read()) as StoredView;
    store.write = () => Promise.resolve({ kind: "conflict" });
    const failed = assert.rejects(record.insist(read, next, signal), /the very tag that it shows: is versioning on\?/);
    for (let time = 0; time < 4; time++) {
      for (let each = 0; each < 6; each++) await turn();
      clock.advance(400);
    }
    await failed;
  });

  it("says nothing when others have swapped in between", async () => {
    assert.deepEqual(await warningsAfter(10, (swap) => swap % 3 !== 0), []);
  });
});
