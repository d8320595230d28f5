/**
 * What every implementation of the store port must do with `list`; the suite of the whole port runs it. What is
 * expected comes from a model: all names, sorted.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { noHeaders } from "../../src/core/entry.ts";
import type { ListQuery } from "../../src/core/listing.ts";
import type { BlobStore, ListPage } from "../../src/store/blob-store.ts";

const options = { deadlineMs: 60_000 };
const always = { kind: "always" } as const;
const whole: ListQuery = { prefix: "", after: "", delimiter: "", limit: 1_000 };

/** Names over few characters, so that prefixes, delimiters and positions fall everywhere. */
const letters = ["a", "b", "/", "//", ".", "-", "%", "\0", "\u0001", "\u0002", " ", "+", "\uffee", "\u{1F600}"];

export function listingSuite(name: string, open: () => Promise<BlobStore>, oddNames: readonly string[]): void {
  describe(`${name}, asked for a listing,`, () => {
    let store: BlobStore;

    before(async () => {
      store = await open();
      await store.probe(options);
    });

    after(async () => {
      await store[Symbol.asyncDispose]();
    });

    async function put(names: readonly string[]): Promise<void> {
      const left = [...names];
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let each = left.pop(); each !== undefined; each = left.pop()) {
            await store.write(
              each,
              { body: Buffer.from(`of ${each}`), headers: noHeaders, version: "v" },
              always,
              options,
            );
          }
        }),
      );
    }

    async function remove(names: readonly string[]): Promise<void> {
      for (const each of names) await store.remove(each, always, options);
    }

    /** All pages' entries, in the order of the listing; checks what holds for each page. */
    async function entries(query: ListQuery): Promise<string[]> {
      const all: string[] = [];
      for (let page: ListPage | undefined, position = query.after; ; position = page.next) {
        page = await store.list({ ...query, after: position }, options);
        const names = page.blobs.map((blob) => blob.name);
        assert.deepEqual(names, names.toSorted(byBytes));
        assert.deepEqual(page.prefixes, page.prefixes.toSorted(byBytes));
        const both = [...names, ...page.prefixes].sort(byBytes);
        assert(both.length <= query.limit, `${both.length} entries`);
        all.push(...both);
        if (page.next === undefined) return all;
        assert(both.length > 0, "a page without entries is the last one");
        // Further on than the last entry where what followed it has gone meanwhile.
        assert.ok(byBytes(page.next, both.at(-1) as string) >= 0, `${page.next} comes before ${both.at(-1)}`);
      }
    }

    test("lists nothing in an empty store", async () => {
      assert.deepEqual(await store.list(whole, options), { blobs: [], prefixes: [], next: undefined });
    });

    test("gives every odd name, with what is known of its blob, in the order of UTF-8", async () => {
      await put(oddNames);
      const { blobs, prefixes, next } = await store.list(whole, options);
      assert.deepEqual(
        blobs.map((blob) => blob.name),
        oddNames.toSorted(byBytes),
      );
      assert.deepEqual(prefixes, []);
      assert.equal(next, undefined);
      for (const { name: each, size, tag, md5, modifiedMs } of blobs) {
        const body = `of ${each}`;
        const info = await store.stat(each, options);
        assert.equal(size, Buffer.byteLength(body));
        assert.equal(tag, info?.tag);
        if (md5 !== undefined) assert.equal(md5, hash("md5", body));
        assert(Math.abs(modifiedMs - (info?.modifiedMs ?? 0)) < 2_000, "it is dated as when it is read");
      }
    });

    test("finds by each prefix, delimiter and position just what a sorted list of the names has", async () => {
      const positions = ["", "a/", "a/b", "a\0b", "\u{10FFFF}", "d/d/"];
      for (const prefix of [
        "",
        "a",
        "a/",
        "a//",
        "/",
        ".",
        "..",
        "%",
        "a%",
        "\0",
        "a\0",
        "\u0001",
        "d/d/",
        "ü/",
        "none",
      ]) {
        for (const delimiter of ["", "/", "d/"]) {
          for (const position of positions) {
            const query = { prefix, delimiter, after: position, limit: 1_000 };
            assert.deepEqual(await entries(query), expected(oddNames, query), JSON.stringify(query));
          }
        }
      }
    });

    test("gives each entry once, in pages of any size", async () => {
      for (const delimiter of ["", "/"]) {
        for (const limit of [1, 2, 3, 7]) {
          const query = { ...whole, delimiter, limit };
          assert.deepEqual(await entries(query), expected(oddNames, query), JSON.stringify(query));
        }
      }
      await remove(oddNames);
      assert.deepEqual(await entries(whole), []);
    });

    test("agrees with the model for random names, prefixes, delimiters, positions and limits", async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      console.log(`seed ${seed}`);
      const draw = generator(seed);
      const text = (least: number): string => {
        let result = "";
        for (let length = least + draw(4); length > 0; length -= 1) result += letters[draw(letters.length)];
        return result;
      };
      const names = [...new Set(Array.from({ length: 120 }, () => text(1)))];
      await put(names);
      for (let round = 0; round < 80; round += 1) {
        const [prefix, position] = [text(0), text(0)].map((each) => (draw(2) === 0 ? "" : each)) as [string, string];
        const delimiter = draw(2) === 0 ? "" : text(1).slice(0, 1 + draw(2));
        if (!delimiter.isWellFormed()) continue;
        const query = { prefix, delimiter, after: position, limit: 1 + draw(40) };
        assert.deepEqual(await entries(query), expected(names, query), JSON.stringify(query));
      }
      await remove(names);
    });

    test("lists 1,050 blobs in pages, and rolls up as many", async () => {
      const names = Array.from({ length: 1_050 }, (_, i) => `many/${String(i).padStart(5, "0")}/x`);
      await put(names);
      const flat = { ...whole, prefix: "many/" };
      assert.deepEqual(await entries(flat), names);
      assert.equal((await store.list(flat, options)).blobs.length, 1_000);
      assert.deepEqual(
        await entries({ ...flat, delimiter: "/" }),
        names.map((each) => each.slice(0, -1)),
      );
      assert.deepEqual(await entries({ ...whole, delimiter: "/" }), ["many/"]);
    });

    test("lists what stays throughout exactly once, while other names come and go, and it is itself replaced", async () => {
      const kept = Array.from({ length: 60 }, (_, i) => `busy/${String(i).padStart(2, "0")}`);
      await put(kept);
      let done = false;
      const writers = [0, 1, 2].map(async (writer) => {
        for (let i = 0; !done; i += 1) {
          const passing = `busy/${String(i % 60).padStart(2, "0")}-${writer}`;
          await put([passing, kept[(i * 7 + writer) % kept.length] as string]);
          await remove([passing]);
        }
      });
      try {
        for (let round = 0; round < 25; round += 1) {
          const seen = await entries({ ...whole, prefix: "busy/", limit: 1 + (round % 20) });
          assert.deepEqual(
            seen.filter((each) => !each.includes("-")),
            kept,
          );
        }
      } finally {
        done = true;
        await Promise.all(writers);
      }
    });
  });
}

/** What a listing of a store with these names has: the long way round. */
function expected(names: readonly string[], { prefix, delimiter, after: position }: ListQuery): string[] {
  const found = new Set<string>();
  for (const each of names) {
    if (!each.startsWith(prefix)) continue;
    const rest = each.slice(prefix.length);
    const parts = delimiter === "" ? [rest] : rest.split(delimiter);
    const entry = parts.length === 1 ? each : prefix + parts[0] + delimiter;
    if (position === "" || byBytes(entry, position) > 0) found.add(entry);
  }
  return [...found].sort(byBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
