/** What a repeat of a completion is told when only the object says whether it was done (L8, L18). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, noHeaders, noRequest, type Upload } from "../../../../src/core/entry.ts";
import type { WriteOutcome } from "../../../../src/core/operation.ts";
import type { Precondition } from "../../../../src/core/precondition.ts";
import { formatManifest } from "../../../../src/core/upload-manifest.ts";
import { formatPartedToken, formatToken } from "../../../../src/core/upload-token.ts";
import { Repeats } from "../../../../src/member/keys/repeats.ts";
import { commit, roomyBuffer } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const version = { epoch: 4, seq: 5 };
const absent: Precondition = { noneMatch: ["*"] };

const parted = uploadOf(formatPartedToken("c", "k", 4, "0"));
const streamed = uploadOf(formatToken("c", "k", 4, "0"));

function uploadOf(token: string): Upload {
  return { token, size: 9, manifest: formatManifest({ id: "u", parts: ["p"] }) };
}

/** The object is that of the upload, and the newest write has this version; undefined where nothing is held. */
function repeat(upload: Upload, precondition?: Precondition, newest?: typeof version): Promise<WriteOutcome> {
  const clock = new ManualClock();
  const buffer = roomyBuffer(clock);
  if (newest) {
    const plain = { key: "k", value: Buffer.from("x"), headers: noHeaders, md5: "", modifiedMs: 7, size: 1 };
    const entry: Entry = { ...newest, ...plain, requestId: noRequest };
    commit(buffer, entry);
  }
  const context = { membership: servingMember(viewOf(4, [a]), a, clock), buffer };
  const repeats = new Repeats(context, {
    tagOfUpload: async (_key, { token, size }) => (token === upload.token && size === upload.size ? "e" : undefined),
  });
  return repeats.answer({ requestId: noRequest, key: "k", version }, { upload, precondition });
}

describe("a repeat of a completion", () => {
  it("is told that it was done when the object has its token", async () => {
    for (const upload of [streamed, parted]) assert.equal((await repeat(upload)).kind, "written");
    assert.equal((await repeat(streamed, absent)).kind, "written");
  });

  it("with a condition is not told so when another completion of the upload may have brought the object", async () => {
    const cannotBeTold = { code: "deadline_exceeded" };
    await assert.rejects(repeat(parted, absent), cannotBeTold);
    await assert.rejects(repeat(parted, absent, { epoch: 4, seq: 6 }), cannotBeTold);
    assert.equal((await repeat(parted, absent, version)).kind, "written");
  });
});
