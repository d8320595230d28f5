/**
 * Listings of a cluster of real processes: what is buffered, stored, deleted and both, page by page; while clients
 * write, and while a node is lost. What is expected comes from what was acknowledged before each listing began.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { setStage } from "../harness/stage.ts";

/** Between two rounds of a client, in milliseconds: without it, clients take all of the processors. */
const restMs = 20;

interface Page {
  readonly keys: readonly {
    readonly key: string;
    readonly size: number;
    readonly etag: string;
    readonly lastModified: string;
  }[];
  readonly prefixes: readonly string[];
  readonly next: string | null;
}

interface Query {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit?: number;
  readonly delimiter?: string;
}

async function page(cluster: TestCluster, id: string, query: Query): Promise<Page> {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  const answer = await cluster.http.request(cluster.url(id), "GET", `/kv/?${parameters.toString()}`);
  assert.equal(answer.status, 200, answer.body.toString());
  return JSON.parse(answer.body.toString()) as Page;
}

/** The keys and common prefixes of all pages, in the order in which they came. */
async function entries(cluster: TestCluster, id: string, query: Query): Promise<string[]> {
  const all: string[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const { keys, prefixes, next }: Page = await page(cluster, id, { ...query, after });
    const both = [...keys.map(({ key }) => key), ...prefixes];
    assert.ok(both.length <= (query.limit ?? 1_000), `${both.length} entries`);
    all.push(...both.sort());
    assert.notEqual(next, after, "a page gets on");
    after = next;
  }
  return all;
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(3, "0")}`);
}

async function putAll(cluster: TestCluster, keys: readonly string[]): Promise<void> {
  await Promise.all(
    keys.map(async (key, n) => {
      const answer = await cluster.put(cluster.ids[n % cluster.ids.length] as string, key, `value of ${key}`);
      assert.equal(answer.status, 204, answer.body.toString());
    }),
  );
}

async function removeAll(cluster: TestCluster, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map(async (key) => assert.equal((await cluster.remove("b", key)).status, 204)));
}

describe("a listing of a cluster", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start()) }));

  test("has what was just put, through every node, with size, ETag and time, and not what was just deleted", async () => {
    const { cluster } = stage();
    const keys = numbered("fresh/", 30);
    for (let round = 0; round < 5; round++) {
      await putAll(cluster, keys);
      for (const id of cluster.ids) assert.deepEqual(await entries(cluster, id, { prefix: "fresh/", limit: 7 }), keys);
      await removeAll(cluster, keys.slice(10, 20));
      const left = [...keys.slice(0, 10), ...keys.slice(20)];
      for (const id of cluster.ids) assert.deepEqual(await entries(cluster, id, { prefix: "fresh/", limit: 7 }), left);
    }
    const { keys: listed } = await page(cluster, "a", { prefix: "fresh/", limit: 1 });
    assert.equal(listed[0]?.size, "value of fresh/000".length);
    assert.equal(listed[0]?.etag, hash("md5", "value of fresh/000"));
    const ageMs = Date.now() - Date.parse(listed[0]?.lastModified as string);
    assert.ok(Math.abs(ageMs) < 30_000, `${ageMs} ms`);
  });

  test("stays the same when what it shows has left the buffer", async () => {
    const { cluster } = stage();
    await putAll(cluster, numbered("same/", 20));
    const before = await page(cluster, "c", { prefix: "same/" });
    await cluster.untilFlushed();
    const after = await page(cluster, "c", { prefix: "same/" });
    const known = ({ keys }: Page) => keys.map(({ key, size, etag }) => ({ key, size, etag }));
    assert.deepEqual(known(after), known(before));
  });

  test("lists odd keys, rolls up at a delimiter, and never shows what is weir's own", async () => {
    const { cluster } = stage();
    const odd = ["odd/ü/\u{1F600}", "odd/a//b", "odd/a/../b", "odd/\0", "odd/%2F", "odd/a b+c&d=e", "odd/\uffee"];
    for (const flushed of [false, true]) {
      await putAll(cluster, odd);
      if (flushed) await cluster.untilFlushed();
      const byBytes = odd.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const { keys } = await page(cluster, "b", { prefix: "odd/" });
      assert.deepEqual(
        keys.map(({ key }) => key),
        byBytes,
      );
      assert.deepEqual((await page(cluster, "b", { prefix: "odd/", delimiter: "/" })).prefixes, ["odd/a/", "odd/ü/"]);
    }
    for (const query of [
      {},
      { prefix: "." },
      { prefix: ".weir/" },
      { delimiter: "/" },
      { delimiter: "e" },
      { limit: 1 },
    ])
      for (const each of await entries(cluster, "a", query)) assert.ok(!each.startsWith(".w"), each);
  });

  test("while clients write has every key that stays exactly once, and every write that was answered before it", async () => {
    const { cluster } = stage();
    const kept = numbered("busy/k", 60);
    await putAll(cluster, kept);
    let done = false;
    // The last write of each that was answered, and whether one is under way.
    const own = new Map<string, { exists: boolean; underWay: boolean; changes: number }>();
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let n = 0; !done; n++) {
        const key = `busy/${n % 2 === 0 ? "a" : "z"}${writer}-${n % 5}`;
        const state = own.get(key) ?? { exists: false, underWay: false, changes: 0 };
        own.set(key, state);
        state.underWay = true;
        const id = cluster.ids[n % 3] as string;
        const answer = state.exists ? await cluster.remove(id, key) : await cluster.put(id, key, "x");
        assert.equal(answer.status, 204);
        state.exists = !state.exists;
        state.underWay = false;
        state.changes++;
        const replaced = await cluster.put(id, kept[(n * 7 + writer) % kept.length] as string, `again ${n}`);
        assert.equal(replaced.status, 204);
        await sleep(systemClock, restMs);
      }
    });
    try {
      for (let round = 0; round < 20; round++) {
        const settled = new Map(
          [...own].filter(([, { underWay }]) => !underWay).map(([key, state]) => [key, { ...state }]),
        );
        const listed = await entries(cluster, cluster.ids[round % 3] as string, {
          prefix: "busy/",
          // Each page costs a look at a hundred of the store's files, however few it shows.
          limit: 4 + 2 * round,
        });
        assert.equal(new Set(listed).size, listed.length);
        assert.deepEqual(
          listed.filter((key) => key.startsWith("busy/k")),
          kept,
        );
        for (const [key, { exists, changes }] of settled) {
          const now = own.get(key);
          // Nobody has touched it meanwhile: then there is only one right answer.
          if (now?.changes === changes && !now.underWay) assert.equal(listed.includes(key), exists, key);
        }
      }
    } finally {
      done = true;
      await Promise.all(writers);
    }
  });
});

describe("a listing of a cluster that holds what it took, over a store that has more", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config: neverFlush })) }));

  test("merges both: what was deleted is gone, and with it common prefixes of which nothing is left", async () => {
    const { cluster } = stage();
    const stored = [...numbered("old/", 250), ...numbered("whole/x", 5), ...numbered("part/x", 5), ".weirdo", "zz"];
    await putAll(cluster, stored);
    // The last one to leave puts everything into the store.
    for (const { code } of await cluster.stopAll()) assert.equal(code, 0);
    for (const id of cluster.ids) cluster.restart(id);
    await cluster.untilReady();

    await removeAll(cluster, [...numbered("old/", 249), ...numbered("whole/x", 5), ...numbered("part/x", 4)]);
    await putAll(cluster, ["new/1", "old/0005"]);
    for (const id of cluster.ids) {
      for (const limit of [1, 1_000]) {
        const all = await entries(cluster, id, { limit });
        assert.deepEqual(all, [".weirdo", "new/1", "old/0005", "old/249", "part/x004", "zz"]);
      }
      for (const limit of [1, 2, 1_000]) {
        const top = await entries(cluster, id, { delimiter: "/", limit });
        assert.deepEqual(top, [".weirdo", "new/", "old/", "part/", "zz"]);
      }
      // "." is the beginning of weir's own names, too: it counts only for the others.
      assert.deepEqual((await page(cluster, id, { delimiter: "." })).prefixes, ["."]);
    }
    await removeAll(cluster, [".weirdo"]);
    assert.deepEqual((await page(cluster, "a", { delimiter: "." })).prefixes, []);
    assert.deepEqual((await page(cluster, "a", { prefix: "whole/" })).keys, []);
  });

  test("pauses, and answers without an error, while the node that holds a part of it is lost", async (t) => {
    const { cluster } = stage();
    const keys = numbered("kept/", 120);
    await putAll(cluster, keys);
    const doomed = numbered("doomed/", 40);
    await putAll(cluster, doomed);
    await removeAll(cluster, doomed);
    let done = false;
    let slowestMs = 0;
    let count = 0;
    const readers = ["a", "b"].map(async (id) => {
      for (; !done; count++) {
        const startedAt = performance.now();
        assert.deepEqual(await entries(cluster, id, { limit: 50 }), await expected);
        slowestMs = Math.max(slowestMs, performance.now() - startedAt);
        await sleep(systemClock, restMs);
      }
    });
    const expected = entries(cluster, "c", {});
    const all = await expected;
    assert.deepEqual(
      all.filter((key) => key.startsWith("kept/") || key.startsWith("doomed/")),
      keys,
    );
    try {
      await cluster.until(10_000, "there were listings", () => Promise.resolve(count > 10));
      await cluster.process("c").kill();
      await cluster.until(15_000, "the others went on", async () => (await cluster.status("a")).members.length === 2);
      const before = count;
      await cluster.until(10_000, "there are listings again", () => Promise.resolve(count > before + 4));
    } finally {
      done = true;
      await Promise.all(readers);
    }
    t.diagnostic(`${count} listings, the slowest took ${Math.round(slowestMs)} ms`);
    cluster.restart("c");
    await cluster.untilReady();
    assert.deepEqual(await entries(cluster, "c", {}), all);
  });
});
