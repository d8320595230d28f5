/**
 * How the flusher completes uploads: when one is lost for good, and its writer may be told that nothing was stored (L6,
 * L7), and which object it takes for its own (L16, L17).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import { formatManifest } from "../../../../src/core/upload-manifest.ts";
import { formatVersion } from "../../../../src/core/version.ts";
import type { Flusher } from "../../../../src/member/flush/flusher.ts";
import type { BlobInfo, BlobStore, CompleteResult } from "../../../../src/store/blob-store.ts";
import { assign, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
/** The object, once the upload is completed. */
const completed: BlobInfo = { headers: noHeaders, modifiedMs: 7, size: 9, tag: "e", version: undefined, upload: "t" };
const gone: CompleteResult = { kind: "gone" };
const unavailable = new OperatingError("store_unavailable", "no answer");
const refused = new OperatingError("store_refused", "over the quota");

class Trial {
  readonly clock = new ManualClock();
  readonly membership = servingMember(viewOf(4, [a]), a, this.clock);
  readonly record: KeyState;
  /** What was asked of the store, and told. */
  readonly asked: string[] = [];
  readonly told: string[] = [];
  /** What it answers to completions and abortions, one after the other. */
  readonly completions: (CompleteResult | Error)[] = [];
  readonly abortions: (undefined | Error)[] = [];
  object: BlobInfo | undefined;
  /** What the object is after a completion. */
  onCompleted: () => BlobInfo | undefined = () => this.object;
  readonly #flusher: Flusher;

  constructor(token = "t") {
    const { clock, membership } = this;
    const buffer = roomyBuffer(clock);
    const answer = <T>(what: string, answers: (T | Error)[]): Promise<T> => {
      this.asked.push(what);
      assert.notEqual(answers.length, 0, `${what} is not expected`);
      const next = answers.shift() as T | Error;
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    };
    const store: Partial<BlobStore> = {
      stat: () => Promise.resolve(this.object),
      read: () =>
        Promise.resolve(
          this.object ? { kind: "found", blob: { ...this.object, body: Buffer.alloc(9) } } : { kind: "missing" },
        ),
      completeUpload: () => {
        this.object = this.onCompleted();
        return answer("complete", this.completions);
      },
      abortUpload: () => answer("abort", this.abortions),
    };
    this.#flusher = trialFlusher({
      clock,
      membership,
      buffer,
      store,
      concurrency: 4,
      observer: {
        commitReady: () => this.told.push("written"),
        takeOver: () => this.told.push("newer"),
        loseUpload: (record, refusal, wasTried) => {
          this.told.push(
            `lost${refusal ? `: ${refusal.message}` : ""}${wasTried ? "" : ", perhaps after it was there"}`,
          );
          buffer.loseUpload(record, refusal ?? new OperatingError("store_unavailable", "the upload is lost"));
        },
      },
    });
    const upload = { token, size: 9, manifest: formatManifest({ id: "u", parts: ["p"] }) };
    const plain = { epoch: 4, seq: 1, key: "k", value: undefined, headers: noHeaders, md5: "", modifiedMs: 7, size: 9 };
    const entry: Entry = { ...plain, requestId: noRequest, upload };
    this.record = buffer.open("k", 0);
    const write = assign(buffer, entry);
    write.outcome.catch(() => undefined);
    this.record.journaled(write);
  }

  /** The flusher's next attempt, to its end. */
  async attempt(): Promise<void> {
    if (this.asked.length === 0) this.#flusher.queue.expedite(this.record);
    else this.clock.advance(100);
    this.membership.lease.confirmByStore(this.membership.lease.stamp());
    await turn();
  }
}

describe("Flusher, of an upload", () => {
  it("completes it, once all have its reference, and tells its tag", async () => {
    const trial = new Trial();
    trial.completions.push({ kind: "written", tag: "e" });
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told, trial.record.pending[0]?.tag], [["complete"], ["written"], "e"]);
  });

  it("that may have been completed before believes the store only when the object has its token and its size", async () => {
    const token = "c.1.2.1.p0";
    const done = new Trial(token);
    done.completions.push({ kind: "written", tag: "e" });
    done.onCompleted = () => ({ ...completed, upload: token });
    await done.attempt();
    assert.deepEqual([done.told, done.record.pending[0]?.tag], [["written"], "e"]);

    for (const object of [completed, { ...completed, upload: token, size: 8 }, undefined]) {
      const trial = new Trial(token);
      trial.object = object;
      trial.completions.push({ kind: "written", tag: "e" });
      await trial.attempt();
      assert.deepEqual([trial.asked, trial.told], [["complete"], ["lost"]]);
    }
  });

  it("is not lost at a primary whose lease has ended: a next one may have completed it, and written over it", async () => {
    for (const result of [gone, { kind: "written", tag: "e" }] as const) {
      const trial = new Trial("c.1.2.1.p0");
      trial.completions.push(result);
      trial.onCompleted = () => {
        trial.clock.advance(60_000);
        return { ...completed, upload: undefined, tag: "x" };
      };
      await trial.attempt();
      assert.deepEqual([trial.asked, trial.told], [["complete"], []]);
    }
  });

  it("that lacks a part is aborted before it is lost, and not lost while it can't be", async () => {
    const trial = new Trial();
    trial.completions.push({ kind: "incomplete" }, { kind: "incomplete" });
    trial.abortions.push(unavailable, undefined);
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [["complete", "abort"], []]);
    trial.clock.advance(trial.membership.view.parameters.flushDeadlineMs);
    await trial.attempt();
    assert.deepEqual([trial.asked.slice(2), trial.told], [["complete", "abort"], ["lost"]]);
  });

  it("takes an object of other parts for none of its own", async () => {
    const trial = new Trial();
    trial.object = { ...completed, size: 8 };
    trial.completions.push(gone);
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [["complete"], ["lost"]]);
  });

  it("is lost to a newer value that it finds, and may have been there before that", async () => {
    const trial = new Trial();
    const { clusterId } = trial.membership.view.parameters;
    const version = formatVersion(clusterId, "k", { epoch: 4, seq: 2 });
    trial.object = { ...completed, upload: undefined, version };
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [[], ["newer", "lost, perhaps after it was there"]]);
  });

  it("that is gone says it is lost, at once if nothing else can have completed it", async () => {
    const trial = new Trial();
    trial.completions.push(gone);
    await trial.attempt();
    assert.deepEqual(trial.told, ["lost"]);
  });

  it("that is gone does not say so while an earlier request may complete it yet, and it turns out to be there", async () => {
    const trial = new Trial();
    const { flushDeadlineMs } = trial.membership.view.parameters;
    trial.completions.push(unavailable, gone, gone);
    for (let attempts = 0; attempts < 3; attempts++) await trial.attempt();
    assert.ok(trial.clock.now() < flushDeadlineMs);
    assert.deepEqual([trial.asked, trial.told], [["complete", "complete", "complete"], []]);
    trial.object = completed;
    await trial.attempt();
    assert.deepEqual([trial.told, trial.record.pending[0]?.tag], [["written"], "e"]);
  });

  it("that is gone says it is lost once no earlier request can complete it any more", async () => {
    const trial = new Trial();
    const { flushDeadlineMs } = trial.membership.view.parameters;
    trial.completions.push(unavailable, ...Array.from({ length: flushDeadlineMs }, () => gone));
    while (trial.told.length === 0) await trial.attempt();
    assert.ok(trial.clock.now() >= flushDeadlineMs);
    assert.deepEqual(trial.told, ["lost"]);
  });

  it("that is gone after a failure that may have completed it is lost only when that can't show any more", async () => {
    const trial = new Trial();
    const unsure: CompleteResult = { kind: "gone", isUnsure: true };
    trial.completions.push(unsure, unsure);
    await trial.attempt();
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [["complete", "complete"], []]);
    trial.completions.push(unsure);
    trial.clock.advance(trial.membership.view.parameters.flushDeadlineMs);
    await trial.attempt();
    assert.deepEqual(trial.told, ["lost"]);

    const done = new Trial();
    done.completions.push(unsure);
    await done.attempt();
    done.object = completed;
    await done.attempt();
    assert.deepEqual(done.told, ["written"]);
  });

  it("that the store refuses to complete is aborted, and lost for the store's reason", async () => {
    const trial = new Trial();
    trial.completions.push(refused);
    trial.abortions.push(undefined);
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [["complete", "abort"], ["lost: over the quota"]]);
  });

  it("that the store refuses to abort as well is kept, and completed when it refuses no more", async () => {
    const trial = new Trial();
    trial.completions.push(refused, { kind: "written", tag: "e" });
    trial.abortions.push(new OperatingError("store_refused", "bad key"));
    await trial.attempt();
    assert.deepEqual([trial.told, trial.record.failures], [[], 1]);
    await trial.attempt();
    assert.deepEqual([trial.asked, trial.told], [["complete", "abort", "complete"], ["written"]]);
  });
});
