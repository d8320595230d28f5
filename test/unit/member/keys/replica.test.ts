/**
 * What a replica takes, and when it says so: only in its adopted epoch, only from a member that may send it, and only
 * once it is in the journal (W1, W7, W8, W25, V41, F15).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { type Entry, footprint, noHeaders } from "../../../../src/core/entry.ts";
import { storeAbsent } from "../../../../src/core/key-state.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { PeerAnswer } from "../../../../src/core/message.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import type { Journal, JournalRecord } from "../../../../src/journal/journal.ts";
import { noJournal } from "../../../../src/journal/no-journal.ts";
import { Replica } from "../../../../src/member/keys/replica.ts";
import { hold } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { keyWhere, memberIn, memberOf, nextView, ringOf, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, c, d] = [memberOf("a"), memberOf("b"), memberOf("c"), memberOf("d")];
const view = viewOf(4, [a, b, c, d]);
const keyOf = (...owners: string[]): string => keyWhere((key) => ringOf(view).ownersOf(key).join() === owners.join());
const [ab, ba, cd] = [keyOf("a", "b"), keyOf("b", "a"), keyOf("c", "d")];

/** A journal that becomes durable when the test says so. */
class SlowJournal implements Journal {
  readonly folder = "b-disk";
  readonly position = { segment: 1, offset: 0 };
  readonly recovered = { entries: [], outcomes: [], late: [], adopted: [] };
  readonly lagMs = 0;
  readonly records: JournalRecord[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;

  attach(): void {}

  append(record: JournalRecord): void {
    this.records.push(record);
    this.#waiting ??= Promise.withResolvers<void>();
  }

  durable(): Promise<void> | undefined {
    return this.#waiting?.promise;
  }

  sync(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Version (`epoch`, `seq`) of `key`, by request `seq` of router "r". */
function entryOf(key: string, seq: number, size = 10, epoch = 4): Entry {
  const value = Buffer.alloc(size, seq);
  const common = { epoch, seq, headers: noHeaders, md5: "", modifiedMs: 0, size };
  return { ...common, key, value, requestId: { router: "r", counter: seq } };
}

const lateEffectMs = 1_000;

interface Trial {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly late: LateEffects;
  readonly clock: ManualClock;
  readonly replica: Replica;
}

/** Member b of the view, not settled. */
function trialOf(journal: Journal = noJournal("b-disk"), dirtyBytes = 1e6): Trial {
  const clock = new ManualClock();
  const membership = memberIn(view, b, { clock });
  const buffer = new WriteBuffer(new Admission({ dirtyBytes, refusedBytes: dirtyBytes, waitMs: 500 }, clock), journal);
  const requests = new RequestLog();
  const late = new LateEffects(lateEffectMs, journal);
  const replica = new Replica({ membership, buffer, requests, journal, clock, late });
  return { membership, buffer, requests, replica, late, clock };
}

const isWrongView = (error: unknown): boolean => isOperatingError(error, "wrong_view");
const ack = { kind: "ack", epoch: 4 };

describe("Replica.replicate", () => {
  const replicate = (trial: Trial, entry: Entry, epoch = 4, from = a): PeerAnswer | Promise<PeerAnswer> =>
    trial.replica.replicate(from, { kind: "replicate", epoch, entry });

  it("holds the entry, in memory of its own, and remembers its request", () => {
    const trial = trialOf();
    const message = Buffer.alloc(100_000, 1);
    const entry = { ...entryOf(ab, 1), value: message.subarray(500, 510) };
    assert.deepEqual(replicate(trial, entry), ack);
    const held = trial.buffer.get(ab)?.entry;
    assert.deepEqual(held, entry);
    assert.notEqual(held?.value?.buffer, message.buffer, "the rest of the message is not kept alive");
    assert.deepEqual(trial.requests.find(entry.requestId)?.version, { epoch: 4, seq: 1 });
    assert.equal(trial.buffer.admission.usedBytes, footprint(entry));
  });

  it("keeps the higher version, whatever comes first, and acknowledges the lower one as well: it has that, or a newer one", () => {
    const trial = trialOf();
    void replicate(trial, entryOf(ab, 3));
    assert.deepEqual(replicate(trial, entryOf(ab, 2)), ack);
    assert.deepEqual(replicate(trial, entryOf(ab, 3)), ack);
    assert.equal(trial.buffer.get(ab)?.entry?.seq, 3);
    void replicate(trial, entryOf(ab, 4));
    assert.equal(trial.buffer.get(ab)?.entry?.seq, 4);
    assert.equal(trial.buffer.admission.usedBytes, footprint(entryOf(ab, 4)));
    assert.deepEqual(trial.requests.find({ router: "r", counter: 2 })?.version, { epoch: 4, seq: 2 });
  });

  it("is refused in another epoch, older or newer", () => {
    for (const epoch of [3, 5]) assert.throws(() => replicate(trialOf(), entryOf(ab, 1), epoch), isWrongView);
  });

  it("is refused from who is not the key's primary, and for a key that this member does not own", () => {
    assert.throws(() => replicate(trialOf(), entryOf(ab, 1), 4, c), isWrongView);
    assert.throws(() => replicate(trialOf(), entryOf(cd, 1), 4, c), isWrongView);
    assert.throws(() => replicate(trialOf(), entryOf(ba, 1), 4, a), isWrongView);
  });

  it("is refused past the reserve of a full buffer, which then holds nothing of it", () => {
    const trial = trialOf(noJournal("b-disk"), 10_000);
    trial.buffer.admission.take(10_001);
    assert.throws(
      () => replicate(trial, entryOf(ab, 1)),
      (error) => isOperatingError(error, "buffer_full"),
    );
    assert.deepEqual([trial.buffer.size, trial.requests.find({ router: "r", counter: 1 })], [0, undefined]);
  });

  it("is acknowledged when it is in the journal, and not before", async () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    const answers: unknown[] = [];
    void Promise.resolve(replicate(trial, entryOf(ab, 1))).then((answer) => answers.push(answer));
    await turn();
    assert.deepEqual([answers, journal.records.map(({ kind }) => kind)], [[], ["entry"]]);
    journal.sync();
    await turn();
    assert.deepEqual(answers, [ack]);
  });

  it("waits for the journal, too, where it holds the entry already: the first copy may be on its way to the disk still", async () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    void replicate(trial, entryOf(ab, 1));
    const answers: unknown[] = [];
    void Promise.resolve(replicate(trial, entryOf(ab, 1))).then((answer) => answers.push(answer));
    await turn();
    assert.deepEqual(answers, []);
    journal.sync();
    await turn();
    assert.deepEqual(answers, [ack]);
  });

  it("is not acknowledged if a newer view was adopted before it was in the journal: it may have been handed off without", async () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    const answer = Promise.resolve(replicate(trial, entryOf(ab, 1)));
    trial.membership.adopt(nextView(view, [a, b, c]));
    trial.membership.swept();
    journal.sync();
    await assert.rejects(answer, isWrongView);
  });

  it("is refused until what this member holds has been gone through under the view (V64)", () => {
    const trial = trialOf(new SlowJournal());
    const next = nextView(view, [a, b]);
    trial.membership.adopt(next);
    const request = (): unknown =>
      trial.replica.replicate(a, { kind: "replicate", epoch: next.epoch, entry: entryOf(ab, 1) });
    assert.throws(request, (error) => isOperatingError(error, "not_ready"));
    assert.equal(trial.buffer.size, 0);
    trial.membership.swept();
    void request();
    assert.equal(trial.buffer.size, 1);
  });

  it("journals the outcome of a request whose entry is superseded, once", () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    void replicate(trial, entryOf(ab, 3));
    void replicate(trial, entryOf(ab, 2));
    void replicate(trial, entryOf(ab, 2));
    const outcome = { requestId: { router: "r", counter: 2 }, key: ab, version: { epoch: 4, seq: 2 } };
    assert.deepEqual(journal.records.slice(1), [{ kind: "outcomes", outcomes: [outcome] }]);
  });

  it("journals the later outcome of a request that two primaries have done", () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    const requestId = { router: "r", counter: 2 };
    trial.requests.record(requestId, ab, { epoch: 3, seq: 9 });
    void replicate(trial, entryOf(ab, 3));
    void replicate(trial, entryOf(ab, 2));
    const outcome = { requestId, key: ab, version: { epoch: 4, seq: 2 } };
    assert.deepEqual(journal.records.slice(1), [{ kind: "outcomes", outcomes: [outcome] }]);
  });
});

describe("Replica.handOff", () => {
  const handOff = (trial: Trial, entry: Entry, epoch = 4, from = c): PeerAnswer | Promise<PeerAnswer> =>
    trial.replica.handOff(from, { kind: "hand_off", epoch, entry });
  const list = (trial: Trial, keys: readonly string[], seq: number, epoch = 4, from = c): unknown => {
    const items = keys.map((key) => ({ key, version: { epoch: 3, seq } }));
    return trial.replica.handOffList(from, { kind: "hand_off_list", epoch, items });
  };

  it("to the primary is taken from any holder; to a replica from the primary only", () => {
    const old = (key: string): Entry => entryOf(key, 7, 10, 3);
    assert.deepEqual(handOff(trialOf(), old(ba)), ack);
    assert.deepEqual(handOff(trialOf(), old(ab), 4, a), ack);
    assert.throws(() => handOff(trialOf(), old(ab)), isWrongView);
    assert.throws(() => handOff(trialOf(), old(cd)), isWrongView);
  });

  it("is refused in another epoch and once the view is settled, as is its list", () => {
    for (const epoch of [3, 5]) {
      assert.throws(() => handOff(trialOf(), entryOf(ba, 1), epoch), isWrongView);
      assert.throws(() => list(trialOf(), [ba], 1, epoch), isWrongView);
    }
    const trial = trialOf();
    trial.membership.markSettled();
    assert.throws(() => handOff(trial, entryOf(ba, 1)), isWrongView);
    assert.throws(() => list(trial, [ba], 1), isWrongView);
  });

  it("is taken however full the buffer is: nobody else may hold it for much longer", () => {
    const trial = trialOf(noJournal("b-disk"), 10_000);
    trial.buffer.admission.take(20_000);
    assert.deepEqual(handOff(trial, entryOf(ba, 1)), ack);
    assert.equal(trial.buffer.admission.usedBytes, 20_000 + footprint(entryOf(ba, 1)));
  });

  it("wants of a list what it has not, or has in an older version", () => {
    const trial = trialOf();
    const keys = Array.from({ length: 3 }, (_, index) =>
      keyWhere((key) => ringOf(view).ownersOf(key)[0] === "b" && Number(key.slice(4)) >= 100 * index),
    );
    void handOff(trial, entryOf(keys[0] as string, 5, 10, 3));
    void handOff(trial, entryOf(keys[1] as string, 4, 10, 3));
    assert.deepEqual(list(trial, keys, 5), { kind: "wanted", epoch: 4, wanted: [1, 2] });
  });

  it("says that it wants nothing more of a key only when what it has of it is in the journal", async () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    void handOff(trial, entryOf(ba, 5, 10, 3));
    const answers: unknown[] = [];
    void Promise.resolve(list(trial, [ba], 5)).then((answer) => answers.push(answer));
    await turn();
    assert.deepEqual(answers, []);
    journal.sync();
    await turn();
    assert.deepEqual(answers, [{ kind: "wanted", epoch: 4, wanted: [] }]);
  });

  it("of outcomes is journaled, remembered and acknowledged then, in the adopted epoch only", async () => {
    const journal = new SlowJournal();
    const trial = trialOf(journal);
    const outcomes = [{ requestId: { router: "r", counter: 1 }, key: ba, version: { epoch: 3, seq: 1 } }];
    assert.throws(() => trial.replica.handOffOutcomes({ kind: "hand_off_outcomes", epoch: 3, outcomes }), isWrongView);
    const answer = Promise.resolve(trial.replica.handOffOutcomes({ kind: "hand_off_outcomes", epoch: 4, outcomes }));
    assert.deepEqual([...trial.requests.outcomes()], outcomes);
    assert.deepEqual(journal.records, [{ kind: "outcomes", outcomes }]);
    journal.sync();
    assert.deepEqual(await answer, ack);
  });
});

describe("Replica.late", () => {
  const effects = [{ key: ab, condition: { kind: "absent" }, version: undefined, leftMs: 500 }] as const;

  it("remembers what the store may yet do, and acknowledges it", () => {
    const { replica, late, clock } = trialOf();
    assert.deepEqual(replica.late({ kind: "late", epoch: 4, effects }), ack);
    assert.deepEqual([late.mayChange(ab, clock.now()), late.mayChange(ba, clock.now())], [true, false]);
  });

  it("says nothing new of a key that this member serves: it knows its own requests, and they end (F25)", () => {
    const { membership, replica, late, clock } = trialOf();
    membership.markSettled();
    membership.activate(true);
    assert.deepEqual(replica.late({ kind: "late", epoch: 4, effects: [{ ...effects[0], key: ba }, ...effects] }), ack);
    assert.deepEqual([late.mayChange(ba, clock.now()), late.mayChange(ab, clock.now())], [false, true]);
  });

  it("is refused in another epoch", () => {
    for (const epoch of [3, 5])
      assert.throws(() => trialOf().replica.late({ kind: "late", epoch, effects }), isWrongView);
  });
});

describe("Replica.handOffUnknown", () => {
  it("notes with what is held that nobody has looked at the object, with some time to spare for a slow clock", () => {
    const { replica, buffer, clock } = trialOf();
    hold(buffer, entryOf(ba, 1));
    const unknown = [
      { key: ba, leftMs: 500 },
      { key: ab, leftMs: 500 },
    ];
    assert.deepEqual(replica.handOffUnknown({ kind: "hand_off_unknown", epoch: 4, unknown }), ack);
    assert.deepEqual([buffer.get(ba)?.unknownUntil, buffer.get(ab)], [clock.now() + 550, undefined]);
  });

  it("says nothing new to a primary that has kept the key and has looked at the object (F25)", () => {
    const { replica, buffer } = trialOf();
    hold(buffer, entryOf(ba, 1));
    buffer.get(ba)?.saw(storeAbsent);
    const unknown = [{ key: ba, leftMs: 500 }];
    assert.deepEqual(replica.handOffUnknown({ kind: "hand_off_unknown", epoch: 4, unknown }), ack);
    assert.equal(buffer.get(ba)?.unknownUntil, Number.NEGATIVE_INFINITY, "all requests for it are known");
  });

  it("is refused in another epoch", () => {
    for (const epoch of [3, 5])
      assert.throws(
        () => trialOf().replica.handOffUnknown({ kind: "hand_off_unknown", epoch, unknown: [] }),
        isWrongView,
      );
  });
});

describe("Replica.answered", () => {
  const version = { epoch: 3, seq: 2 };

  it("forgets the removal that was announced to it", () => {
    const { replica, late, clock } = trialOf();
    const removal = { key: ab, condition: { kind: "any_present" }, version, leftMs: 500 } as const;
    assert.deepEqual(replica.late({ kind: "late", epoch: 4, effects: [removal] }), ack);
    assert.equal(late.mayChange(ab, clock.now()), true);
    assert.deepEqual(replica.answered(a, { kind: "answered", epoch: 4, key: ab, version }), ack);
    assert.equal(late.mayChange(ab, clock.now()), false);
  });

  it("is refused in another epoch, and from a member that is not the key's primary", () => {
    for (const [from, epoch, key] of [
      [a, 3, ab],
      [a, 5, ab],
      [a, 4, ba],
    ] as const)
      assert.throws(() => trialOf().replica.answered(from, { kind: "answered", epoch, key, version }), isWrongView);
  });
});

describe("Replica.clean", () => {
  /** Member b of the settled view, with version 3 of `key`. */
  function holding(key: string): Trial {
    const trial = trialOf();
    hold(trial.buffer, entryOf(key, 3));
    trial.membership.markSettled();
    return trial;
  }
  const clean = (trial: Trial, key: string, seq: number, { epoch = 4, from = a } = {}): PeerAnswer =>
    trial.replica.clean(from, { kind: "clean", epoch, items: [{ key, version: { epoch: 4, seq } }] });

  it("drops that version and older ones, and keeps newer ones", () => {
    for (const [seq, left] of [
      [2, 1],
      [3, 0],
      [4, 0],
    ] as const) {
      const trial = holding(ab);
      assert.deepEqual(clean(trial, ab, seq), ack);
      assert.equal(trial.buffer.size, left, `clean ${seq}`);
    }
  });

  it("is refused in another epoch, and while the view is not known to be settled", () => {
    const trial = holding(ab);
    assert.throws(() => clean(trial, ab, 3, { epoch: 3 }), isWrongView);
    const early = trialOf();
    hold(early.buffer, entryOf(ab, 3));
    assert.throws(() => clean(early, ab, 3), isWrongView);
    assert.deepEqual([trial.buffer.size, early.buffer.size], [1, 1]);
  });

  it("is done for the key's primary only, and skips what is not held", () => {
    const trial = holding(ab);
    assert.deepEqual(clean(trial, ab, 3, { from: c }), ack);
    assert.deepEqual(clean(trial, cd, 3, { from: c }), ack);
    assert.equal(trial.buffer.size, 1);
  });
});
