/** The order of names is that of their bytes, whatever characters they have. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareText } from "../../../src/base/text-order.ts";

test("compareText orders like the bytes of UTF-8", () => {
  const parts = [
    "",
    "a",
    "b",
    "\0",
    "\u007f",
    "\u0080",
    "\u07ff",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "\u{10FFFF}",
  ];
  const texts = parts.flatMap((a) => parts.flatMap((b) => parts.map((c) => a + b + c)));
  for (let i = 0; i < texts.length; i += 7) {
    for (let j = 0; j < texts.length; j += 5) {
      const [a, b] = [texts[i] as string, texts[j] as string];
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(compareText(a, b)), expected, JSON.stringify([a, b]));
    }
  }
});
