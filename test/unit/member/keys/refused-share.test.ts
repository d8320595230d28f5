/** Who is refused a write because of what the store refuses, and who is not (W28). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { Backlog } from "../../../../src/core/backlog.ts";
import { type Entry, footprint, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { WriteRequest } from "../../../../src/core/message.ts";
import { storeAwayMs } from "../../../../src/core/stop-advice.ts";
import { StoreHealth } from "../../../../src/core/store-health.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { RefusedShare } from "../../../../src/member/keys/refused-share.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { commit } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { memberOf, servingMember, stateOf, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const size = 10_000;
const bytes = footprint({ key: "k0", size, headers: noHeaders });

/** A member with room for ten values, of which six may be refused. */
function trial() {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a, b]), a, clock);
  const admission = new Admission({ dirtyBytes: 10 * bytes, refusedBytes: 6 * bytes, waitMs: 500 }, clock);
  const buffer = new WriteBuffer(admission, { append: () => undefined });
  const backlog = new Backlog();
  const metrics = new MemberMetrics();
  const health = new StoreHealth();
  const share = new RefusedShare({ buffer, membership, clock, metrics }, backlog, health);
  let seq = 0;
  const hold = (key: string, holder: string | undefined, of = size) => {
    const value = Buffer.alloc(of);
    const plain = { key, value, headers: noHeaders, md5: "", modifiedMs: 0, size: of, requestId: noRequest };
    const entry: Entry = { epoch: 4, seq: ++seq, ...plain, holder };
    return { record: commit(buffer, entry), entry, beganAt: 0, unproven: false };
  };
  /** The holder has written the key, and the store refuses it. */
  const refuse = (key: string, holder: string | undefined, of = size): void =>
    backlog.failed(hold(key, holder, of), new OperatingError("store_refused", "no"));
  const outcome = (
    key: string,
    holder: string | undefined,
    more: Partial<WriteRequest> = {},
    of = bytes,
    taken = 0,
  ): string => {
    const plain = {
      kind: "write",
      epoch: 4,
      requestId: noRequest,
      precondition: undefined,
      headers: noHeaders,
    } as const;
    const request: WriteRequest = {
      ...plain,
      key,
      holder,
      value: undefined,
      md5: "",
      durability: "replicated",
      deadlineMs: 1,
      ...more,
    };
    try {
      share.require(request, of, taken);
      return "taken";
    } catch (error) {
      return error instanceof OperatingError ? error.code : String(error);
    }
  };
  return { clock, health, admission, backlog, membership, buffer, metrics, hold, refuse, outcome };
}

describe("the share of what the store refuses", () => {
  it("is what is free of the room for it, and only its holder is refused when that is used up", () => {
    const { refuse, outcome, metrics } = trial();
    for (const key of ["k0", "k1"]) refuse(key, "a");
    // Two are there, four are free: a third fits.
    assert.equal(outcome("k2", "a"), "taken");
    refuse("k2", "a");
    // Three are there, and three are free.
    assert.equal(outcome("k3", "a"), "refused_full");
    assert.deepEqual([outcome("k3", "b"), outcome("k3", undefined)], ["taken", "taken"]);
    assert.equal(metrics.refusals.refused, 1);
    // Another holder of refused values gets its part of what is left.
    refuse("k4", "b");
    assert.equal(outcome("k5", "b", {}, bytes), "taken");
    refuse("k5", "b");
    assert.equal(outcome("k6", "b"), "refused_full");
  });

  it("takes all dirty bytes for what may be refused yet, and leaves the rest of the buffer to others", () => {
    const { refuse, hold, outcome } = trial();
    refuse("k0", "a");
    for (const key of ["k1", "k2", "k3", "k4"]) hold(key, "a");
    assert.deepEqual([outcome("k5", "a"), outcome("k5", "b")], ["refused_full", "taken"]);
  });

  it("is nobody's for what was inherited, which takes room all the same", () => {
    const { refuse, outcome } = trial();
    for (const key of ["k0", "k1", "k2", "k3", "k4"]) refuse(key, undefined);
    assert.equal(outcome("k5", "a"), "taken");
    refuse("k5", "a");
    assert.deepEqual([outcome("k6", "a"), outcome("k6", "b")], ["refused_full", "taken"]);
  });

  it("is free again when the store has taken the values, or they were given up", () => {
    const { refuse, outcome, backlog, buffer } = trial();
    for (const key of ["k0", "k1", "k2"]) refuse(key, "a");
    assert.equal(outcome("k3", "a"), "refused_full");
    const record = buffer.get("k0");
    assert.ok(record);
    backlog.remove(record);
    buffer.remove(record);
    assert.equal(outcome("k3", "a"), "taken");
  });

  it("takes a write that needs no more room than what it replaces, and an upload", () => {
    const { refuse, outcome } = trial();
    for (const key of ["k0", "k1", "k2"]) refuse(key, "a");
    assert.equal(outcome("k0", "a"), "taken");
    assert.equal(outcome("k0", "a", {}, bytes + 1), "refused_full");
    const upload = { token: "t", size: 1e9, manifest: Buffer.alloc(9) };
    assert.equal(outcome("k3", "a", { upload }), "taken");
  });

  it("is not gone by while the store refuses little in all, and then does not turn one away whose part is little", () => {
    const { refuse, hold, outcome } = trial();
    refuse("k0", "a", 0);
    for (const key of ["k1", "k2", "k3", "k4", "k5", "k6"]) hold(key, "b");
    assert.equal(outcome("k7", "a"), "taken");
    for (const [key, holder] of Object.entries({ k8: "b", k9: "c" })) refuse(key, holder, 0);
    assert.deepEqual([outcome("k7", "a"), outcome("k7", "d")], ["buffer_full", "taken"]);
    refuse("k10", "a");
    assert.deepEqual([outcome("k7", "a"), outcome("k7", "b")], ["refused_full", "buffer_full"]);
  });

  it("is not gone by while the store takes nothing at all, whatever it says", () => {
    const { clock, health, refuse, outcome } = trial();
    for (const key of ["k0", "k1", "k2"]) refuse(key, "a");
    health.failed(clock.now());
    clock.advance(storeAwayMs);
    assert.equal(outcome("k3", "a"), "refused_full");
    clock.advance(1);
    assert.equal(outcome("k3", "a"), "taken");
    health.worked(clock.now());
    assert.equal(outcome("k3", "a"), "refused_full");
  });

  it("counts once what the write has taken already", () => {
    const { admission, refuse, outcome } = trial();
    for (const key of ["k0", "k1"]) refuse(key, "a");
    admission.take(2 * bytes);
    assert.equal(outcome("k2", "a", {}, bytes, bytes), "taken");
    assert.equal(outcome("k2", "a", {}, bytes, 0), "refused_full");
  });

  it("goes by the fullest of the key's owners, as far as they have said", () => {
    const { refuse, outcome, membership } = trial();
    refuse("k0", "a");
    assert.equal(outcome("k1", "a"), "taken");
    const state = stateOf(4, "handed_off");
    membership.hear(b, { ...state, figures: { ...state.figures, refusedRoomBytes: bytes } });
    assert.deepEqual([outcome("k1", "a"), outcome("k1", "b")], ["refused_full", "taken"]);
  });
});
