/** What a listing of a folder leaves to others. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileListing } from "../../../../src/store/folder/file-listing.ts";
import { FileLookup } from "../../../../src/store/folder/file-lookup.ts";
import { pooledFiles } from "../../../../src/store/folder/files.ts";
import { systemClock } from "../../../../src/system.ts";

test("many listings at a time look at a few files at a time, and find all of them", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "weir-listing-"));
  t.after(() => rm(folder, { recursive: true }));
  const names = Array.from({ length: 30 }, (_, index) => `k${index}`).toSorted();
  await Promise.all(names.map((name) => writeFile(join(folder, name), "v")));
  const lookup = new FileLookup(folder, pooledFiles, systemClock);
  const find = lookup.find.bind(lookup);
  let busy = 0;
  let most = 0;
  lookup.find = async (...args) => {
    most = Math.max(most, ++busy);
    return await find(...args).finally(() => busy--);
  };
  const listing = new FileListing(folder, lookup, systemClock);
  const query = { prefix: "", after: "", delimiter: "", limit: 100 };
  const pages = await Promise.all(Array.from({ length: 10 }, () => listing.list(query, Number.POSITIVE_INFINITY)));
  for (const { blobs } of pages)
    assert.deepEqual(
      blobs.map(({ name }) => name),
      names,
    );
  assert.equal(most, 4);
});
