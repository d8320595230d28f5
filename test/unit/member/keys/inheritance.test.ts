/**
 * What becomes of entries whose key this member gains: nobody sees them before every owner has them (V45, V46, V53).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { whatTheStoreHas } from "../../../../src/core/discarded.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { PendingWrite } from "../../../../src/core/pending-write.ts";
import type { View } from "../../../../src/core/view.ts";
import type { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { Inheritance } from "../../../../src/member/keys/inheritance.ts";
import { Replicator } from "../../../../src/member/keys/replicator.ts";
import { arrive, hold, roomyBuffer, wholeSlices } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork } from "../../../harness/scripted-network.ts";
import {
  keyWhere,
  memberIn,
  memberOf,
  nextView,
  parameters,
  pastOf,
  ringOf,
  viewOf,
} from "../../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const view = viewOf(4, [a, b, c]);
const keyOf = (of: View, ...owners: string[]): string =>
  keyWhere((key) => ringOf(of).ownersOf(key).join() === owners.join());

function entryOf(key: string, seq = 1): Entry {
  const common = { key, epoch: 3, seq, headers: noHeaders, md5: "", modifiedMs: 0, size: 1 };
  return { ...common, value: Buffer.from("v"), requestId: noRequest };
}

interface Trial {
  readonly buffer: WriteBuffer;
  readonly network: ScriptedNetwork;
  readonly inheritance: Inheritance;
  /** The keys for which a commit was tried. */
  readonly tried: string[];
  /** How often nothing was asked of the store any more. */
  readonly asked: () => number;
}

function trialOf(membership: Membership, ...keys: readonly string[]): Trial {
  const clock = new ManualClock();
  const network = new ScriptedNetwork();
  const buffer = roomyBuffer(clock);
  for (const key of keys) hold(buffer, entryOf(key));
  const tried: string[] = [];
  const nothing = (): undefined => undefined;
  const complaints = new Complaints(new RecordedLog(), clock, 10_000);
  const slices = new Slices(clock, wholeSlices);
  const context = { membership, buffer, network, clock, complaints, slices };
  const replicator = new Replicator(
    context,
    { commitReady: nothing },
    { onNewerEpoch: nothing, onStuck: nothing },
    4_000,
  );
  const committer = { commitReady: (record: KeyState): unknown => tried.push(record.key) };
  let asked = 0;
  const onAsked = (): unknown => asked++;
  const flush = { add: nothing, expediteAwaited: nothing };
  return {
    buffer,
    network,
    tried,
    asked: () => asked,
    inheritance: new Inheritance(context, { replicator, committer, flush, onAsked }),
  };
}

const recordOf = ({ buffer }: Trial, key: string): KeyState => {
  const record = buffer.get(key);
  assert.ok(record, `nothing is held of ${key}`);
  return record;
};

const firstOf = ({ buffer }: Trial, key: string): PendingWrite => {
  const first = buffer.get(key)?.pending[0];
  assert.ok(first, `nothing is pending of ${key}`);
  return first;
};

describe("Inheritance.begin", () => {
  it("makes what is held of the keys gained pending, until every other owner has it", () => {
    const key = keyOf(view, "a", "b");
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.begin(() => undefined);
    const { inherited, missing, needsStore, entry } = firstOf(trial, key);
    assert.deepEqual([inherited, missing, needsStore, entry], [true, ["b"], false, entryOf(key)]);
    assert.equal(trial.buffer.get(key)?.entry, undefined);
    assert.equal(trial.network.sent.length, 0, "the hand-off brings it in bulk");
  });

  it("leaves alone what others are the primary of, and what is served without a break", () => {
    const alone = viewOf(4, [a]);
    const membership = memberIn(alone, a);
    membership.activate(true);
    const next = nextView(alone, [a, b]);
    membership.adopt(next);
    const [kept, gone] = [keyOf(next, "a", "b"), keyOf(next, "b", "a")];
    const trial = trialOf(membership, kept, gone);
    trial.inheritance.begin(() => undefined);
    for (const key of [kept, gone]) {
      assert.deepEqual([trial.buffer.get(key)?.pending, trial.buffer.get(key)?.entry], [[], entryOf(key)]);
    }
  });

  it("leaves alone what is in doubt: what is held may not be the newest", () => {
    const after = { ...viewOf(9, [a], [pastOf(viewOf(8, [b, c])), pastOf(viewOf(9, [a, b]))]) };
    const trial = trialOf(memberIn(after, a), "k");
    trial.inheritance.begin(() => undefined);
    assert.deepEqual(trial.buffer.get("k")?.pending, []);
  });

  it("asks for the store where there are too few owners, or an operator gave up what the store may have a newer state of", () => {
    const alone = trialOf(memberIn(viewOf(4, [a]), a), "k");
    alone.inheritance.begin(() => undefined);
    assert.deepEqual([firstOf(alone, "k").missing, firstOf(alone, "k").needsStore], [[], true]);

    const past = pastOf(viewOf(8, [{ ...c, forgotten: true } as typeof c]));
    const given = viewOf(9, [a, b], [past]);
    const key = keyOf(given, "a", "b");
    const trial = trialOf(memberIn(given, a), key);
    trial.inheritance.begin(() => undefined);
    assert.deepEqual([firstOf(trial, key).missing, firstOf(trial, key).needsStore], [["b"], true]);
  });

  it("asks for the store about a reference and about a discard, though there are enough owners (L5, D6)", () => {
    const key = keyOf(view, "a", "b");
    for (const upload of [{ token: "t", size: 9, manifest: Buffer.from("m") }, whatTheStoreHas]) {
      const trial = trialOf(memberIn(view, a));
      hold(trial.buffer, { ...entryOf(key), value: undefined, upload });
      trial.inheritance.begin(() => undefined);
      assert.deepEqual([firstOf(trial, key).missing, firstOf(trial, key).needsStore], [["b"], true]);
    }
  });

  it("says for how long the store is asked about what was given up, and when that is over, however it ends", async () => {
    const alone = trialOf(memberIn(viewOf(4, [a]), a), "k");
    alone.inheritance.begin(() => undefined);
    assert.equal(alone.inheritance.asksStore, false, "here is all that there was");

    const past = pastOf(viewOf(8, [{ ...c, forgotten: true } as typeof c]));
    const trial = trialOf(memberIn(viewOf(9, [a], [past]), a), "k", "l");
    trial.inheritance.begin(() => undefined);
    const [found, lost] = [recordOf(trial, "k"), recordOf(trial, "l")];
    arrive(found, firstOf(trial, "k").entry);
    trial.buffer.commit(found);
    await Promise.resolve();
    assert.deepEqual([trial.inheritance.asksStore, trial.asked()], [true, 0], "the other key");
    trial.buffer.endTenure(lost, new OperatingError("not_ready", "another node owns it now"));
    await Promise.resolve();
    assert.deepEqual([trial.inheritance.asksStore, trial.asked()], [false, 1]);
  });

  it("tries at once to commit what nobody else has to have", () => {
    const single = { ...viewOf(4, [a, b]), parameters: { ...parameters, replicas: 1 } };
    const key = keyWhere((each) => memberIn(single, a).ownersOf(each)[0] === "a");
    const trial = trialOf(memberIn(single, a), key);
    trial.inheritance.begin(() => undefined);
    assert.deepEqual([firstOf(trial, key).missing, firstOf(trial, key).needsStore, trial.tried], [[], false, [key]]);
  });
});

describe("Inheritance.acknowledged", () => {
  const key = keyOf(view, "a", "b");

  /** An inherited entry of version (3, 1), of which b acknowledges version (3, `seq`). */
  function missingAfter(seq: number, peer = "b"): readonly string[] {
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.begin(() => undefined);
    trial.tried.length = 0;
    trial.inheritance.acknowledged(key, { epoch: 3, seq }, peer);
    assert.equal(trial.tried.length, seq >= 1 ? 1 : 0);
    return firstOf(trial, key).missing;
  }

  it("counts for this version and for newer ones, of that owner", () => {
    assert.deepEqual(missingAfter(1), []);
    assert.deepEqual(missingAfter(2), []);
    assert.deepEqual(missingAfter(0), ["b"]);
    assert.deepEqual(missingAfter(1, "c"), ["b"]);
  });

  it("does not count for an entry that was sent ahead, which counts by the answer to that", () => {
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.begin(() => undefined);
    trial.tried.length = 0;
    trial.inheritance.sendAhead(recordOf(trial, key));
    trial.inheritance.acknowledged(key, { epoch: 3, seq: 1 }, "b");
    assert.deepEqual([firstOf(trial, key).missing, trial.tried], [["b"], []]);
  });

  it("means nothing for a key of which nothing is inherited", () => {
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.acknowledged(key, { epoch: 3, seq: 1 }, "b");
    trial.inheritance.acknowledged("nothing", { epoch: 3, seq: 1 }, "b");
    assert.deepEqual(trial.tried, []);
  });
});

describe("Inheritance.sendAhead", () => {
  const key = keyOf(view, "a", "b");

  it("sends an inherited entry ahead of the others, once", () => {
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.begin(() => undefined);
    const record = recordOf(trial, key);
    trial.inheritance.sendAhead(record);
    trial.inheritance.sendAhead(record);
    assert.deepEqual(
      trial.network.sent.map(({ to, request }) => [to, request.kind]),
      [["b", "replicate"]],
    );
  });

  it("counts by the hand-off under the next view, where it is not sent anew", () => {
    const key = keyOf(view, "a", "b");
    const trial = trialOf(memberIn(view, a), key);
    trial.inheritance.begin(() => undefined);
    const record = recordOf(trial, key);
    trial.inheritance.sendAhead(record);
    record.beginEpoch(["b"], false, false);
    assert.deepEqual([firstOf(trial, key).missing, firstOf(trial, key).sentAhead], [["b"], false]);
    trial.inheritance.acknowledged(key, { epoch: 3, seq: 1 }, "b");
    assert.deepEqual(firstOf(trial, key).missing, []);
    record.beginEpoch(["b"], false, true);
    trial.inheritance.acknowledged(key, { epoch: 3, seq: 1 }, "b");
    assert.deepEqual(firstOf(trial, key).missing, ["b"]);
  });

  it("sends nothing that is held, nor what a newer view has sent to all already", () => {
    const trial = trialOf(memberIn(view, a), key);
    const record = recordOf(trial, key);
    trial.inheritance.sendAhead(record);
    trial.inheritance.begin(() => undefined);
    record.beginEpoch(["b"], false);
    trial.inheritance.sendAhead(record);
    assert.deepEqual(trial.network.sent, []);
  });
});
