/** What requests without an answer may still do until L, and what members tell each other of them (F24 to F26). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LateEffects, type LateRecord, type ObjectState, type OpenCondition } from "../../../src/core/late-effects.ts";

const l = 900;
const absent = { kind: "absent" } as const satisfies ObjectState;
const present = (tag: string) => ({ kind: "present", tag }) as const satisfies ObjectState;
const version = (seq: number) => ({ epoch: 1, seq });

function trialOf() {
  const log: LateRecord[] = [];
  const late = new LateEffects(l, { append: (record) => log.push(record) });
  /** A request for version (1, `seq`) of k failed at `now`. */
  const failed = (seq: number, condition: OpenCondition, now: number, key = "k"): void =>
    late.add(key, version(seq), condition, now);
  return { late, log, failed };
}

describe("LateEffects, until L", () => {
  it("threaten the states in which their condition holds, and no others", () => {
    const { late, failed } = trialOf();
    failed(5, absent, 100);
    failed(6, present("A"), 200);
    const threats = [absent, present("A"), present("B")].map((state) => late.heldUntil("k", version(9), state, 300));
    assert.deepEqual(threats, [100 + l, 200 + l, undefined]);
    assert.equal(late.heldUntil("other", version(9), absent, 300), undefined);
    assert.equal(late.heldUntil("k", version(9), absent, 100 + l), undefined, "it is over");
  });

  it("do not threaten the very version that they were for, unless another one had the same condition", () => {
    const { late, failed } = trialOf();
    failed(5, present("A"), 100);
    assert.equal(late.heldUntil("k", version(5), present("A"), 101), undefined);
    assert.equal(late.heldUntil("k", version(6), present("A"), 101), 100 + l);
    failed(6, present("A"), 200);
    for (const seq of [5, 6]) assert.equal(late.heldUntil("k", version(seq), present("A"), 201), 200 + l);
  });

  it("threaten every object where the store ignores conditions on removals", () => {
    const { late, failed } = trialOf();
    failed(5, { kind: "any_present" }, 100);
    assert.deepEqual(
      [absent, present("A"), present("B")].map((state) => late.heldUntil("k", version(6), state, 101)),
      [undefined, 100 + l, 100 + l],
    );
  });

  it("threaten what an upload makes, if the tag that they name has the form of such tags", () => {
    const { late, failed } = trialOf();
    const tags = ["d41d8cd9", "d41d8cd9-2", "last"];
    for (const [index, tag] of tags.entries()) failed(5, present(tag), 100, `k${index}`);
    const completed = { kind: "completed", partTag: "last", wholeTag: undefined } as const;
    const threats = tags.map((_, index) => late.heldUntil(`k${index}`, version(6), completed, 101) !== undefined);
    assert.deepEqual(threats, [false, true, true]);
  });

  it("threaten every state once more conditions of a key are open than are remembered", () => {
    const { late, failed } = trialOf();
    for (let seq = 1; seq <= 9; seq++) failed(seq, present(`tag ${seq}`), 100 + seq);
    for (const state of [absent, present("new")]) assert.equal(late.heldUntil("k", version(99), state, 200), 109 + l);
  });

  it("do not count where no effect can be late", () => {
    const late = new LateEffects(0, { append: () => assert.fail("nothing is remembered") });
    late.add("k", version(5), absent, 100);
    assert.deepEqual([late.mayChange("k", 100), late.isFull, [...late.records()]], [false, false, []]);
  });
});

describe("LateEffects, of removals by a store that ignores conditions", () => {
  const removal = { kind: "any_present" } as const;

  it("are forgotten when they are answered, in the journal, too", () => {
    const { late, log } = trialOf();
    assert.equal(late.announce("k", version(5), 100), true);
    assert.equal(late.heldUntil("k", version(6), present("A"), 101), 100 + l);
    late.answered("k", version(4));
    assert.equal(late.mayChange("k", 101), true, "that was for another one");
    late.answered("k", version(5));
    assert.deepEqual([late.mayChange("k", 101), [...late.records()]], [false, []]);
    assert.deepEqual(log.at(-1), { kind: "late", key: "k", conditions: [] });
  });

  it("leave an earlier one as it is, of another version or of the same", () => {
    const { late, failed } = trialOf();
    failed(4, removal, 100);
    assert.equal(late.announce("k", version(5), 200), true);
    late.answered("k", version(5));
    assert.equal(late.heldUntil("k", version(6), present("A"), 201), 100 + l);
    assert.equal(late.announce("k", version(4), 300), false, "it is open already");
  });

  it("are told again as one of any version when not all may have heard of the answer", () => {
    const { late } = trialOf();
    late.announce("k", version(5), 100);
    late.told(late.untold("k", 100), 100);
    assert.deepEqual(late.untold("k", 101), []);
    late.doubt("k", version(5));
    late.answered("k", version(5));
    assert.equal(late.heldUntil("k", version(5), present("A"), 101), 100 + l);
    assert.deepEqual(late.untold("k", 101), [{ key: "k", condition: removal, version: undefined, leftMs: 1.25 * l }]);
  });

  it("are nothing to take back where no effect is late", () => {
    const late = new LateEffects(0, { append: () => assert.fail("nothing is remembered") });
    assert.equal(late.announce("k", version(5), 100), false);
  });
});

describe("LateEffects, after L", () => {
  it("are kept for as long again, for a takeover, and then forgotten in the journal, too", () => {
    const { late, log, failed } = trialOf();
    failed(1, absent, 0, "a");
    late.forgetOver(l);
    assert.deepEqual([late.mayChange("a", l), late.count(l), log.length], [false, 0, 1]);
    late.extend("a", version(2), l + 1);
    assert.equal(late.heldUntil("a", version(1), absent, l + 1), 2 * l + 1, "nobody knows for which version");
    late.forgetOver(3 * l);
    assert.equal([...late.records()].length, 1);
    late.forgetOver(3 * l + 1);
    assert.deepEqual([[...late.records()], log.at(-1)], [[], { kind: "late", key: "a", conditions: [] }]);
  });
});

describe("LateEffects, told to others", () => {
  it("are told once for each condition, and again when that has been renewed for long", () => {
    const { late, failed } = trialOf();
    failed(5, absent, 100);
    const effects = late.untold("k", 101);
    assert.deepEqual(effects, [{ key: "k", condition: absent, version: version(5), leftMs: 1.25 * l }]);
    late.told(effects, 101);
    assert.deepEqual(late.untold("k", 102), []);
    failed(5, absent, 200);
    assert.deepEqual(late.untold("k", 201), [], "they remember it for long enough");
    failed(5, absent, 101 + l);
    assert.equal(late.untold("k", 102 + l).length, 1);
    failed(6, present("A"), 102 + l);
    assert.deepEqual(
      late.untold("k", 103 + l).map(({ condition }) => condition),
      [absent, present("A")],
    );
  });

  it("count at the others for no shorter time, also by a slow clock, and those of a gained key from then on", () => {
    const { late } = trialOf();
    late.learn({ key: "k", condition: absent, version: version(9), leftMs: 100 }, 1_000);
    assert.equal(late.heldUntil("k", version(1), absent, 1_001), 1_110);
    assert.deepEqual(late.untold("k", 1_001), []);
    late.extend("k", version(9), 1_050);
    assert.equal(late.heldUntil("k", version(9), absent, 1_051), undefined, "the last request was for this version");
    assert.equal(late.heldUntil("k", version(1), absent, 1_051), 1_050 + l);
    late.extend("k", version(10), 1_050);
    assert.equal(
      late.heldUntil("k", version(9), absent, 1_051),
      1_050 + l,
      "the last request may have been for another",
    );
    assert.equal(late.untold("k", 1_051).length, 1, "the other owners are told that it counts for longer");
  });

  it("do not grow while they are handed on, and are told for as long as they count", () => {
    let late = trialOf().late;
    late.add("k", version(5), absent, 0);
    for (let hands = 0; hands < 30; hands++) {
      const next = trialOf().late;
      for (const effect of late.effects(hands)) next.learn(effect, hands + 1);
      late = next;
    }
    const until = late.heldUntil("k", version(6), absent, 30) ?? 0;
    assert.ok(until <= 30 + 1.4 * l, `${until}`);
    late.extend("k", version(6), 30);
    const effects = late.untold("k", 31);
    late.told(effects, 31);
    assert.deepEqual(late.untold("k", 32), []);
  });

  it("are all handed off, with those that are kept for a takeover", () => {
    const { late, failed } = trialOf();
    failed(5, absent, 0);
    assert.deepEqual([...late.effects(l + 10)], [{ key: "k", condition: absent, version: version(5), leftMs: -10 }]);
    const other = trialOf().late;
    for (const effect of late.effects(l + 10)) other.learn(effect, 5_000);
    assert.equal(other.mayChange("k", 5_000), false);
    other.extend("k", undefined, 5_000);
    assert.equal(other.mayChange("k", 5_000), true);
  });

  it("come back from the journal for L, since nobody knows how old they are", () => {
    const { late, failed } = trialOf();
    failed(5, absent, 0);
    failed(6, present("A"), 1);
    const again = trialOf().late;
    for (const record of late.records()) again.recover(record, 10);
    for (const state of [absent, present("A")]) assert.ok((again.heldUntil("k", version(7), state, 10) ?? 0) >= 10 + l);
  });

  it("are told to a journal as they are when their turn comes", () => {
    const { late, failed } = trialOf();
    for (const key of ["a", "b", "c"]) failed(5, present("A"), 0, key);
    late.announce("late3", version(5), 0);
    const told: string[] = [];
    for (const { key, conditions } of late.records()) {
      told.push(`${key}: ${conditions.length}`);
      if (key !== "a") continue;
      late.answered("late3", version(5));
      failed(6, present("B"), 1, "b");
      failed(6, present("B"), 1, "new");
    }
    assert.deepEqual(told, ["a: 1", "c: 1", "b: 2", "new: 1"]);
  });
});
