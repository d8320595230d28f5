/**
 * What every implementation of the store port must do with large blobs, as one suite that each of them runs: parts that
 * nobody sees, completion at one moment and under conditions, what is left of an upload that is over, and reads of any
 * span.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { minPartBytes } from "../../src/core/part-sizes.ts";
import type {
  BlobInfo,
  BlobStore,
  CompletedUpload,
  CompleteResult,
  OpenUpload,
  WriteCondition,
} from "../../src/store/blob-store.ts";

const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const absent: WriteCondition = { kind: "absent" };
const headers = { "content-type": "video/x", "x-weir-meta-a": "100% \u00e9" };
const tailBytes = 12_345;

export function largeBlobSuite(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name}, as a store of large blobs,`, () => {
    let store: BlobStore;

    before(async () => {
      store = await open();
      await store.probe(options);
    });

    after(async () => {
      await store[Symbol.asyncDispose]();
    });

    /** An upload of a whole part and a bit, of which the last byte is `mark`. */
    async function upload(key: string, token: string, mark = 0): Promise<CompletedUpload & { readonly bytes: Buffer }> {
      const bytes = noise(minPartBytes + tailBytes, mark);
      const content = { headers, token };
      const begun = await store.beginUpload(key, content, options);
      const parts = await Promise.all([
        send(begun, 1, bytes, 0, minPartBytes),
        send(begun, 2, bytes, minPartBytes, bytes.length),
      ]);
      return { ...content, id: begun.id, parts, size: bytes.length, bytes };
    }

    async function stat(key: string): Promise<BlobInfo> {
      const info = await store.stat(key, options);
      assert(info, `${key} is there`);
      return info;
    }

    async function bytesOf(key: string, tag: string, start: number, end: number): Promise<Buffer | "changed"> {
      const result = await store.openBlob(key, tag, { start, end }, options);
      if (result.kind === "changed") return "changed";
      await using stream = result.stream;
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return Buffer.concat(chunks);
    }

    test("shows nothing of an upload before it is completed, and all of it afterwards", async () => {
      const key = "large/films/a b.mp4";
      const made = await upload(key, "token 1");
      assert.equal(await store.stat(key, options), undefined);
      const tag = written(await store.completeUpload(key, made, absent, options));
      const info = await stat(key);
      assert.equal(info.tag, tag);
      assert.equal(info.size, made.size);
      assert.equal(info.upload, "token 1");
      assert.equal(info.version, undefined);
      assert.deepEqual({ ...info.headers }, headers);
      assert.match(tag, /^[\x21\x23-\x7e]+$/, "it can be an entity tag");
      assert((await bytesOf(key, tag, 0, made.size)) instanceof Buffer);
      assert(made.bytes.equals((await bytesOf(key, tag, 0, made.size)) as Buffer));
      const read = await store.read(key, 1_000, options);
      assert(read.kind === "too_large");
      assert.equal(read.info.tag, tag);
    });

    test("keeps a completed upload under odd names apart from all others", async () => {
      for (const key of ["large//%2F\\", "large/\0/ü\u{1F600}", "large/+&?=#", `large/${"x".repeat(300)}`]) {
        const made = await upload(key, `token of ${encodeURIComponent(key)}`, 1);
        const tag = written(await store.completeUpload(key, made, absent, options));
        assert.equal((await stat(key)).upload, `token of ${encodeURIComponent(key)}`);
        assert.equal((await bytesOf(key, tag, made.size - 1, made.size))?.[0], 1);
        await store.remove(key, always, options);
        assert.equal(await store.stat(key, options), undefined);
      }
    });

    test("takes parts in any order, and the same part again", async () => {
      const key = "large/again";
      const bytes = noise(minPartBytes + 10, 2);
      const begun = await store.beginUpload(key, { headers, token: "t" }, options);
      const first = send(begun, 1, bytes, 0, minPartBytes);
      const second = await send(begun, 2, bytes, minPartBytes, bytes.length);
      assert.equal(await send(begun, 1, bytes, 0, minPartBytes), await first);
      assert.equal(await send(begun, 2, bytes, minPartBytes, bytes.length), second);
      const done = { id: begun.id, headers, token: "t", parts: [await first, second], size: bytes.length };
      const tag = written(await store.completeUpload(key, done, always, options));
      assert(bytes.equals((await bytesOf(key, tag, 0, bytes.length)) as Buffer));
    });

    test("reads any span of a blob, small blobs too, and nothing under another tag", async () => {
      const key = "large/spans";
      const made = await upload(key, "t", 3);
      const tag = written(await store.completeUpload(key, made, always, options));
      const spans = [
        [0, 1],
        [0, made.size],
        [minPartBytes - 1, minPartBytes + 1],
        [minPartBytes, made.size],
        [made.size - 1, made.size],
      ] as const;
      for (const [start, end] of spans) {
        assert(
          made.bytes.subarray(start, end).equals((await bytesOf(key, tag, start, end)) as Buffer),
          `${start}-${end}`,
        );
      }
      assert.equal(await bytesOf(key, "0123456789abcdef0123456789abcdef", 0, 1), "changed");
      assert.equal(await bytesOf("large/never", tag, 0, 1), "changed");
      const small = { body: Buffer.from("small"), headers: noHeaders };
      const smallTag = written(await store.write("large/small", small, always, options));
      assert.equal((await bytesOf("large/small", smallTag, 1, 4)).toString(), "mal");
      await store.write(key, small, always, options);
      assert.equal(await bytesOf(key, tag, 0, 1), "changed");
    });

    test("ends a stream that nobody reads to its end without complaint", async () => {
      const key = "large/half";
      const made = await upload(key, "t", 4);
      const tag = written(await store.completeUpload(key, made, always, options));
      for (let read = 0; read < 3; read += 1) {
        const result = await store.openBlob(key, tag, { start: 0, end: made.size }, options);
        assert(result.kind === "found");
        await using stream = result.stream;
        if (read > 0) for await (const chunk of stream) if (chunk.length > 0) break;
      }
    });

    test("goes on with the body that it has opened while the blob is replaced", async () => {
      const key = "large/replaced";
      const made = await upload(key, "t", 5);
      const tag = written(await store.completeUpload(key, made, always, options));
      const result = await store.openBlob(key, tag, { start: 0, end: made.size }, options);
      assert(result.kind === "found");
      await using stream = result.stream;
      const digest = createHash("md5");
      let replaced = false;
      for await (const chunk of stream) {
        if (!replaced) await store.write(key, { body: Buffer.from("other"), headers: noHeaders }, always, options);
        replaced = true;
        digest.update(chunk);
      }
      assert.equal(digest.digest("hex"), createHash("md5").update(made.bytes).digest("hex"));
    });

    test("says of an upload that was aborted that it is gone", async () => {
      const key = "large/aborted";
      const made = await upload(key, "t");
      await store.abortUpload(key, made.id, options);
      await store.abortUpload(key, made.id, options);
      assert.equal((await store.completeUpload(key, made, always, options)).kind, "gone");
      assert.equal(await store.stat(key, options), undefined);
    });

    test("does not complete an upload with a part that it never had", async () => {
      const key = "large/lacking";
      const made = await upload(key, "t");
      const parts = [...made.parts, "0123456789abcdef0123456789abcdef"];
      const lacking = { ...made, parts, size: made.size + 1 };
      const { kind } = await store.completeUpload(key, lacking, always, options);
      assert(kind === "incomplete" || kind === "gone", kind);
      assert.equal(await store.stat(key, options), undefined);
    });

    test("changes nothing when an upload is completed again, and does not bring it back over what replaced it", async () => {
      const key = "large/twice";
      const made = await upload(key, "t", 6);
      const tag = written(await store.completeUpload(key, made, always, options));
      const again = await store.completeUpload(key, made, always, options);
      if (again.kind === "written") assert.equal(again.tag, tag);
      else assert.equal(again.kind, "gone");
      assert.equal((await stat(key)).tag, tag);
      const newer = { body: Buffer.from("newer"), headers: noHeaders, version: "v" };
      await store.write(key, newer, always, options);
      const late = await store.completeUpload(key, made, { kind: "unchanged", tag }, options);
      assert.notEqual(late.kind, "written");
      assert.equal((await stat(key)).version, "v");
    });

    test("replaces a small blob whole, and is replaced by one", async () => {
      const key = "large/turns";
      const small = { body: Buffer.from("small"), headers: noHeaders, version: "v 1" };
      const first = written(await store.write(key, small, absent, options));
      const made = await upload(key, "t", 7);
      const tag = written(await store.completeUpload(key, made, { kind: "unchanged", tag: first }, options));
      assert.equal((await stat(key)).version, undefined);
      written(await store.write(key, small, { kind: "unchanged", tag }, options));
      const info = await stat(key);
      assert.equal(info.upload, undefined);
      assert.equal(info.version, "v 1");
      assert.deepEqual({ ...info.headers }, {});
    });

    test("asks whether it may go on before an upload is completed", async () => {
      const key = "large/guarded";
      const made = await upload(key, "t");
      const refusal = new OperatingError("not_ready", "the lease is gone");
      const refusing = {
        ...options,
        authorize: () => {
          throw refusal;
        },
      };
      await assert.rejects(store.completeUpload(key, made, always, refusing), (error) => error === refusal);
      assert.equal(await store.stat(key, options), undefined);
      written(await store.completeUpload(key, made, always, options));
    });

    test("lists the uploads that are neither completed nor aborted, and since when they are", async () => {
      const odd = "large/list/b\0 %&<>\n\u0001\u00e9";
      const first = await upload("large/list/a", "t");
      const second = await upload(odd, "t");
      const third = await upload("large/c", "t");
      const made = [first, second, third];
      const listed = async (): Promise<Map<string, string>> => {
        const found = await store.listUploads(options);
        for (const { startedMs } of found) assert(Math.abs(Date.now() - startedMs) < 60_000, `begun at ${startedMs}`);
        return new Map(found.map(({ id, name: key }) => [id, key]));
      };
      const before = await listed();
      for (const { id } of made) assert(before.has(id));
      if (before.get(second.id) !== "") assert.equal(before.get(second.id), odd);
      written(await store.completeUpload("large/list/a", first, always, options));
      await store.abortUpload(odd, second.id, options);
      const afterwards = await listed();
      assert.deepEqual(
        made.map(({ id }) => afterwards.has(id)),
        [false, false, true],
      );
      await store.abortUpload("large/c", third.id, options);
      assert(!(await listed()).has(third.id));
    });
  });
}

function send(upload: OpenUpload, number: number, bytes: Buffer, start: number, end: number): Promise<string> {
  return upload.sendPart({ number, offset: start, body: bytes.subarray(start, end) }, options);
}

function noise(size: number, mark: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i * 31 + (i >> 8) + (i >> 16)) & 0xff;
  bytes[size - 1] = mark;
  return bytes;
}

function written(result: CompleteResult): string {
  assert(result.kind === "written", `it is ${result.kind}`);
  return result.tag;
}
