/** What is kept with a value for S3's clients: its checksum, and the sizes of its parts. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { checksumHeader, noHeaders, partsHeader } from "../../../../src/core/entry.ts";
import {
  checksumOf,
  copiedHeaders,
  type ObjectParts,
  partsOf,
  typeOf,
  withFacts,
} from "../../../../src/s3/body/object-facts.ts";

const sha256 = { algorithm: "sha256", value: hash("sha256", "a", "base64") } as const;
const composite = { ...sha256, value: `${sha256.value}-3` } as const;

function kept(partSizes: readonly number[], room = 2_048): ObjectParts | undefined {
  const headers = withFacts(noHeaders, { checksum: undefined, partSizes }, room);
  const size = partSizes.reduce((sum, each) => sum + each, 0);
  return partsOf({ headers, size });
}

describe("the sizes of an object's parts", () => {
  it("are kept in little room where most are the same, and tell where each part is", () => {
    const parts = kept([...Array.from({ length: 9_999 }, () => 8), 3]);
    assert.equal(parts?.count, 10_000);
    assert.deepEqual(
      [1, 2, 9_999, 10_000, 10_001].map((number) => parts?.spanOf(number)),
      [{ start: 0, end: 8 }, { start: 8, end: 16 }, { start: 79_984, end: 79_992 }, { start: 79_992, end: 79_995 }, undefined],
    ); // biome-ignore format: a table
    const mixed = kept([5, 6, 6, 5]);
    assert.deepEqual(
      [1, 2, 3, 4].map((number) => mixed?.spanOf(number)?.start),
      [0, 5, 11, 17],
    );
    assert.deepEqual(kept([7])?.spanOf(1), { start: 0, end: 7 });
  });

  it("are not kept where they take too much room, or one has nothing", () => {
    assert.equal(kept(Array.from({ length: 1_000 }, (_, index) => index + 1)), undefined);
    assert.equal(kept([5, 5, 0]), undefined);
    assert.equal(kept([5, 5], 100), undefined);
    assert.equal(withFacts(noHeaders, { checksum: undefined, partSizes: undefined }, 2_048), noHeaders);
  });

  it("count as unknown if they are not those of this object, or make no sense", () => {
    const read = (text: string, size: number) => partsOf({ headers: { [partsHeader]: text }, size });
    assert.equal(read("2*5,1*3", 13)?.count, 2 + 1);
    for (const [text, size] of [["2*5", 11], ["", 0], ["x", 0], ["0*5", 0], ["1*0", 0], ["2*5,", 10], ["10001*1", 10_001], ["-1*5,2*5", 5]] as const) {
      assert.equal(read(text, size), undefined, text);
    } // biome-ignore format: a table
  });
});

describe("the checksum that is kept with a value", () => {
  it("is of all bytes, or of the parts' checksums, and says so", () => {
    for (const [checksum, type] of [[sha256, "FULL_OBJECT"], [composite, "COMPOSITE"]] as const) {
      const headers = withFacts(noHeaders, { checksum }, 2_048);
      assert.deepEqual([checksumOf(headers), typeOf(checksum)], [checksum, type]);
    }
    for (const value of ["", "x", `${sha256.value}-`, `${sha256.value}-0`, `${sha256.value}-1-2`, `${sha256.value}-10001x`]) {
      assert.equal(checksumOf({ [checksumHeader]: `sha256 ${value}` }), undefined, value);
    }
  }); // biome-ignore format: a table

  it("goes with a copy if it is of all bytes; a copy has one part", () => {
    const own = { "x-weir-meta-a": "b" };
    const copied = (checksum: typeof sha256 | typeof composite) =>
      copiedHeaders(withFacts(own, { checksum, partSizes: [5, 5, 5] }, 2_048));
    assert.deepEqual(copied(sha256), withFacts(own, { checksum: sha256 }, 2_048));
    assert.deepEqual(copied(composite), own);
    assert.equal(copiedHeaders(own), own);
  });
});
