/** What a member makes of its store before anything else: whether several members can agree through it (F23). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { probeStore } from "../../../../src/member/views/store-probe.ts";
import type { BlobStore, StoreAbilities } from "../../../../src/store/blob-store.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";

function storeWith(probe: () => Promise<StoreAbilities>): BlobStore {
  return { description: "a store", probe } as Partial<BlobStore> as BlobStore;
}

function abilities(conditionalWrites: boolean): StoreAbilities {
  return { conditionalWrites, conditionalRemoves: false, conditionalCompletions: false, notes: [] };
}

describe("the probe of a store", () => {
  const { signal } = new AbortController();

  it("ends the start of several nodes where conditions on writes are ignored, and lets one node start", async () => {
    const parts = {
      store: storeWith(() => Promise.resolve(abilities(false))),
      clock: new ManualClock(),
      log: new RecordedLog(),
    };
    await assert.rejects(probeStore(parts, 2, signal), { code: "store_refused" });
    assert.deepEqual(parts.log.messages("warn"), []);
    await probeStore(parts, 1, signal);
    assert.deepEqual(parts.log.messages("warn"), [
      "the store ignores conditions on writes: no second node may ever be started over it",
    ]);
  });

  it("goes on for as long as the store does not answer, and takes its first answer", async () => {
    const clock = new ManualClock();
    let count = 0;
    const probe = (): Promise<StoreAbilities> =>
      ++count < 3
        ? Promise.reject(new OperatingError("store_unavailable", "no answer"))
        : Promise.resolve(abilities(true));
    let isDone = false;
    const probed = probeStore({ store: storeWith(probe), clock, log: new RecordedLog() }, 3, signal).then(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    await probed;
    assert.equal(count, 3);
  });
});
