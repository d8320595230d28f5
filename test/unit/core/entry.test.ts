/** What an entry counts towards the dirty limit: P5 holds only if it is never less than what the entry takes. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { footprint, noHeaders } from "../../../src/core/entry.ts";

describe("footprint", () => {
  const empty = footprint({ key: "", size: 0, headers: noHeaders });

  it("of a tombstone is more than nothing, since its record takes memory too", () => {
    assert.ok(empty > 0);
    assert.ok(footprint({ key: "k", size: 0, headers: noHeaders }) > empty);
  });

  it("counts each byte of the value", () => {
    for (const size of [1, 1024, 4 * 1024 * 1024]) {
      assert.equal(footprint({ key: "", size, headers: noHeaders }) - empty, size);
    }
  });

  it("counts a key at the two bytes a character that it may take in memory", () => {
    assert.equal(footprint({ key: "k".repeat(1000), size: 0, headers: noHeaders }) - empty, 2000);
    assert.equal(footprint({ key: "ключ", size: 0, headers: noHeaders }) - empty, 8);
  });

  it("counts name and value of each header, and more for the header itself", () => {
    const one = footprint({ key: "", size: 0, headers: { "content-type": "text/plain" } }) - empty;
    assert.ok(one > "content-type".length + "text/plain".length);
    const headers = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`x-weir-meta-${index}`, "v"]));
    const ten = footprint({ key: "", size: 0, headers }) - empty;
    assert.ok(ten > 10 * ("x-weir-meta-0".length + "v".length));
    const longer = footprint({ key: "", size: 0, headers: { "content-type": "text/plain; charset=utf-8" } }) - empty;
    assert.equal(longer - one, "; charset=utf-8".length);
  });

  it("is the same for headers that are empty and for no headers, so that what was reserved is what is given back", () => {
    assert.equal(footprint({ key: "k", size: 5, headers: {} }), footprint({ key: "k", size: 5, headers: noHeaders }));
  });
});
