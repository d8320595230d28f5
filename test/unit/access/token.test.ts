/** Client tokens in text that is for people. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatToken, withoutTokens } from "../../../src/access/token.ts";

test("no token is left in a text that has several", () => {
  const [first, second] = [1, 2].map((byte) => formatToken(Buffer.alloc(32, byte)));
  assert.equal(withoutTokens(`/kv/${first}/x?token=${second}&y`), "/kv/weir_.../x?token=weir_...&y");
  assert.equal(withoutTokens("/kv/weir_short"), "/kv/weir_short");
});
