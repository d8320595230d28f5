/**
 * `Weir-Durability: stored` on a cluster of real processes that by itself flushes nothing: at the moment of the answer
 * the store has what was written, whichever node was asked, also while a node is lost; and where the store is away, the
 * answer says how far the write has come.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import type { Answer } from "../harness/http-client.ts";
import { setStage } from "../harness/stage.ts";

const stored = { "weir-durability": "stored" };

function assertStored(answer: Answer, what: string): void {
  assert.equal(answer.status, 204, `${what}: ${answer.body.toString()}`);
  assert.equal(answer.headers["weir-durability"], "stored", what);
}

describe("writes that wait for the store", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config: neverFlush })) }));
  const objectOf = (key: string): string => join(stage().cluster.storeFolder, key);

  test("are in the store when they are answered, through any node; others are not", async () => {
    const { cluster } = stage();
    for (const [n, id] of [...cluster.ids, ...cluster.ids].entries()) {
      const key = `key-${n}`;
      const put = await cluster.put(id, key, "first");
      assert.deepEqual([put.status, put.headers["weir-durability"]], [204, "replicated"]);
      assert.equal(existsSync(objectOf(key)), false);
      assertStored(await cluster.put(id, key, "second", stored), `PUT ${key} through ${id}`);
      assert.equal(readFileSync(objectOf(key), "utf8"), "second");
      assertStored(await cluster.put(id, key, "third", { ...stored, "if-match": "*" }), `PUT If-Match ${key}`);
      assert.equal(readFileSync(objectOf(key), "utf8"), "third");
      assertStored(await cluster.remove(id, key, stored), `DELETE ${key} through ${id}`);
      assert.equal(existsSync(objectOf(key)), false);
    }
  });

  test("of one key at once are each answered when the store has that one or a newer one", async () => {
    const { cluster } = stage();
    const versions: string[] = [];
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const answer = await cluster.put(cluster.ids[n % 3] as string, "busy", `${n}`, stored);
        assertStored(answer, `${n}`);
        versions.push(answer.headers["weir-version"] as string);
      }),
    );
    const last = versions.toSorted((x, y) => Number(x.split(".")[1]) - Number(y.split(".")[1])).at(-1);
    const read = await cluster.get("a", "busy");
    assert.equal(read.headers["weir-version"], last);
    assert.equal(readFileSync(objectOf("busy"), "utf8"), read.body.toString());
  });

  test("by the old API are in the store, too", async () => {
    const { cluster } = stage();
    const body = JSON.stringify({ key: "old", extension: "txt", data: Buffer.from("value").toString("base64") });
    const answer = await cluster.http.request(cluster.url("b"), "POST", "/put/", { body, headers: stored });
    assert.deepEqual([answer.status, answer.headers["weir-durability"]], [200, "stored"]);
    assert.equal(readFileSync(objectOf("old"), "utf8"), "value");
  });

  test("are told that they are only replicated when the store is away, and are in it once it is back", async () => {
    const { cluster } = stage();
    const away = `${cluster.storeFolder}-away`;
    renameSync(cluster.storeFolder, away);
    writeFileSync(cluster.storeFolder, "no folder");
    const answers = await Promise.all(
      cluster.ids.map(async (id) => await cluster.put(id, `late-${id}`, "value", stored)),
    );
    for (const [n, answer] of answers.entries()) {
      assert.deepEqual([answer.status, answer.code], [503, "deadline_exceeded"], answer.body.toString());
      assert.match(answer.body.toString(), /has taken effect, as version \d+\.\d+, and is replicated/);
      assert.equal((await cluster.get("a", `late-${cluster.ids[n]}`)).body.toString(), "value");
    }
    renameSync(cluster.storeFolder, `${away}-file`);
    renameSync(away, cluster.storeFolder);
    assertStored(await cluster.put("c", "late-a", "newer", stored), "the store is back");
    assert.equal(readFileSync(objectOf("late-a"), "utf8"), "newer");
  });

  test("that a lost node had not finished are finished by its successor, under the same request", async () => {
    const { cluster } = stage();
    const keys = Array.from({ length: 40 }, (_, n) => `survivor-${n}`);
    const puts = keys.map(async (key, n) => {
      const answer = await cluster.put(n % 2 === 0 ? "a" : "b", key, key, stored);
      assertStored(answer, key);
      assert.equal(readFileSync(objectOf(key), "utf8"), key);
    });
    await cluster.process("c").kill();
    await Promise.all(puts);
    // One more round with no owner lost: keys that changed hands wait until no request of c can be under way.
    await Promise.all(
      keys.map(async (key) => {
        assertStored(await cluster.put("a", key, `${key} again`, stored), key);
        assert.equal(readFileSync(objectOf(key), "utf8"), `${key} again`);
      }),
    );
    cluster.restart("c");
    await cluster.untilReady();
  });
});
