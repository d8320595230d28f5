/** Versions: their order, and the text that ties one to its cluster and key when it is kept in the store (W1, F16). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareVersions, formatVersion, noVersion, parseVersion, type Version } from "../../../src/core/version.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const largest = Number.MAX_SAFE_INTEGER;

describe("compareVersions", () => {
  it("goes by epoch first and by seq within it", () => {
    const ascending: Version[] = [
      noVersion,
      { epoch: 1, seq: 1 },
      { epoch: 1, seq: 2 },
      { epoch: 1, seq: largest },
      { epoch: 2, seq: 1 },
      { epoch: 10, seq: 1 },
      { epoch: largest, seq: 1 },
    ];
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j));
    }
  });
});

describe("formatVersion", () => {
  it("gives the text that is in the store for good: cluster, xxHash32 of the key in 8 digits, epoch, seq", () => {
    assert.equal(formatVersion("c1", "a", { epoch: 3, seq: 17 }), "c1.550d7456.3.17");
    assert.equal(formatVersion("c1", "", { epoch: 3, seq: 17 }), "c1.02cc5d05.3.17");
  });
});

describe("parseVersion", () => {
  const written = { epoch: 3, seq: 17 };

  it("reads what formatVersion wrote, whatever the key", () => {
    for (const key of ["a", "a.b.c", "", "ключ/🔑", "\ud800", "x".repeat(1024)]) {
      for (const version of [written, { epoch: 1, seq: 1 }, { epoch: largest, seq: largest }]) {
        assert.deepEqual(parseVersion("c1", key, formatVersion("c1", key, version)), version, key);
      }
    }
  });

  it("takes an object of another cluster for one that nobody of this cluster wrote", () => {
    assert.deepEqual(parseVersion("c2", "a", formatVersion("c1", "a", written)), noVersion);
    assert.deepEqual(parseVersion("c", "a", formatVersion("c1", "a", written)), noVersion);
  });

  it("takes an object copied from another key for one that nobody of this cluster wrote", () => {
    for (let number = 0; number < 1000; number++) {
      assert.deepEqual(parseVersion("c1", `b${number}`, formatVersion("c1", "a", written)), noVersion, `b${number}`);
    }
  });

  it("takes no text and malformed text for no version", () => {
    const prefix = formatVersion("c1", "a", written).slice(0, -"3.17".length);
    const malformed = [undefined, "", ".", "...", "3.17", prefix, `${prefix}3`, `${prefix}3.17.1`, `x${prefix}3.17`];
    const numbers = ["0.1", "1.0", "-1.1", "1.-1", "x.1", "1.x", ".1", "1.", "1,5.1", `${largest + 1}.1`, "Infinity.1"];
    for (const text of [...malformed, ...numbers.map((each) => prefix + each)]) {
      assert.deepEqual(parseVersion("c1", "a", text), noVersion, String(text));
    }
  });

  it("takes numbers that formatVersion would have written otherwise for no version", () => {
    const prefix = formatVersion("c1", "a", written).slice(0, -"3.17".length);
    for (const numbers of ["0x3.17", "3e0.17", "+3.17", " 3.17", "3.17 ", "03.17", "3.1e1"]) {
      assert.deepEqual(parseVersion("c1", "a", prefix + numbers), noVersion, numbers);
    }
  });

  it("never mistakes a damaged text for a version of another key", (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    for (let round = 0; round < 2000; round++) {
      const version = { epoch: random.whole(1, 1e6), seq: random.whole(1, 1e6) };
      const text = formatVersion("c1", `key-${round}`, version);
      const at = random.whole(0, text.lastIndexOf(".", text.lastIndexOf(".") - 1) - 1);
      const other = random.pick("0123456789abcdef.~".split("").filter((each) => each !== text[at]));
      const damaged = text.slice(0, at) + other + text.slice(at + 1);
      assert.deepEqual(parseVersion("c1", `key-${round}`, damaged), noVersion, `seed ${seed}: ${damaged}`);
    }
  });
});
