/** The values of chaos: from a name to bytes and back, so that a value which nobody wrote is noticed. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { contentOf, nameOf, tagOf } from "../../harness/chaos/contents.ts";

test("a value's name is found in its bytes, at every size", () => {
  for (let n = 0; n < 200; n++) {
    const name = `k${n % 7}/3#${n}`;
    assert.equal(nameOf(contentOf(name)), name);
    assert.equal(tagOf(name), `"${hash("md5", contentOf(name))}"`);
  }
  assert.equal(contentOf("large/1@5000").length, 5_000);
});

test("bytes that are cut short, or mixed from two values, have no name", () => {
  const one = contentOf("k/1#1@300");
  const other = contentOf("k/1#2@300");
  assert.equal(nameOf(one.subarray(0, 299)), undefined);
  assert.equal(nameOf(Buffer.concat([one.subarray(0, 150), other.subarray(150)])), undefined);
  assert.equal(nameOf(Buffer.alloc(0)), undefined);
});
