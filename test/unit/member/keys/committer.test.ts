/** What the writer of an upload that is lost is told (L6, L7, L19). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nothingStored, OperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { formatManifest } from "../../../../src/core/upload-manifest.ts";
import { formatPartedToken, formatToken } from "../../../../src/core/upload-token.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { Committer } from "../../../../src/member/keys/committer.ts";
import { MemberMetrics } from "../../../../src/member/metrics.ts";
import { assign, roomyBuffer, wholeSlices } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const streamed = formatToken("c", "k", 4, "0");
const parted = formatPartedToken("c", "k", 4, "0");

/** What the writer of a reference with this token is told. */
async function toldOf(token: string, refusal?: OperatingError): Promise<string> {
  const clock = new ManualClock();
  const buffer = roomyBuffer(clock);
  const nothing = (): undefined => undefined;
  const context = {
    membership: servingMember(viewOf(4, [a]), a, clock),
    buffer,
    cache: createCache(0),
    clock,
    metrics: new MemberMetrics(),
    slices: new Slices(clock, wholeSlices),
  };
  const flush = { add: nothing, schedule: nothing, expedite: nothing, expediteAwaited: nothing };
  const upload = { token, size: 9, manifest: formatManifest({ id: "u", parts: ["p"] }) };
  const plain = { epoch: 4, seq: 1, key: "k", value: undefined, headers: noHeaders, md5: "", modifiedMs: 7, size: 9 };
  const entry: Entry = { ...plain, requestId: noRequest, upload };
  const { outcome } = assign(buffer, entry);
  new Committer(context, flush).loseUpload(buffer.open("k", 0), refusal);
  return await outcome.then(
    () => "done",
    (error: OperatingError) => error.message,
  );
}

describe("the writer of an upload that is lost", () => {
  it("is told that nothing was stored", async () => {
    assert.ok((await toldOf(streamed)).endsWith(nothingStored));
  });

  it("of a parted one is told so only if the store has refused it: what it lacks may come again", async () => {
    assert.ok(!(await toldOf(parted)).endsWith(nothingStored));
    const refusal = new OperatingError("store_refused", "over the quota");
    assert.equal(await toldOf(parted, refusal), `over the quota${nothingStored}`);
  });
});
