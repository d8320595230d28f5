/** The conditions of a write, as they go to the key's primary: they have to fit into a message. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { writePrecondition } from "../../../../src/http/routes/preconditions.ts";

test("tags that no value has are left out of a write's condition, however long they are", () => {
  const long = `"${"\xff".repeat(40_000)}"`;
  assert.deepEqual(writePrecondition({ "if-match": `${long}, "a"`, "if-none-match": `${long}, "b"` }), {
    match: ["a"],
    noneMatch: ["b"],
  });
  assert.deepEqual(writePrecondition({ "if-match": long }), { match: [] }, "it never holds");
  assert.equal(writePrecondition({ "if-none-match": long }), undefined, "it always holds");
  const many = Array.from({ length: 70_000 }, () => '""').join();
  assert.throws(() => writePrecondition({ "if-match": many }), { code: "header_invalid" });
});
