/** Conditions by entity tags: for a value, for a deleted key, and for one that never was. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { meets } from "../../../src/core/precondition.ts";

const value = { md5: "m1", modifiedMs: 7_999 };

describe("meets", () => {
  it("with If-Match wants one of the tags, or with * any value", () => {
    assert.equal(meets(value, { match: ["m2", "m1"] }), true);
    assert.equal(meets(value, { match: ["m2"] }), false);
    assert.equal(meets(value, { match: [] }), false);
    assert.equal(meets(value, { match: ["*"] }), true);
  });

  it("with If-None-Match wants none of the tags, and with * no value", () => {
    assert.equal(meets(value, { noneMatch: ["m2", "m1"] }), false);
    assert.equal(meets(value, { noneMatch: ["m2"] }), true);
    assert.equal(meets(value, { noneMatch: [] }), true);
    assert.equal(meets(value, { noneMatch: ["*"] }), false);
  });

  it("takes a key without value for one with no tag", () => {
    for (const tag of ["*", "m1", ""]) {
      assert.equal(meets(undefined, { match: [tag] }), false, `match ${tag}`);
      assert.equal(meets(undefined, { noneMatch: [tag] }), true, `noneMatch ${tag}`);
    }
  });

  it("wants both where both are given", () => {
    assert.equal(meets(value, { match: ["m1"], noneMatch: ["m2"] }), true);
    assert.equal(meets(value, { match: ["m1"], noneMatch: ["m1"] }), false);
    assert.equal(meets(value, { match: ["m2"], noneMatch: ["m3"] }), false);
  });

  it("with If-Unmodified-Since wants that the value was not written in a later second, if there is one", () => {
    assert.equal(meets(value, { unmodifiedSince: 6 }), false);
    assert.equal(meets(value, { unmodifiedSince: 7 }), true);
    assert.equal(meets(value, { unmodifiedSince: 7, noneMatch: ["m1"] }), false);
    assert.equal(meets(undefined, { unmodifiedSince: 1 }), true);
  });

  it("is not asked where nothing is required", () => {
    assert.throws(() => meets(value, {}), AssertionError);
  });
});
