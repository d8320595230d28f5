/** What a member remembers of keys that it has gained: a predecessor may have left a request under way (F26). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type KeyState, storeAbsent, storeUnknown } from "../../../../src/core/key-state.ts";
import { LateEffects, type ObjectState } from "../../../../src/core/late-effects.ts";
import { FirstLooks } from "../../../../src/member/flush/first-looks.ts";
import { roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const l = 1_000;
const absent = { kind: "absent" } as const;
const present = { kind: "present", tag: "A" } as const;

/** @param hasForgotten - whether owners that were forgotten may have a request under way */
function trialOf(hasForgotten = false, heeds = { onRemovals: true, onCompletions: true }) {
  const clock = new ManualClock();
  const late = new LateEffects(l, { append: () => undefined });
  const looks = new FirstLooks({ late, clock, membership: { mayForgottenSendSince: () => hasForgotten } }, heeds);
  const record: KeyState = roomyBuffer(clock).open("k", clock.now());
  const isHeld = (state: ObjectState): boolean =>
    late.heldUntil("k", { epoch: 9, seq: 9 }, state, clock.now()) !== undefined;
  return { clock, late, looks, record, isHeld };
}

describe("FirstLooks", () => {
  it("have what was told count from the takeover on", () => {
    const { clock, late, looks, record, isHeld } = trialOf();
    late.learn({ key: "k", condition: absent, version: undefined, leftMs: l }, clock.now());
    clock.advance(1.5 * l);
    assert.equal(isHeld(absent), false);
    looks.gained(record);
    assert.equal(isHeld(absent), true, "the last request was sent under what was told");
  });

  it("remember what they find, once, and only for a key that was gained", () => {
    const { looks, record, isHeld } = trialOf();
    looks.saw(record, present);
    assert.equal(isHeld(present), false);
    looks.gained(record);
    looks.saw(record, storeUnknown);
    looks.saw(record, present);
    looks.saw(record, storeAbsent);
    assert.equal(isHeld(present), true, "what the first look has found counts");
  });

  it("take it that a value was sent as if there was no object, whatever they find", () => {
    const { looks, record, isHeld } = trialOf();
    looks.gained(record);
    looks.saw(record, present);
    assert.equal(isHeld(absent), true, "the predecessor need not have known the object");
  });

  it("remember nothing where the very version is there, or no request can take effect any more", () => {
    const { clock, looks, record, isHeld } = trialOf();
    looks.gained(record);
    looks.sawSame(record);
    looks.saw(record, present);
    looks.gained(record);
    clock.advance(l);
    looks.saw(record, present);
    assert.equal(isHeld(present), false);
  });

  it("take what forgotten owners have told each other for unknown, also where the very version is there (V69)", () => {
    for (const hasForgotten of [false, true]) {
      const { looks, record, isHeld } = trialOf(hasForgotten);
      looks.gained(record);
      looks.sawSame(record);
      assert.deepEqual([isHeld(absent), isHeld(present)], [hasForgotten, false]);
    }
  });

  it("expect any request of forgotten owners where the store ignores its condition", () => {
    const held = ([onRemovals, onCompletions]: readonly [boolean, boolean]) => {
      const { looks, record, isHeld } = trialOf(true, { onRemovals, onCompletions });
      looks.gained(record);
      looks.saw(record, storeAbsent);
      return isHeld(present);
    };
    const stores = [
      [true, true],
      [false, true],
      [true, false],
    ] as const;
    assert.deepEqual(stores.map(held), [false, true, true]);
  });

  it("remember what they find also where the key was lost in between: nobody has looked meanwhile", () => {
    const { clock, looks, record, isHeld } = trialOf();
    looks.gained(record);
    record.endTenure(new Error());
    clock.advance(l / 2);
    assert.equal(record.unknownUntil - clock.now(), l / 2);
    looks.saw(record, present);
    assert.equal(isHeld(present), true);
  });
});
