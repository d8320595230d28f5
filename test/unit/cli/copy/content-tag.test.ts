/** Whether a file is what an ETag stands for: the MD5, or that of the MD5s of parts whose size nobody tells. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hasContentOf } from "../../../../src/cli/copy/content-tag.ts";
import { noise } from "../../../harness/noise.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

const mebibyte = 1024 ** 2;
const folder = mkdtempSync(join(tmpdir(), "weir-tag-"));
after(() => rmSync(folder, { recursive: true }));

const size = 17 * mebibyte + 1;
const file = join(folder, "file");
const content = noise(new SimRandom(1), size);
writeFileSync(file, content);
const changed = join(folder, "changed");
writeFileSync(changed, Buffer.concat([content.subarray(0, size - 1), Buffer.from([(content.at(-1) as number) ^ 1])]));

function tagOfParts(partBytes: number): string {
  const parts: Buffer[] = [];
  for (let offset = 0; offset < size; offset += partBytes)
    parts.push(hash("md5", content.subarray(offset, offset + partBytes), "buffer"));
  return `${hash("md5", Buffer.concat(parts))}-${parts.length}`;
}

test("content tag: a file is what its MD5 says, or that of its parts of a usual size, and a changed one is not", async () => {
  const tags = [hash("md5", content), ...[5, 8, 16, 32].map((count) => tagOfParts(count * mebibyte))];
  for (const tag of tags) {
    assert.equal(await hasContentOf(file, size, tag), true, tag);
    assert.equal(await hasContentOf(changed, size, tag), false, tag);
  }
});

test("content tag: parts of an unusual size, and tags that are no hashes, tell nothing", async () => {
  for (const tag of [tagOfParts(6 * mebibyte), "0x8DC5A1B2C3D4E5F", `${hash("md5", content)}-0`, ""])
    assert.equal(await hasContentOf(file, size, tag), false, tag);
});

test("content tag: an empty file has no parts, and is told by its MD5", async () => {
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  assert.equal(await hasContentOf(empty, 0, hash("md5", "")), true);
  assert.equal(await hasContentOf(empty, 0, `${hash("md5", "")}-1`), false);
});
