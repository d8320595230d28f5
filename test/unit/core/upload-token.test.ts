/**
 * Tokens of uploads: how old they say that an object is, whose version was not known when its upload was begun (L10).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatToken, oldestVersionOf } from "../../../src/core/upload-token.ts";
import { compareVersions, noVersion } from "../../../src/core/version.ts";

const chance = "0123456789abcdef0123456789abcdef";

describe("oldestVersionOf", () => {
  it("is older than every version of the epoch in which the upload was begun, and newer than all of earlier ones", () => {
    const oldest = oldestVersionOf("c1", "a", formatToken("c1", "a", 3, chance));
    assert.ok(compareVersions(oldest, { epoch: 3, seq: 1 }) < 0);
    assert.ok(compareVersions(oldest, { epoch: 2, seq: Number.MAX_SAFE_INTEGER }) > 0);
  });

  it("is that of no version for a token of another cluster or key, and for what is no token", () => {
    const strange = [formatToken("c2", "a", 3, chance), formatToken("c1", "b", 3, chance), "", chance, `.${chance}`];
    for (const token of strange) assert.deepEqual(oldestVersionOf("c1", "a", token), noVersion, token);
  });
});
