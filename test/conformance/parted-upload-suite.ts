/**
 * What every implementation of the store port must do with parted uploads, as one suite that each of them runs: parts
 * in any order and again, numbers with gaps, assembling as often as one likes, and what is left of an upload that is
 * over.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import type { UploadedPart } from "../../src/core/operation.ts";
import { minPartBytes } from "../../src/core/part-sizes.ts";
import type { BlobStore, CompletedUpload, CompleteResult, WriteCondition } from "../../src/store/blob-store.ts";

const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const absent: WriteCondition = { kind: "absent" };
const headers = { "content-type": "video/x", "x-weir-meta-a": "b" };
const tail = Buffer.from("the last part may be short");

/** A whole part. */
function whole(text: string): Buffer {
  return Buffer.alloc(minPartBytes, text);
}

export function partedUploadSuite(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name}, as a store of parted uploads,`, () => {
    let store: BlobStore;
    let isConditional = false;

    before(async () => {
      store = await open();
      isConditional = (await store.probe(options)).conditionalCompletions;
    });

    after(async () => {
      await store[Symbol.asyncDispose]();
    });

    async function send(key: string, id: string, number: number, body: Buffer): Promise<UploadedPart> {
      const tag = await store.sendPart(key, id, { number, body }, options);
      return { number, tag, size: body.length };
    }

    async function assembled(key: string, id: string, parts: readonly UploadedPart[]): Promise<CompletedUpload> {
      const result = await store.assembleUpload(key, id, parts, options);
      assert(result.kind === "assembled", `it is ${result.kind}`);
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      return { id, headers, token: "t", parts: result.parts, size };
    }

    async function bytesOf(key: string): Promise<Buffer> {
      const result = await store.read(key, 3 * minPartBytes, options);
      assert(result.kind === "found", `${key} is ${result.kind}`);
      assert.equal(result.blob.upload, "t");
      assert.deepEqual({ ...result.blob.headers }, headers);
      return result.blob.body;
    }

    test("makes the blob of its parts by their numbers, in whatever order they came, with gaps between them", async () => {
      const key = "parted/order";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const [last, first, middle] = [
        await send(key, id, 7, tail),
        await send(key, id, 2, whole("a")),
        await send(key, id, 4, whole("b")),
      ];
      assert.equal(await store.stat(key, options), undefined);
      const upload = await assembled(key, id, [first, middle, last]);
      assert.equal(await store.stat(key, options), undefined);
      const tag = written(await store.completeUpload(key, upload, absent, options));
      assert.equal((await store.stat(key, options))?.tag, tag);
      assert.match(tag, /^[\x21\x23-\x7e]+$/, "it can be an entity tag");
      assert((await bytesOf(key)).equals(Buffer.concat([whole("a"), whole("b"), tail])));
    });

    test("takes a part again, with other bytes, too, and counts the one that is named", async () => {
      const key = "parted/again";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      await send(key, id, 1, whole("x"));
      const first = await send(key, id, 1, whole("a"));
      await send(key, id, 2, Buffer.from("something else"));
      const second = await send(key, id, 2, tail);
      const again = await send(key, id, 2, tail);
      assert.equal(again.size, second.size);
      const upload = await assembled(key, id, [first, again]);
      written(await store.completeUpload(key, upload, always, options));
      assert((await bytesOf(key)).equals(Buffer.concat([whole("a"), tail])));
    });

    test("takes one part alone, and an empty one", async () => {
      const key = "parted/few";
      for (const body of [whole("b"), Buffer.alloc(0)]) {
        const id = await store.beginParted(key, { headers, token: "t" }, options);
        const part = await send(key, id, 2, body);
        written(await store.completeUpload(key, await assembled(key, id, [part]), always, options));
        assert((await bytesOf(key)).equals(body));
      }
    });

    // Ceph wants all parts to be named.
    test("leaves out a part that is not named, or says that it is incomplete, and completes it with all parts", async () => {
      const key = "parted/unnamed";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const parts = [await send(key, id, 1, whole("x")), await send(key, id, 2, tail)];
      const few = await assembled(key, id, parts.slice(1));
      const all = await assembled(key, id, parts);
      const { kind } = await store.completeUpload(key, few, always, options);
      if (kind === "incomplete") written(await store.completeUpload(key, all, always, options));
      else assert.equal(kind, "written");
      const expected = kind === "incomplete" ? Buffer.concat([whole("x"), tail]) : tail;
      assert((await bytesOf(key)).equals(expected));
    });

    test("assembles an upload as often as it is asked to, also with other parts, and completes what it was told last", async () => {
      const key = "parted/twice";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const parts = [await send(key, id, 1, whole("a")), await send(key, id, 2, tail)];
      const [first, other, second] = [
        await assembled(key, id, parts),
        await assembled(key, id, parts.slice(1)),
        await assembled(key, id, parts),
      ];
      assert.deepEqual(second, first);
      assert.notDeepEqual(other.parts, first.parts);
      written(await store.completeUpload(key, first, always, options));
      assert((await bytesOf(key)).equals(Buffer.concat([whole("a"), tail])));
    });

    test("completes it under its condition only, and can do so afterwards", async () => {
      const key = "parted/condition";
      const tag = written(await store.write(key, { body: Buffer.from("old"), headers: noHeaders }, always, options));
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const upload = await assembled(key, id, [await send(key, id, 1, tail)]);
      if (isConditional) assert.equal((await store.completeUpload(key, upload, absent, options)).kind, "conflict");
      written(await store.completeUpload(key, upload, { kind: "unchanged", tag }, options));
      assert((await bytesOf(key)).equals(tail));
    });

    test("does not bring back an upload that was completed over what replaced it", async () => {
      const key = "parted/replaced";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const parts = [await send(key, id, 1, tail)];
      const upload = await assembled(key, id, parts);
      written(await store.completeUpload(key, upload, always, options));
      const newer = { body: Buffer.from("newer"), headers: noHeaders, version: "v" };
      const tag = written(await store.write(key, newer, always, options));
      await store.completeUpload(key, upload, { kind: "unchanged", tag }, options);
      assert.equal((await store.stat(key, options))?.version, "v");
    });

    test("says of an upload that was aborted, when it is assembled or completed, that it is gone", async () => {
      const key = "parted/aborted";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const parts = [await send(key, id, 1, tail)];
      const upload = await assembled(key, id, parts);
      await store.abortUpload(key, id, options);
      await store.abortUpload(key, id, options);
      assert.equal((await store.completeUpload(key, upload, always, options)).kind, "gone");
      const again = await store.assembleUpload(key, id, parts, options);
      if (again.kind === "assembled") {
        const late = { ...upload, parts: again.parts };
        assert.equal((await store.completeUpload(key, late, always, options)).kind, "gone");
      }
      assert.equal(await store.stat(key, options), undefined);
    });

    test("refuses a part of an upload that is over, or never shows it", async () => {
      const key = "parted/late";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      await store.abortUpload(key, id, options);
      const late = store.sendPart(key, id, { number: 1, body: tail }, options);
      await late.catch((error: unknown) => assert(isOperatingError(error, "store_refused"), String(error)));
      assert.equal(await store.stat(key, options), undefined);
      assert(!(await store.listUploads(options)).some((each) => each.id === id));
    });

    test("says of an upload with a part that it never had that it is incomplete, and gone once it is aborted", async () => {
      const key = "parted/lacking";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const part = await send(key, id, 1, whole("a"));
      const unknown = { number: 2, tag: "0123456789abcdef0123456789abcdef", size: 1 };
      const result = await store.assembleUpload(key, id, [part, unknown], options);
      if (result.kind === "assembled") {
        const upload = { id, headers, token: "t", parts: result.parts, size: part.size + 1 };
        assert.equal((await store.completeUpload(key, upload, always, options)).kind, "incomplete");
        await store.abortUpload(key, id, options);
        assert.equal((await store.completeUpload(key, upload, always, options)).kind, "gone");
      }
      assert.equal(await store.stat(key, options), undefined);
    });

    test("lists an upload from its beginning to its end", async () => {
      const key = "parted/listed";
      const id = await store.beginParted(key, { headers, token: "t" }, options);
      const isListed = async (): Promise<boolean> => {
        const found = (await store.listUploads(options)).find((each) => each.id === id);
        if (found) assert(Math.abs(Date.now() - found.startedMs) < 60_000, `begun at ${found.startedMs}`);
        if (found && found.name !== "") assert.equal(found.name, key);
        return found !== undefined;
      };
      assert(await isListed());
      const upload = await assembled(key, id, [await send(key, id, 3, tail)]);
      assert(await isListed());
      written(await store.completeUpload(key, upload, always, options));
      assert(!(await isListed()));
    });
  });
}

function written(result: CompleteResult): string {
  assert(result.kind === "written", `it is ${result.kind}`);
  return result.tag;
}
