/** Who waits for the store: until when, for which version, and what ends it (W21, W22). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import type { WriteRequest } from "../../../../src/core/message.ts";
import type { Durability, Written } from "../../../../src/core/operation.ts";
import type { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { DurableWrites, StoredWaits } from "../../../../src/member/keys/durable-writes.ts";
import { commit, roomyBuffer, storeVisible } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { keyWhere, memberOf, ringOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const view = viewOf(4, [a, b]);
const key = keyWhere((each) => ringOf(view).ownersOf(each)[0] === "a");

interface Trial {
  readonly clock: ManualClock;
  readonly writes: DurableWrites;
  readonly waits: StoredWaits;
  readonly record: KeyState;
  readonly buffer: WriteBuffer;
  readonly expedited: readonly string[];
  /** Begins the write of version (4, 1), which has committed; tells what became of it. */
  readonly write: (durability: Durability) => { outcome: Written | Error | undefined };
}

/** Member a, which holds the committed version (4, 1) of its key, not flushed. */
function trialOf(): Trial {
  const clock = new ManualClock();
  const buffer = roomyBuffer(clock);
  const common = { key, epoch: 4, seq: 1, headers: noHeaders, md5: "", modifiedMs: 0, size: 1 };
  const entry: Entry = { ...common, value: Buffer.from("v"), requestId: noRequest };
  const record = commit(buffer, entry);
  const waits = new StoredWaits();
  const expedited: string[] = [];
  const answer: Written = { kind: "written", version: { epoch: 4, seq: 1 }, tag: "", durability: "replicated" };
  const writes = new DurableWrites(
    { membership: servingMember(view, a, clock), buffer, clock },
    {
      primary: { write: () => Promise.resolve(answer) },
      flush: { expediteAwaited: (each) => expedited.push(each.key) },
      waits,
    },
  );
  const write: Trial["write"] = (durability) => {
    const { value, headers, md5, requestId } = entry;
    const common = { key, value, headers, md5, requestId, precondition: undefined };
    const request: WriteRequest = { kind: "write", epoch: 4, ...common, durability, deadlineMs: 10_000 };
    const result: ReturnType<Trial["write"]> = { outcome: undefined };
    writes.write(request).then(
      (outcome) => {
        assert.equal(outcome.kind, "written");
        result.outcome = outcome as Written;
      },
      (error: unknown) => {
        result.outcome = error as Error;
      },
    );
    return result;
  };
  return { clock, writes, waits, record, buffer, expedited, write };
}

const durabilityOf = ({ outcome }: ReturnType<Trial["write"]>): string | undefined =>
  outcome instanceof Error ? outcome.message : outcome?.durability;

describe("DurableWrites.write", () => {
  it("answers a write that asks for no more as replicated, and expedites nothing", async () => {
    const trial = trialOf();
    const answer = trial.write("replicated");
    await turn();
    assert.equal(durabilityOf(answer), "replicated");
    assert.deepEqual(trial.expedited, []);
  });

  it("says stored of any write that the store has already, by a flush that is proven or because nothing is dirty any more", async () => {
    const trial = trialOf();
    storeVisible(trial.record, true);
    const unproven = trial.write("replicated");
    await turn();
    assert.equal(durabilityOf(unproven), "replicated");
    trial.record.proved(true);
    const flushed = trial.write("replicated");
    await turn();
    assert.equal(durabilityOf(flushed), "stored");
    trial.buffer.remove(trial.record);
    const clean = trial.write("stored");
    await turn();
    assert.equal(durabilityOf(clean), "stored");
  });

  it("expedites the flush and waits until the store has that version or a newer one", async () => {
    for (const seq of [1, 5]) {
      const trial = trialOf();
      const answer = trial.write("stored");
      await turn();
      assert.deepEqual([trial.expedited, trial.waits.isAwaited(key)], [[key], true]);
      trial.waits.stored(key, { epoch: 3, seq: 99 });
      trial.waits.stored(`not ${key}`, { epoch: 9, seq: 9 });
      await turn();
      assert.equal(durabilityOf(answer), undefined);
      trial.waits.stored(key, { epoch: 4, seq });
      await turn();
      assert.deepEqual([durabilityOf(answer), trial.waits.isAwaited(key)], ["stored", false]);
    }
  });

  it("says in time before the deadline that the write is only replicated", async () => {
    const trial = trialOf();
    const answer = trial.write("stored");
    await turn();
    trial.clock.advance(9_790);
    await turn();
    assert.equal(durabilityOf(answer), undefined);
    trial.clock.advance(20);
    await turn();
    assert.deepEqual([durabilityOf(answer), trial.waits.isAwaited(key)], ["replicated", false]);
  });

  it("sends a client that waits on to the next primary when the view changes", async () => {
    const trial = trialOf();
    const answer = trial.write("stored");
    await turn();
    trial.writes.adoptView();
    await turn();
    assert.ok(
      answer.outcome instanceof Error && "code" in answer.outcome && answer.outcome.code === "peer_unreachable",
    );
  });
});
