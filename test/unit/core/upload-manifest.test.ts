/** What a completion needs, as it travels with a reference: of its parts' tags a member knows what S3 makes of them. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { tagOfParts } from "../../../src/core/upload-manifest.ts";

const [one, two] = ["one", "two"].map((part) => hash("md5", part)) as [string, string];
/** By AWS's rule: the MD5 of the bytes of the parts' MD5s, and how many parts there are. */
const whole = `${hash("md5", Buffer.concat([Buffer.from(one, "hex"), Buffer.from(two, "hex")]))}-2`;

describe("tagOfParts", () => {
  it("is the tag that S3 gives an object of these parts", () => {
    assert.equal(tagOfParts([one, two]), whole);
    assert.equal(tagOfParts([one]), `${hash("md5", Buffer.from(one, "hex"))}-1`);
  });

  it("takes the parts' tags in quotes, and after their numbers", () => {
    assert.equal(tagOfParts([`"${one}"`, `"${two}"`]), whole);
    assert.equal(tagOfParts([`1/"${one}"`, `2/${two}`]), whole);
    assert.equal(tagOfParts([one, `12/"${two}"`]), whole);
  });

  it("is undefined where a tag is no MD5, and where there are no parts", () => {
    const others = ["", "tag-1", `${one}-2`, one.toUpperCase(), one.slice(1), `${one}0`, `x/${one}`, `/${one}`];
    for (const other of others) assert.equal(tagOfParts([two, other]), undefined, other);
    assert.equal(tagOfParts([]), undefined);
  });
});
