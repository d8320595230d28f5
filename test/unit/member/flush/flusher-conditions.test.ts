/**
 * A store whose conditions nothing fulfils, as when versioning is switched on for a live bucket: the flusher says so.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { BlobInfo } from "../../../../src/store/blob-store.ts";
import { commit, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { trialFlusher } from "../../../harness/trial-flusher.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const entry: Entry = {
  epoch: 4,
  seq: 1,
  key: "k",
  value: Buffer.from("v"),
  headers: noHeaders,
  md5: "",
  modifiedMs: 7,
  size: 1,
  requestId: noRequest,
};

/** Why the flush of a key fails over a store that refuses every condition, and whose looks show these tags in turn. */
async function failureOver(...tags: (string | undefined)[]): Promise<{ reason: string | undefined; writes: number }> {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  let writes = 0;
  let looks = 0;
  const flusher = trialFlusher({
    clock,
    membership,
    buffer,
    store: {
      write: () => {
        writes += 1;
        return Promise.resolve({ kind: "conflict" });
      },
      stat: () => {
        const tag = tags[looks++ % tags.length];
        const info: BlobInfo = { tag: tag ?? "", size: 1, headers: {}, version: "", upload: undefined, modifiedMs: 0 };
        return Promise.resolve(tag === undefined ? undefined : info);
      },
    },
  });
  const record = commit(buffer, entry);
  membership.lease.confirmByStore(membership.lease.stamp());
  flusher.queue.schedule(record);
  for (let i = 0; i < 20; i += 1) {
    clock.advance(1);
    await turn();
  }
  return { reason: record.failure?.message, writes };
}

describe("Flusher, over a store that refuses every condition", () => {
  it("names conditions that nothing fulfils when each look shows the very tag that was asked for", async () => {
    const { reason, writes } = await failureOver("t");
    assert.match(reason ?? "", /refuses a write on the condition of the very tag that it shows: is versioning on\?/);
    assert.equal(writes, 4);
  });

  it("does so when each look shows that there is nothing, which it was to create", async () => {
    const { reason } = await failureOver(undefined);
    assert.match(reason ?? "", /refuses to create what it says is not there/);
  });

  it("names another writer when each look shows another tag", async () => {
    const { reason } = await failureOver("t", "u");
    assert.match(reason ?? "", /another writer keeps changing the object/);
  });
});
