/**
 * The hash against its official vectors, and against another implementation: a member that computed a different value
 * would send keys to the wrong members.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import xxhash from "xxhash-wasm";
import { xxh32, xxh32Signed } from "../../../src/core/hash.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import vectors from "./ring-vectors.json" with { type: "json" };

describe("xxh32", () => {
  it("gives the official values", () => {
    assert.equal(xxh32(""), 0x02cc5d05);
    assert.equal(xxh32("a"), 0x550d7456);
    assert.equal(xxh32("abc"), 0x32d153ff);
    assert.equal(xxh32("Nobody inspects the spammish repetition"), 0xe2293b2f);
  });

  it("gives the published values", () => {
    for (const { text, xxh32: expected } of vectors.hashes) assert.equal(xxh32(text), expected, JSON.stringify(text));
  });

  it("gives the same bits as a signed number", () => {
    for (const { text, xxh32: expected } of vectors.hashes) assert.equal(xxh32Signed(text), expected | 0);
  });

  it("takes a surrogate without its other half for U+FFFD, wherever it stands", () => {
    for (const half of ["\ud83d", "\ude00"]) {
      for (const text of [half, `${half}abc`, `abc${half}`, `${half}${half}`.slice(1), `0123456789abcdef${half}x`]) {
        assert.equal(xxh32(text), xxh32(text.replaceAll(half, "\ufffd")), JSON.stringify(text));
      }
    }
    assert.equal(xxh32("\ude00\ud83d"), xxh32("\ufffd\ufffd"));
    assert.notEqual(xxh32("\ud83d\ude00"), xxh32("\ufffd\ufffd"));
  });

  it("agrees with xxhash-wasm on ASCII of every length to 300", async () => {
    const reference = await xxhash();
    const text = Array.from({ length: 300 }, (_, index) => String.fromCharCode((index * 37) % 128)).join("");
    for (let length = 0; length <= text.length; length++) {
      assert.equal(xxh32(text.slice(0, length)), reference.h32(text.slice(0, length)), `length ${length}`);
    }
  });

  it("agrees with xxhash-wasm on random Unicode", async () => {
    const reference = await xxhash();
    const seed = Date.now() % 1_000_000;
    const random = new SimRandom(seed);
    // One past the last code point of each length in UTF-8, and of one code unit; surrogates alone are among them.
    const limits = [0x80, 0x800, 0x1_0000, 0x11_0000];
    for (let round = 0; round < 20_000; round++) {
      const length = Math.floor(random.next() * 40);
      const codePoints = Array.from({ length }, () => {
        const limit = limits[Math.floor(random.next() * limits.length)] ?? 0;
        return Math.floor(random.next() * limit);
      });
      const text = String.fromCodePoint(...codePoints);
      assert.equal(xxh32(text), reference.h32(text), `seed ${seed}, round ${round}: ${JSON.stringify(text)}`);
    }
  });
});
