/** Signatures themselves: HMAC-SHA256, whatever is signed. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { SigningKey } from "../../../../src/s3/signature/signing-keys.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

describe("SigningKey", () => {
  it("signs as RFC 4231 has it, test cases 1 and 2", () => {
    for (const [key, text, signature] of [
      [Buffer.alloc(20, 0x0b), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
      [
        Buffer.from("Jefe"),
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      ],
    ] as const) {
      assert.ok(new SigningKey(key).signed("", text, signature));
    }
  });

  it("signs as the runtime does, one text after the other, of any length, in any context", (test) => {
    const random = new SimRandom(seedOf(test));
    for (let round = 0; round < 20; round++) {
      const secret = Buffer.from(Array.from({ length: random.whole(1, 64) }, () => random.whole(0, 255)));
      const key = new SigningKey(secret);
      const textOf = (maxLength: number): string =>
        Array.from({ length: random.whole(0, maxLength) }, () => String.fromCharCode(random.whole(0, 127))).join("");
      const contexts = Array.from({ length: 3 }, () => textOf(random.pick([10, 600])));
      for (let count = 0; count < 30; count++) {
        const context = random.pick(contexts);
        const text = textOf(random.pick([10, 600, 3_000]));
        const signature = createHmac("sha256", secret).update(context).update(text).digest("hex");
        assert.ok(key.signed(context, text, signature));
        assert.ok(!key.signed(context, `${text}.`, signature));
        assert.ok(!key.signed(`${context}.`, text, signature));
      }
    }
  });

  it("takes no part of a signature, nothing behind it, and no other digits, after a right one", () => {
    const key = new SigningKey(Buffer.from("Jefe"));
    const text = "what do ya want for nothing?";
    const signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    for (const wrong of [
      "",
      signature.slice(2),
      signature.slice(0, -1),
      `${signature}00`,
      `${signature.slice(0, -1)}x`,
      signature.toUpperCase(),
      `${signature.slice(0, -1)}\u0133`,
    ]) {
      assert.ok(key.signed("", text, signature));
      assert.ok(!key.signed("", text, wrong), wrong);
    }
    for (let at = 0; at < signature.length; at++) {
      const digit = signature[at] === "0" ? "1" : "0";
      assert.ok(!key.signed("", text, signature.slice(0, at) + digit + signature.slice(at + 1)), String(at));
    }
  });
});
