/** What a listing of a folder leaves to others. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FileListing } from "../../../../src/store/folder/file-listing.ts";
import { FileLookup } from "../../../../src/store/folder/file-lookup.ts";
import { pooledFiles } from "../../../../src/store/folder/files.ts";
import { systemClock } from "../../../../src/system.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const names = Array.from({ length: 30 }, (_, index) => `k${index}`).toSorted();
const query = { prefix: "", after: "", delimiter: "", limit: 100 };

async function folderOfNames(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-listing-"));
  t.after(() => rm(folder, { recursive: true }));
  await Promise.all(names.map((name) => writeFile(join(folder, name), "v")));
  return folder;
}

test("many listings at a time look at a few files at a time, and find all of them", async (t) => {
  const folder = await folderOfNames(t);
  const lookup = new FileLookup(folder, pooledFiles, systemClock);
  const find = lookup.find.bind(lookup);
  let busy = 0;
  let most = 0;
  lookup.find = async (...args) => {
    most = Math.max(most, ++busy);
    return await find(...args).finally(() => busy--);
  };
  const listing = new FileListing(folder, lookup, systemClock);
  const pages = await Promise.all(Array.from({ length: 10 }, () => listing.list(query, Number.POSITIVE_INFINITY)));
  for (const { blobs } of pages)
    assert.deepEqual(
      blobs.map(({ name }) => name),
      names,
    );
  assert.equal(most, 4);
});

/** A listing by a clock that each look at a file takes 100 ms further. */
async function slowListing(
  t: TestContext,
): Promise<{ listing: FileListing; lookup: FileLookup; clock: ManualClock; looks: () => number }> {
  const folder = await folderOfNames(t);
  const clock = new ManualClock();
  const lookup = new FileLookup(folder, pooledFiles, clock);
  const find = lookup.find.bind(lookup);
  let looks = 0;
  lookup.find = async (...args) => {
    looks++;
    clock.advance(100);
    return await find(...args);
  };
  return { listing: new FileListing(folder, lookup, clock), lookup, clock, looks: () => looks };
}

test("pages of a slow folder are short, and together they have all names", async (t) => {
  const { listing, clock } = await slowListing(t);
  const found: string[][] = [];
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page = await listing.list({ ...query, after }, clock.now() + 2_000);
    found.push(page.blobs.map(({ name }) => name));
    after = page.next;
  }
  assert.deepEqual(found, [names.slice(0, 16), names.slice(16)]);
});

test("a listing that finds nothing ends with its time", async (t) => {
  const { listing, lookup, clock, looks } = await slowListing(t);
  const find = lookup.find.bind(lookup);
  lookup.find = async (...args) => {
    await find(...args);
    return undefined;
  };
  await assert.rejects(listing.list(query, clock.now() + 1_000), /listing the folder took too long/);
  assert.equal(looks(), 16);
});
