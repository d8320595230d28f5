/** Which uploads are held back while a request without an answer may still take effect (F24). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { type Flight, type KeyState, type StoreKnowledge, storeUnknown } from "../../../../src/core/key-state.ts";
import { LateEffects } from "../../../../src/core/late-effects.ts";
import { formatManifest, tagOfParts } from "../../../../src/core/upload-manifest.ts";
import { LateHold } from "../../../../src/member/flush/late-hold.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const parts = ["4eb80f811d34a4d783e89923ebf4db4a", "a05bae278c200f7557361618f22fbb95"];
const s3Tag = tagOfParts(parts) as string;
const ownTag = "7f43dfd81edda3bd0c04cc63ef3bc50d-2";

/** A value of these parts, the write number `seq` of its key. */
function uploadOf(seq: number): Entry {
  const upload = { token: `token-${seq}`, size: 10, manifest: formatManifest({ id: `upload-${seq}`, parts }) };
  const plain = { epoch: 4, seq, key: "k", headers: noHeaders, modifiedMs: 7, requestId: noRequest };
  return { ...plain, value: undefined, md5: "", size: 10, upload };
}

/** A request without an answer, whose condition is the object's tag then. */
function trialOf(tag: string) {
  const clock = new ManualClock();
  const late = new LateEffects(1_000, { append: () => undefined });
  const hold = new LateHold({ late, clock }, { tell: () => Promise.resolve() });
  late.add("k", { epoch: 4, seq: 1 }, { kind: "present", tag }, clock.now());
  const recordOf = (store: StoreKnowledge): KeyState => ({ key: "k", store }) as KeyState;
  const isHeld = (): boolean => hold.heldUntil(recordOf(storeUnknown), uploadOf(3)) !== undefined;
  const completed = (given: string): boolean =>
    hold.mayBeUndone({ record: recordOf({ kind: "present", tag: given }), entry: uploadOf(2) } as Flight);
  return { isHeld, completed };
}

describe("LateHold of uploads", () => {
  it("holds one back under any tag of an upload, once the store has made another one than S3", () => {
    const { isHeld, completed } = trialOf(ownTag);
    completed(s3Tag);
    assert.equal(isHeld(), false);
    assert.equal(completed(ownTag), true);
    assert.equal(isHeld(), true);
    completed(s3Tag);
    assert.equal(isHeld(), true);
  });

  it("holds one back under the very tag that S3 makes of its parts", () => {
    const { isHeld } = trialOf(s3Tag);
    assert.equal(isHeld(), true);
  });

  it("does not hold one back under the tag of a value that came at once", () => {
    const { isHeld } = trialOf("88cd58a505dd1a8412abb00c17545eb7");
    assert.equal(isHeld(), false);
  });
});
