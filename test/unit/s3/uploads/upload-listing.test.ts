/** Listings of uploads: in order, in pages, and within bounds of time. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareText } from "../../../../src/base/text-order.ts";
import { Turns } from "../../../../src/http/server/turns.ts";
import { UploadListing, type UploadQuery } from "../../../../src/s3/uploads/upload-listing.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { type UploadNode, UploadTrial } from "../../../harness/upload-trial.ts";

const whole: UploadQuery = { prefix: "", delimiter: "", keyMarker: "", idMarker: "", limit: 1_000 };

const turns = new Turns().of("test");

function listingOf(trial: UploadTrial, { operations, uploads }: UploadNode): UploadListing {
  return new UploadListing(() => operations, uploads, trial.clock);
}

describe("a listing of multipart uploads", () => {
  it("has each once, in order, whatever the pages, the prefix and the delimiter", async (t) => {
    const random = new SimRandom(seedOf(t));
    for (let round = 0; round < 40; round++) {
      const trial = new UploadTrial();
      const node = trial.node();
      const all: { key: string; id: string }[] = [];
      for (let n = random.whole(0, 25); n > 0; n--) {
        const key = Array.from({ length: random.whole(1, 4) }, () => random.pick(["a", "b", "/", "é", "\u{1F600}"]));
        all.push({ key: key.join(""), id: await node.begin(key.join("")) });
      }
      const prefix = random.chance(0.5) ? "" : random.pick(["a", "/", "b/"]);
      const delimiter = random.pick(["", "/", "a", "b/"]);
      const expected = new Set<string>();
      all.sort((a, b) => compareText(a.key, b.key) || compareText(a.id, b.id));
      for (const { key, id } of all) {
        if (!key.startsWith(prefix)) continue;
        const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
        expected.add(at === -1 ? id : key.slice(0, at + delimiter.length));
      }
      const listing = listingOf(trial, node);
      const found: string[] = [];
      const limit = random.whole(1, 4);
      for (let markers: { keyMarker: string; idMarker: string } | undefined = whole; markers !== undefined; ) {
        const { keyMarker, idMarker } = markers;
        const page = await listing.uploads({ prefix, delimiter, keyMarker, idMarker, limit }, turns);
        assert.ok(page.uploads.length + page.prefixes.length <= limit);
        found.push(...page.uploads.map(({ id }) => id), ...page.prefixes);
        assert.ok(found.length <= expected.size, JSON.stringify({ found, expected: [...expected] }));
        markers = page.next;
      }
      assert.deepEqual(found.toSorted(), [...expected].sort());
    }
  });

  it("reads each record once, and leaves out what has ended since", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const ids = [await node.begin("a"), await node.begin("b")];
    const listing = listingOf(trial, node);
    assert.equal((await listing.uploads(whole, turns)).uploads.length, 2);
    const before = node.operations.count;
    assert.equal((await listing.uploads(whole, turns)).uploads.length, 2);
    assert.equal(node.operations.count - before, 1, "one look at the names");
    await node.uploads.abort("a", ids[0] as string);
    const { uploads } = await listing.uploads(whole, turns);
    assert.deepEqual(uploads.map(({ id }) => id), [ids[1]]); // biome-ignore format: one line
    assert.equal(uploads[0]?.beganMs, trial.clock.wallMs());
  });

  it("is given up when it takes too long, and gets further the next time", async () => {
    const trial = new UploadTrial();
    const node = trial.node(() => {
      if (isSlow) trial.clock.advance(20);
      return Promise.resolve();
    });
    let isSlow = false;
    for (let n = 0; n < 3_000; n++) await node.begin("k");
    const listing = listingOf(trial, node);
    isSlow = true;
    await assert.rejects(listing.uploads(whole, turns), /so many uploads that it took too long/);
    await assert.rejects(listing.uploads(whole, turns), /too long/);
    isSlow = false;
    const before = node.operations.count;
    assert.equal((await listing.uploads({ ...whole, limit: 5_000 }, turns)).uploads.length, 3_000);
    assert.ok(node.operations.count - before < 3_000, "what was read before is remembered");
  });

  it("takes its turns, however many there are and however long their keys", async (t) => {
    const trial = new UploadTrial();
    const node = trial.node();
    const common = "k".repeat(900);
    for (let n = 0; n < 3_000; n++) await node.begin(`${common}${(n * 7_919) % 3_000}/${n}`);
    const listing = listingOf(trial, node);
    await listing.uploads(whole, turns);
    const next = t.mock.method(turns, "next");
    const page = await listing.uploads({ ...whole, prefix: common, delimiter: "/" }, turns);
    assert.equal(page.prefixes.length, 1_000);
    assert.equal(next.mock.callCount(), 4, "a turn for each batch of names, of which the last one is empty");
  });

  it("leaves out what is too old, as every other request does", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    await node.begin("old");
    trial.clock.advance(2 * 86_400_000);
    const id = await node.begin("young");
    const listing = listingOf(trial, node);
    assert.equal((await listing.uploads(whole, turns)).uploads.length, 2);
    trial.clock.advance(86_400_000 + 1);
    const { uploads } = await listing.uploads(whole, turns);
    assert.deepEqual(uploads.map((each) => each.id), [id]); // biome-ignore format: one line
  });
});
