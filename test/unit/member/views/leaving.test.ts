/**
 * Leaving in order: weight 0, settled, out; and what the last owner does, to whom nobody is left to hand off to (V27,
 * V28, V29).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import type { View, ViewMember } from "../../../../src/core/view.ts";
import { droppedView, hasDrop, joinedView, settledView } from "../../../../src/core/view-changes.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { Leaving, type LeavingObserver } from "../../../../src/member/views/leaving.ts";
import { Proposer, type ViewObserver } from "../../../../src/member/views/proposer.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const settledOf = (...members: ViewMember[]): View => ({ ...viewOf(4, members), settled: true });
/** So many looks take longer than a swap can be late. */
const requestLooks = 100;
/** L: so many looks, and some. */
const lateEffectMs = 3_000;
const idle = (member: ViewMember): ViewMember => ({ ...member, weight: 0 });

interface Trial {
  readonly store: ViewStore;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly late: LateEffects;
  readonly events: string[];
  readonly abort: AbortController;
  empty: boolean;
  /**
   * What is under way at it for clients, within what it asked each time for the end of that, and how often it said that
   * it stays.
   */
  underWay: Promise<void>;
  readonly going: number[];
  staying: number;
  /** The view is settled, and member a knows it. */
  readonly settle: () => void;
  /** Lets it look at the view so many times. */
  readonly looks: (count: number) => Promise<void>;
}

/** Member a, which begins to leave. */
function trialOf(view: View, { journaled = true } = {}): Trial {
  const clock = new ManualClock();
  const store = new ViewStore(view);
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const random = new SimRandom(1);
  const membership = memberIn(view, view.members.find(({ id }) => id === "a") as ViewMember, { clock });
  const events: string[] = [];
  const abort = new AbortController();
  const log = new RecordedLog();
  const buffer = new WriteBuffer(new Admission({ dirtyBytes: 1e9, refusedBytes: 1e9, waitMs: 500 }, clock), {
    append: () => undefined,
  });
  const requests = new RequestLog();
  const flusher = {
    get idle(): boolean {
      return trial.empty;
    },
  };
  const observer: ViewObserver & LeavingObserver = {
    onView: (next) => {
      events.push(`view ${next.members.map(({ id, weight }) => `${id}${weight}`).join()}`);
      membership.adopt(next);
      membership.swept();
      membership.advance("handed_off");
    },
    onNewerEpoch: (epoch) => events.push(`epoch ${epoch}`),
    onLast: () => {
      if (!events.includes("last")) events.push("last");
    },
    onGoing: (withinMs) => {
      trial.going.push(withinMs);
      return trial.underWay;
    },
    onStaying: () => {
      trial.staying++;
    },
  };
  const record = new ViewRecord({ store, clock, random, complaints });
  const proposer = new Proposer({ membership }, record, observer);
  const late = new LateEffects(lateEffectMs, { append: () => undefined });
  const settings = { ...settingsOf(), journaled };
  const context = { membership, clock, random, log, complaints, buffer, requests, late, settings };
  const leaving = new Leaving(context, record, proposer, flusher, 1, observer);
  const trial: Trial = {
    store,
    membership,
    buffer,
    requests,
    late,
    events,
    abort,
    empty: false,
    underWay: Promise.resolve(),
    going: [],
    staying: 0,
    settle: () => {
      store.view = settledView(store.view as View, { lost: [], forgotten: [] }, "settled");
      membership.markSettled();
    },
    looks: async (count) => {
      for (let time = 0; time < count; time++) {
        for (let each = 0; each < 6; each++) await turn();
        clock.advance(50);
      }
      for (let each = 0; each < 6; each++) await turn();
    },
  };
  leaving.leave(abort.signal).then(
    () => events.push("left"),
    (error: Error) => events.push(error.message),
  );
  return trial;
}

describe("Leaving, with others", () => {
  it("first owns nothing, waits until that is settled, and takes itself out then, which is no drop", async () => {
    const trial = trialOf(settledOf(a, b, c));
    await trial.looks(3);
    assert.deepEqual([trial.events, trial.store.view?.epoch], [["view a0,b1,c1"], 5]);
    trial.settle();
    await trial.looks(1);
    assert.deepEqual([trial.events.at(-1), trial.store.view?.members], ["left", [b, c]]);
    assert.equal(hasDrop(trial.store.view as View), false);
  });

  it("does not take itself out of a view that it does not know to be settled", async () => {
    const trial = trialOf(settledOf(a, b));
    await trial.looks(1);
    trial.store.view = settledView(trial.store.view as View, { lost: [], forgotten: [] }, "settled");
    await trial.looks(5);
    assert.deepEqual(trial.events, ["view a0,b1"]);
    trial.membership.markSettled();
    await trial.looks(1);
    assert.equal(trial.events.at(-1), "left");
  });

  it("goes once what is under way for its clients is done, and goes on serving them where it could not go", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const trial = trialOf(settledOf(a, b));
    trial.underWay = promise;
    await trial.looks(3);
    assert.deepEqual(trial.going, []);
    trial.settle();
    trial.store.writeEndings.push("refused");
    await trial.looks(5);
    assert.deepEqual([trial.events, trial.going], [["view a0,b1"], [1_000]]);
    const before = trial.staying;
    resolve();
    // Refused, and not yet tried again.
    await trial.looks(5);
    assert.deepEqual([trial.staying > before, trial.going.length], [true, 1]);
    await trial.looks(60);
    // The time is not given once more.
    assert.deepEqual([trial.events.at(-1), trial.going], ["left", [1_000, 0]]);
  });

  it("begins in an unsettled view, too", async () => {
    const trial = trialOf(viewOf(4, [a, b]));
    await trial.looks(1);
    assert.deepEqual(trial.events, ["view a0,b1"]);
  });

  it("does not wait for its buffer: what is in it the others have", async () => {
    const trial = trialOf(settledOf(idle(a), b));
    trial.empty = false;
    await trial.looks(1);
    assert.deepEqual([trial.events, trial.store.view?.members], [["left"], [b]]);
  });

  it("waits for a newer view to be adopted, and goes on from there", async () => {
    const trial = trialOf(settledOf(a, b));
    trial.store.view = joinedView(settledOf(a, b), c, "p");
    await trial.looks(2);
    assert.deepEqual([trial.events.at(-1), trial.store.view?.epoch], ["epoch 5", 5]);
    trial.membership.adopt(trial.store.view as View);
    trial.membership.swept();
    await trial.looks(1);
    assert.equal(trial.events.at(-1), "view a0,b1,c1");
  });

  it("whose swap's answer was lost has done that step all the same", async () => {
    const trial = trialOf(settledOf(idle(a), b));
    trial.store.writeEndings.push("done_unsaid");
    await trial.looks(3);
    assert.deepEqual([trial.events, trial.store.view?.members], [["left"], [b]]);
  });

  it("is tried again when the store refuses a swap: rights that are missing for a while end no leave", async () => {
    const trial = trialOf(settledOf(a, b));
    trial.store.writeEndings.push("refused", "refused");
    await trial.looks(60);
    assert.deepEqual(trial.events, ["view a0,b1"]);
    trial.settle();
    trial.store.writeEndings.push("refused");
    await trial.looks(30);
    assert.equal(trial.events.at(-1), "left");
  });

  it("is not over when the others have dropped it with what it held", async () => {
    const trial = trialOf(settledOf(a, b));
    trial.store.view = droppedView(settledOf(a, b), new Set(["a"]), "p");
    await trial.looks(1);
    assert.deepEqual(trial.events, ["the others have dropped this node before it had handed off everything"]);
  });

  it("ends with the signal, and for its reason", async () => {
    const trial = trialOf(viewOf(4, [idle(a), b]));
    await trial.looks(1);
    trial.abort.abort(new OperatingError("deadline_exceeded", "it takes too long"));
    await trial.looks(1);
    assert.deepEqual(trial.events, ["it takes too long"]);
  });
});

describe("Leaving, as the last owner", () => {
  it("waits for its buffer to be empty, and for others to have no request that it may be asked for again", async () => {
    const trial = trialOf(settledOf(a, idle(b)));
    trial.empty = true;
    trial.buffer.open("k", 0);
    await trial.looks(50);
    assert.deepEqual(trial.events, ["last"]);
    for (const record of Array.from(trial.buffer.records())) trial.buffer.remove(record);
    trial.requests.record({ router: b.incarnation, counter: 1 }, "k", { epoch: 4, seq: 1 });
    await trial.looks(50);
    assert.deepEqual(trial.events, ["last"]);
    trial.requests.advance(b.incarnation, 2);
    await trial.looks(50);
    assert.deepEqual(trial.events, ["last", "left"]);
  });

  it("waits until everything is in the store, and leaves an empty view that is settled", async () => {
    const trial = trialOf(settledOf(a));
    await trial.looks(3);
    assert.deepEqual([trial.events, trial.store.writes], [["last"], 0]);
    trial.empty = true;
    await trial.looks(1);
    assert.deepEqual(
      [trial.events, trial.store.view?.members, trial.store.view?.settled],
      [["last", "left"], [], true],
    );
  });

  it("waits until the store can do no more what got no answer, since nobody else knows of it", async () => {
    const trial = trialOf(settledOf(a));
    trial.late.add("k", undefined, { kind: "absent" }, 0);
    trial.empty = true;
    await trial.looks(50);
    assert.deepEqual(trial.events, ["last"], "it waits until L is over");
    await trial.looks(20);
    assert.deepEqual(trial.events, ["last", "left"]);
  });

  it("does not wait for that without a journal, which would forget it at any stop", async () => {
    const trial = trialOf(settledOf(a), { journaled: false });
    trial.late.add("k", undefined, { kind: "absent" }, 0);
    trial.empty = true;
    await trial.looks(1);
    assert.deepEqual(trial.events, ["last", "left"]);
  });

  it("is who is left with members that own nothing, and leaves nothing open: the store has what it held", async () => {
    const trial = trialOf(settledOf(a, idle(b)));
    trial.empty = true;
    await trial.looks(30);
    assert.deepEqual(trial.events, ["last"], "b may be leaving, too, and goes first");
    await trial.looks(12);
    assert.deepEqual(
      [trial.events, trial.store.view?.members, trial.store.view?.settled],
      [["last", "left"], [idle(b)], true],
    );
  });

  it("does not stay when a swap that was taken for lost put it out before the store refused the next", async () => {
    const trial = trialOf(settledOf(a));
    trial.empty = true;
    const { store } = trial;
    const write = store.write.bind(store);
    const refused = Promise.withResolvers<void>();
    let takeEffect: (() => Promise<unknown>) | undefined;
    store.write = async (...args) => {
      if (takeEffect) {
        await refused.promise;
        throw new OperatingError("store_refused", "not allowed");
      }
      takeEffect = () => write(...args);
      throw new OperatingError("store_unavailable", "no answer");
    };
    await trial.looks(4);
    await takeEffect?.();
    const { staying } = trial;
    await trial.looks(requestLooks);
    store.write = write;
    refused.resolve();
    await trial.looks(2);
    assert.deepEqual([store.view?.members, trial.staying], [[], staying]);
    await trial.looks(30);
    assert.equal(trial.events.at(-1), "left");
  });

  it("does not stay when the store refuses to show what became of its swap until that could not be late any more", async () => {
    const trial = trialOf(settledOf(a));
    trial.empty = true;
    const { store } = trial;
    store.writeEndings.push("done_unsaid");
    store.readEndings.push(...Array.from({ length: 30 }, () => "not_done" as const), "refused");
    await trial.looks(1);
    assert.deepEqual(store.view?.members, []);
    const { staying } = trial;
    for (let looks = 0; store.readEndings.length > 0 && looks < 10 * requestLooks; looks++) await trial.looks(1);
    assert.deepEqual([store.readEndings, trial.staying], [[], staying]);
    await trial.looks(60);
    assert.equal(trial.events.at(-1), "left");
  });

  it("takes its weight back when all others are gone or own nothing, since somebody must own what it holds", async () => {
    const trial = trialOf(settledOf(idle(a), idle(b)));
    await trial.looks(2);
    assert.deepEqual(trial.events, ["last", "view a1,b0"]);
  });

  it("leaves others that own nothing at once when it holds nothing either", async () => {
    const trial = trialOf(settledOf(idle(a), idle(b)));
    trial.empty = true;
    await trial.looks(2);
    assert.deepEqual(
      [trial.events, trial.store.view?.members, trial.store.view?.settled],
      [["last", "left"], [idle(b)], true],
    );
  });
});
