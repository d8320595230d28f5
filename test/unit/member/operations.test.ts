/** A host without a member refuses everything in one way. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noMember } from "../../../src/member/operations.ts";
import { deleteOf } from "../../harness/write-operations.ts";

describe("a host that has no member", () => {
  it("refuses every operation with not_ready, and throws nothing before it is awaited", async () => {
    const version = { epoch: 1, seq: 1 };
    const query = { prefix: "", after: "", delimiter: "", limit: 1 };
    const body = (async function* (): AsyncGenerator<Uint8Array, void> {})();
    const stream = { key: "k", headers: {}, precondition: undefined, length: 0, body };
    const upload = { id: "u", token: "t" };
    const answers: Record<keyof typeof noMember, unknown> = {
      write: noMember.write(deleteOf("k")),
      writeStream: noMember.writeStream(stream),
      beginUpload: noMember.beginUpload("k", {}),
      sendPart: noMember.sendPart("k", upload, { number: 1, length: 0, body }),
      completeUpload: noMember.completeUpload({ key: "k", headers: {}, precondition: undefined, upload, parts: [] }),
      abortUpload: noMember.abortUpload("k", upload),
      read: noMember.read("k", true),
      open: noMember.open("k", "tag", 0, 1),
      list: noMember.list(query),
      flush: noMember.flush(new AbortController().signal).next(),
      refused: noMember.refused("k"),
      refusedUnder: noMember.refusedUnder(""),
      discard: noMember.discard("k", version),
    };
    for (const [name, answer] of Object.entries(answers)) {
      assert.ok(answer instanceof Promise, name);
      await assert.rejects(answer, { code: "not_ready" }, name);
    }
  });
});
