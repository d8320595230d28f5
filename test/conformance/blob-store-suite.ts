/**
 * What every implementation of the store port must do, as one suite that each of them runs: odd names, bodies byte for
 * byte, headers and metadata, conditions and races. `open` gives a fresh, empty store; the suite probes it, as any user
 * of the port must.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import { type ContentHeaders, noHeaders } from "../../src/core/entry.ts";
import type { Blob, BlobStore, WriteCondition, WriteResult } from "../../src/store/blob-store.ts";
import { listingSuite } from "./listing-suite.ts";

const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const absent: WriteCondition = { kind: "absent" };
const maxBytes = 8 * 1024 * 1024;

/** Names that some file system, server or library is known to trip over. */
export const oddNames: readonly string[] = [
  "photos/cat.png",
  "a",
  "a/b",
  "a/b/c",
  "A/B",
  "a//b",
  "a/../b",
  "a/./b",
  "../../etc/passwd",
  ".",
  "..",
  "/",
  "//",
  "/a",
  "a/",
  "./",
  "\0",
  "a\0b",
  "\u0001\u001f\u007f",
  "a\nb\rc\td",
  "%",
  "%2F",
  "a%2Fb",
  "%-",
  "%00",
  "a\\b",
  "..\\..\\x",
  "a+b c?&=#;,@:$!*'()",
  "<&>\"'",
  "C:",
  "nul.txt",
  "ü/日本語/\u{1F600}.png",
  "\u00e9",
  "e\u0301",
  "\ufeffx",
  "~",
  " leading and trailing ",
  "weir/store/x",
  ".weir/view.json",
  ".weir/store/metadata/x",
  ".weir/store/temporary/x",
  "x".repeat(255),
  "x".repeat(256),
  `${"d/".repeat(300)}deep`,
  "日".repeat(341),
  "y".repeat(1024),
  "\u0001".repeat(300),
];

export function blobStoreSuite(name: string, open: () => Promise<BlobStore>): void {
  listingSuite(name, open, oddNames);

  describe(`${name}, as a blob store,`, () => {
    let store: BlobStore;

    before(async () => {
      store = await open();
      const abilities = await store.probe(options);
      assert.equal(abilities.conditionalWrites, true);
    });

    after(async () => {
      await store[Symbol.asyncDispose]();
    });

    async function put(key: string, text: string, condition = always, headers = noHeaders): Promise<string> {
      const content = { body: Buffer.from(text), headers, version: versionOf(text) };
      return written(await store.write(key, content, condition, options));
    }

    async function get(key: string): Promise<Blob> {
      const result = await store.read(key, maxBytes, options);
      assert.equal(result.kind, "found", `reading ${JSON.stringify(key)}`);
      assert(result.kind === "found");
      return result.blob;
    }

    test("keeps a value under every odd name apart from all the others", async () => {
      for (const each of oddNames) await put(each, `value of ${each}`, absent);
      for (const each of oddNames) {
        assert.equal((await get(each)).body.toString(), `value of ${each}`);
        assert.equal((await store.stat(each, options))?.version, versionOf(`value of ${each}`));
      }
      for (const each of oddNames) {
        await store.remove(each, always, options);
        assert.deepEqual(await store.read(each, maxBytes, options), { kind: "missing" }, JSON.stringify(each));
      }
    });

    test("keeps a name beside names that run through it, in whatever order they come and go", async () => {
      for (const order of [
        ["n", "n/m", "n/m/o"],
        ["n/m/o", "n/m", "n"],
      ]) {
        for (const each of order) await put(each, each);
        for (const each of order) await put(each, `${each} again`);
        for (const each of order) {
          for (const other of order.slice(order.indexOf(each))) {
            assert.equal((await get(other)).body.toString(), `${other} again`);
          }
          await store.remove(each, always, options);
          assert.equal(await store.stat(each, options), undefined);
        }
      }
    });

    test("gives back bodies of 0 bytes to 4 MiB byte for byte, in buffers of their own", async () => {
      for (const size of [0, 1, 1023, 65_536, 65_537, 1_000_003, 4 * 1024 * 1024]) {
        const body = Buffer.alloc(size);
        for (let i = 0; i < size; i += 1) body[i] = (i * 31 + (i >> 8)) & 0xff;
        await store.write("body", { body, headers: noHeaders, version: "1" }, always, options);
        const blob = await get("body");
        assert.equal(blob.size, size);
        assert(blob.body.equals(body), `${size} bytes differ`);
        assert.equal(blob.body.buffer.byteLength, size);
        assert.equal((await store.stat("body", options))?.size, size);
      }
    });

    test("takes a body that is a part of a larger buffer", async () => {
      const body = Buffer.from("..inner..").subarray(2, 7);
      await store.write("part", { body, headers: noHeaders }, always, options);
      assert.equal((await get("part")).body.toString(), "inner");
    });

    test("does not read a body above the limit, and reads one at the limit", async () => {
      await put("limit", "12345");
      const result = await store.read("limit", 4, options);
      assert(result.kind === "too_large");
      assert.equal(result.info.size, 5);
      assert.equal(result.info.version, "v 12345");
      assert.equal((await store.read("limit", 5, options)).kind, "found");
    });

    test("gives back headers and metadata as they came, and none that did not", async () => {
      const cases: ContentHeaders[] = [
        {},
        { "content-type": "image/png" },
        { "content-type": "binary/octet-stream" },
        { "content-type": "application/octet-stream" },
        { "cache-control": "max-age=60, public", "content-encoding": "gzip" },
        { "content-disposition": 'attachment; filename="a b.png"; x=%41' },
        { "content-disposition": 'attachment; filename="\u00c3\u00a9\u00ff.png"', "content-type": "text/plain" },
        { "x-weir-meta-key": "photos/cat.png", "x-weir-meta-extension": "png" },
        { "x-weir-meta-a": "100%", "x-weir-meta-b": "%41", "x-weir-meta-c": "\u00e9\u0080\u00ff", "x-weir-meta-d": "" },
        { "x-weir-meta-spaces": "a  b   c", "x-weir-meta-tab": "a\tb", "x-weir-meta-quotes": "\"'<&>" },
        { "x-weir-meta-part_of.it": "1", "x-weir-meta-a_b_c": "2", "x-weir-meta-weir_version": "3" },
        { "content-language": "de, en", expires: "Tue, 01 Dec 2026 12:00:00 GMT" },
        { "content-language": "d\u00e9", expires: "0" },
        {
          "x-weir-meta-part_of.it": "1",
          "x-weir-meta-part-of-it": "2",
          "x-weir-meta-_": "3",
          "x-weir-meta-weir-hex-61": "4",
        },
        { "x-weir-meta-weir-version": "mine", "x-weir-meta-weir-x-a": "b", "x-weir-meta-weir-content-type": "none" },
      ];
      for (const headers of cases) {
        await put("headers", "x", always, headers);
        const blob = await get("headers");
        assert.deepEqual({ ...blob.headers }, headers);
        assert.equal(blob.version, "v x");
        assert.deepEqual({ ...(await store.stat("headers", options))?.headers }, headers);
      }
    });

    test("gives a blob without version none, and without a content type of its own", async () => {
      await store.write("unversioned", { body: Buffer.from("x"), headers: noHeaders }, always, options);
      const blob = await get("unversioned");
      assert.equal(blob.version, undefined);
      assert.deepEqual({ ...blob.headers }, {});
    });

    test("says when a blob was written", async () => {
      await put("dated", "x");
      const age = Date.now() - (await get("dated")).modifiedMs;
      assert(Math.abs(age) < 10_000, `it is ${age} ms old`);
    });

    test("finds nothing under a name that was never written", async () => {
      assert.deepEqual(await store.read("never/written", maxBytes, options), { kind: "missing" });
      assert.equal(await store.stat("never/written", options), undefined);
    });

    test("writes under the condition absent only while there is no blob", async () => {
      await put("once", "1", absent);
      const again = await store.write("once", { body: Buffer.from("2"), headers: noHeaders }, absent, options);
      assert.deepEqual(again, { kind: "conflict" });
      assert.equal((await get("once")).body.toString(), "1");
      await store.remove("once", always, options);
      await put("once", "3", absent);
      assert.equal((await get("once")).body.toString(), "3");
    });

    test("writes under the condition unchanged only while the tag is the same", async () => {
      const first = await put("cas", "1");
      assert.equal((await get("cas")).tag, first);
      assert.equal((await store.stat("cas", options))?.tag, first);
      const second = await put("cas", "2", { kind: "unchanged", tag: first });
      assert.notEqual(second, first);
      const stale = { kind: "unchanged", tag: first } as const;
      const result = await store.write("cas", { body: Buffer.from("3"), headers: noHeaders }, stale, options);
      assert.deepEqual(result, { kind: "conflict" });
      assert.equal((await get("cas")).body.toString(), "2");
      await store.remove("cas", always, options);
      const gone = { kind: "unchanged", tag: second } as const;
      assert.deepEqual(await store.write("cas", { body: Buffer.from("4"), headers: noHeaders }, gone, options), {
        kind: "conflict",
      });
      assert.equal(await store.stat("cas", options), undefined);
    });

    test("replaces body, headers and version together", async () => {
      await put("whole", "1", always, { "content-type": "text/a", "x-weir-meta-a": "1" });
      await put("whole", "22", always, { "content-type": "text/b" });
      const blob = await get("whole");
      assert.deepEqual({ ...blob.headers }, { "content-type": "text/b" });
      assert.equal(blob.version, "v 22");
      assert.equal(blob.body.toString(), "22");
    });

    test("removes what there is, and what there isn't without complaint", async () => {
      await put("removed", "x");
      assert.deepEqual(await store.remove("removed", always, options), { kind: "written", tag: "" });
      assert.deepEqual(await store.read("removed", maxBytes, options), { kind: "missing" });
      assert.deepEqual(await store.remove("removed", always, options), { kind: "written", tag: "" });
    });

    test("asks whether it may go on before anything is sent, and rejects with what that throws, without an effect", async () => {
      const tag = await put("guarded", "1");
      const refusal = new OperatingError("not_ready", "the lease is gone");
      let asked = 0;
      const refusing = {
        ...options,
        authorize: () => {
          asked += 1;
          throw refusal;
        },
      };
      const content = { body: Buffer.from("2"), headers: noHeaders };
      const requests: readonly (() => Promise<unknown>)[] = [
        () => store.read("guarded", maxBytes, refusing),
        () => store.stat("guarded", refusing),
        () => store.list({ prefix: "guarded", after: "", delimiter: "", limit: 1 }, refusing),
        () => store.write("guarded", content, always, refusing),
        () => store.write("guarded", content, { kind: "unchanged", tag }, refusing),
        () => store.write("guarded/new", content, absent, refusing),
        () => store.remove("guarded", always, refusing),
      ];
      for (const [index, request] of requests.entries()) {
        await assert.rejects(request(), (error) => error === refusal);
        assert.equal(asked, index + 1, "it is asked once");
      }
      assert.equal((await get("guarded")).tag, tag);
      assert.equal(await store.stat("guarded/new", options), undefined);

      const allowing = { ...options, authorize: () => void asked++ };
      assert.equal((await store.write("guarded", content, { kind: "unchanged", tag }, allowing)).kind, "written");
      assert.equal((await store.remove("guarded", always, allowing)).kind, "written");
      assert.equal(asked, requests.length + 2);
    });

    test("lets exactly one of 20 writers win with the condition absent, in each of 10 rounds", async () => {
      for (let round = 0; round < 10; round += 1) await race(store, `race/absent/${round}`, absent);
    });

    test("lets exactly one of 20 writers win with the same tag, in each of 10 rounds", async () => {
      let tag = await put("race/tag", "start");
      for (let round = 0; round < 10; round += 1) tag = await race(store, "race/tag", { kind: "unchanged", tag });
    });

    test("shows readers one write's body, headers and version, while others replace it", async () => {
      await put("torn", "0", always, { "x-weir-meta-n": "0" });
      let done = false;
      const writer = (async () => {
        for (let i = 1; i <= 40; i += 1) await put("torn", "x".repeat(i), always, { "x-weir-meta-n": "x".repeat(i) });
        done = true;
      })();
      let last = 0;
      while (!done) {
        const blob = await get("torn");
        const text = blob.body.toString();
        assert.equal(blob.headers["x-weir-meta-n"], text);
        assert.equal(blob.version, `v ${text}`);
        const now = text === "0" ? 0 : text.length;
        assert(now >= last, `write ${now} was seen after write ${last}`);
        last = now;
      }
      await writer;
    });

    test("shows readers a whole blob or none, while it is removed and written again", async () => {
      let done = false;
      const writer = (async () => {
        for (let i = 0; i < 30; i += 1) {
          // Large, so that there is time for a change in the middle of a read.
          const body = Buffer.alloc(2 * 1024 * 1024, i);
          await store.write("fleeting", { body, headers: noHeaders, version: `${i}` }, always, options);
          await store.remove("fleeting", always, options);
        }
        done = true;
      })();
      const reader = async (): Promise<void> => {
        while (!done) {
          const result = await store.read("fleeting", maxBytes, options);
          if (result.kind === "found") assert.equal(result.blob.version, `${result.blob.body[0]}`);
        }
      };
      await Promise.all([writer, ...Array.from({ length: 8 }, reader)]);
    });

    test("leaves nothing behind when it is probed", async () => {
      const abilities = await store.probe(options);
      assert.equal(abilities.conditionalWrites, true);
      assert(Array.isArray(abilities.notes));
    });
  });
}

/** A version is ASCII; these are as odd as they may be. */
function versionOf(text: string): string {
  return `v ${encodeURIComponent(text)}`;
}

/**
 * 20 writers with one condition; returns the winner's tag. A loser may be told that the outcome is unknown (Ceph
 * answers 500).
 */
async function race(store: BlobStore, name: string, condition: WriteCondition): Promise<string> {
  const bodies = Array.from({ length: 20 }, (_, i) => Buffer.from(`${name} writer ${i} ${Math.random()}`));
  const results = await Promise.all(
    bodies.map(async (body) => {
      try {
        return await store.write(name, { body, headers: noHeaders, version: body.toString() }, condition, options);
      } catch (error) {
        if (!isOperatingError(error, "store_unavailable", "store_throttled")) throw error;
        return undefined;
      }
    }),
  );
  const seen = await store.read(name, maxBytes, options);
  assert(seen.kind === "found");
  const winners = bodies.filter((_, i) => results[i]?.kind === "written");
  const unknown = bodies.filter((_, i) => results[i] === undefined);
  assert(winners.length <= 1, `${winners.length} writers won`);
  const winner = [...winners, ...unknown].find((body) => body.equals(seen.blob.body));
  assert(winner !== undefined, "what is read is a winner's");
  if (winners.length === 1) assert(winners[0]?.equals(seen.blob.body), "the winner's body is read");
  assert.equal(seen.blob.version, winner.toString());
  return seen.blob.tag;
}

function written(result: WriteResult): string {
  assert.equal(result.kind, "written");
  assert(result.kind === "written");
  return result.tag;
}
