/** A proposal: what each outcome is called, what is told of it, and on what it is made at all (V1, V2). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import type { View } from "../../../../src/core/view.ts";
import { droppedView, joinedView, reweightedView, settledView } from "../../../../src/core/view-changes.ts";
import { type Derive, type Outcome, Proposer } from "../../../../src/member/views/proposer.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view: View = { ...viewOf(4, [a, b]), settled: true };
const withC = joinedView(view, c, "p");

/** Member a, which has adopted `view`; the store has `stored`. */
function trialOf(stored: View | undefined = view) {
  const clock = new ManualClock();
  const store = new ViewStore(stored);
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const membership = memberIn(view, a, { clock });
  const record = new ViewRecord({ store, clock, random: new SimRandom(1), complaints });
  const events: string[] = [];
  const proposer = new Proposer({ membership }, record, {
    onView: ({ epoch, members }) => events.push(`view ${epoch} of ${members.map(({ id }) => id).join()}`),
    onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`),
  });
  const abort = new AbortController();
  const seen: View[] = [];
  /** Proposes what `derive` makes of the view, and notes what it was made of. */
  const propose = (derive: Derive): Promise<Outcome> =>
    proposer.propose((each) => {
      seen.push(each);
      return derive(each);
    }, abort.signal);
  return { store, membership, record, proposer, events, abort, seen, propose };
}

describe("Proposer.propose", () => {
  it("derives the next view from the stored one, swaps it in, and tells of it", async () => {
    const { store, events, seen, propose } = trialOf();
    assert.equal(await propose((stored) => joinedView(stored, c, "p")), "won");
    assert.deepEqual([store.view, seen, events], [withC, [view], ["view 5 of a,b,c"]]);
  });

  it("waits for a rule that has to wait, and reads nothing again", async () => {
    const { store, events, propose } = trialOf();
    assert.equal(await propose(async (stored) => await Promise.resolve(joinedView(stored, c, "p"))), "won");
    assert.deepEqual([store.reads, store.writes, events], [1, 1, ["view 5 of a,b,c"]]);
  });

  it("makes nothing of another view of the same epoch, and says so: an earlier state of the record was put back", async () => {
    for (const other of [
      { ...viewOf(4, [a, c]), settled: true },
      { ...viewOf(4, [a, { ...b, folder: "another" }]), settled: true },
    ]) {
      const { store, events, seen, propose } = trialOf(other);
      await assert.rejects(
        propose((stored) => joinedView(stored, c, "p")),
        (error) => isOperatingError(error, "store_refused") && /other members under epoch 4/.test(error.message),
      );
      assert.deepEqual([store.writes, seen, events], [0, [], []]);
    }
  });

  it("loses to a swap that comes first, and tells nothing", async () => {
    const { store, events, propose } = trialOf();
    const outcome = await propose((stored) => {
      store.view = reweightedView(view, "b", 0, "b's");
      return joinedView(stored, c, "p");
    });
    assert.deepEqual([outcome, store.view?.proposal, events], ["lost", "b's", []]);
  });

  it("finds out whether a swap of unknown outcome has won", async () => {
    for (const [ending, expected, told] of [
      ["done_unsaid", "won", ["view 5 of a,b,c"]],
      ["not_done", "lost", []],
    ] as const) {
      const { store, events, propose } = trialOf();
      store.writeEndings.push(ending);
      assert.deepEqual([await propose(() => withC), events], [expected, told], ending);
    }
  });

  it("makes nothing of a newer view than the adopted one, but tells of its epoch", async () => {
    const { store, events, seen, propose } = trialOf(withC);
    assert.equal(await propose(() => droppedView(view, new Set(["b"]), "q")), "moved");
    assert.deepEqual([events, seen, store.writes], [["epoch 5"], [], 0]);
  });

  it("makes nothing of an older view either, of which there is nothing to tell", async () => {
    const { store, events, seen, propose } = trialOf(viewOf(3, [a, b]));
    assert.equal(await propose(() => withC), "moved");
    assert.deepEqual([events, seen, store.writes], [[], [], 0]);
  });

  it("does nothing where the rule says that there is nothing to do", async () => {
    const { store, events, propose } = trialOf();
    assert.equal(await propose(() => undefined), "nothing");
    assert.deepEqual([store.writes, events], [0, []]);
  });

  it("does nothing where there is no view", async () => {
    const { store, seen, propose } = trialOf();
    store.bytes = undefined;
    assert.equal(await propose(() => withC), "missing");
    assert.deepEqual([store.writes, seen], [0, []]);
  });

  it("rejects when the store refuses, reading or swapping, and tells nothing", async () => {
    const reading = trialOf();
    reading.store.readEndings.push("refused");
    const swapping = trialOf();
    swapping.store.writeEndings.push("refused");
    for (const { store, events, propose } of [reading, swapping]) {
      await assert.rejects(
        propose(() => withC),
        (error) => isOperatingError(error, "store_refused"),
      );
      assert.deepEqual([store.view, events], [view, []]);
    }
  });

  it("rejects when the store does not answer: it does not wait for that", async () => {
    const { store, propose } = trialOf();
    store.readEndings.push("not_done");
    await assert.rejects(propose(() => withC));
    assert.equal(store.reads, 1);
  });

  it("derives nothing when it is aborted while the view is read, and tells nothing when it is while it swaps", async () => {
    const reading = trialOf();
    const read = reading.store.read.bind(reading.store);
    reading.store.read = () => {
      reading.abort.abort();
      return read();
    };
    assert.deepEqual([await reading.propose(() => withC), reading.seen, reading.events], ["nothing", [], []]);
    const swapping = trialOf();
    swapping.store.onWritten = () => swapping.abort.abort();
    assert.deepEqual([await swapping.propose(() => withC), swapping.events], ["won", []]);
  });

  it("ends with the signal, and for its reason, while a swap of unknown outcome is resolved", async () => {
    const { store, abort, propose } = trialOf();
    store.writeEndings.push("done_unsaid");
    const reason = new OperatingError("shutting_down", "enough");
    store.onWritten = () => {
      store.readEndings.push("not_done");
      abort.abort(reason);
    };
    await assert.rejects(
      propose(() => withC),
      reason,
    );
  });
});

describe("Proposer, who is told", () => {
  it("is nobody of a view that is no newer: one that is only settled now, or has been adopted meanwhile", async () => {
    const open = viewOf(4, [a, b]);
    const settling = trialOf(open);
    assert.equal(await settling.propose((stored) => settledView(stored, { lost: [], forgotten: [] }, "s")), "won");
    assert.deepEqual([settling.store.view?.settled, settling.events], [true, []]);
    const adopting = trialOf();
    adopting.store.onWritten = () => adopting.membership.adopt(withC);
    assert.equal(await adopting.propose(() => withC), "won");
    assert.deepEqual(adopting.events, []);
  });

  it("is nobody of a view without this process, which cannot adopt it", async () => {
    const { store, events, propose } = trialOf();
    assert.equal(await propose((stored) => droppedView(stored, new Set(["a"]), "p")), "won");
    assert.deepEqual([store.view?.members, events], [[b], []]);
  });
});

describe("Proposer.proposeOn", () => {
  it("builds on a record that was read before, and loses if that has changed since", async () => {
    const { store, record, proposer, events, abort } = trialOf();
    const stored = await record.read();
    assert.ok(stored);
    assert.equal(await proposer.proposeOn(stored, () => reweightedView(view, "b", 0, "q"), abort.signal), "won");
    assert.equal(await proposer.proposeOn(stored, () => withC, abort.signal), "lost");
    assert.deepEqual([store.view?.proposal, events], ["q", ["view 5 of a,b"]]);
  });
});
