/**
 * `weir drop` over real clusters: what the store refuses is shown from any node, given up by the very version that was
 * shown, and stays given up.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { setStage } from "../harness/stage.ts";
import { StoreProxy } from "../harness/store-proxy.ts";
import { refuseStubbornKeys, stubbornPrefix } from "../harness/stubborn-keys.ts";

const key = `${stubbornPrefix}x`;

/** Until the cluster says that the store refuses the key: its version, and what the command shows. */
async function refusal(cluster: TestCluster, of: string): Promise<{ version: string; shown: string }> {
  const args = ["drop", of, "--config", cluster.configPath];
  // A look at the figures takes a hundredth of what a command does.
  await cluster.until(20_000, "the store has refused something", async () => (await refusedKeys(cluster)) > 0);
  let shown = "";
  await cluster.until(20_000, "the store has refused it", async () => {
    const { code, stdout } = await weir(args);
    shown = stdout;
    return code === 0;
  });
  const json = JSON.parse((await weir([...args, "--json"])).stdout) as { version: string };
  return { version: json.version, shown };
}

/** Gives it up, once nothing that is under way can bring it to the store. */
async function give(cluster: TestCluster, of: string, version: string): Promise<string> {
  const { code, stdout, stderr } = await weir(["drop", of, "--force", version, "--config", cluster.configPath]);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function refusedKeys(cluster: TestCluster): Promise<number> {
  const figures = await Promise.all(cluster.ids.map((id) => cluster.figures(id)));
  return figures.reduce((sum, each) => sum + each.refusedKeys, 0);
}

describe("weir drop", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 3 })) }));

  test("shows what is refused and changes nothing, then gives up that version, and the store is what counts", async (t) => {
    const { cluster } = stage();
    t.after(refuseStubbornKeys(cluster.storeFolder));
    const put = await cluster.put("a", key, "value");
    assert.equal(put.status, 204);
    const { version, shown } = await refusal(cluster, key);
    assert.equal(version, put.headers["weir-version"]);
    assert.match(
      shown,
      /^"looped\/x": for .* the store has lacked the value, 5 B, of version \d+\.\d+, and refuses it:$/m,
    );
    assert.match(shown, /ELOOP/);
    assert.match(shown, /THAT VALUE IS LOST/);
    assert.ok(shown.endsWith(`To give it up, add: --force ${version}\n`), shown);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, key)).body.toString(), "value");
    assert.equal(await refusedKeys(cluster), 1);
    assert.equal(
      await give(cluster, key, version),
      `version ${version} of "looped/x" is given up; the key is as the store has it\n`,
    );
    assert.match(cluster.log(), /an operator gives up what the store refuses/);
    // The folder's loop refuses reads, too, so that nobody can say what the store has.
    for (const id of cluster.ids) assert.equal((await cluster.get(id, key)).status, 503);
    await cluster.until(20_000, "no node holds it", async () => {
      const figures = await Promise.all(cluster.ids.map((each) => cluster.figures(each)));
      return figures.every(({ dirtyKeys, refusedKeys: count }) => dirtyKeys === 0 && count === 0);
    });
    assert.equal((await weir(["flush", "--config", cluster.configPath])).code, 0);
  });

  test("shows all that is refused under a prefix, from any node, and gives all of it up, and nothing else", async (t) => {
    const { cluster } = stage();
    t.after(refuseStubbornKeys(cluster.storeFolder));
    const keys = Array.from({ length: 40 }, (_, index) => `${stubbornPrefix}many/${index}`);
    const other = `${stubbornPrefix}other`;
    for (const [index, of] of [...keys, other].entries())
      assert.equal((await cluster.put(cluster.ids[index % 3] as string, of, "value")).status, 204);
    await cluster.until(20_000, "all are refused", async () => (await refusedKeys(cluster)) === keys.length + 1);
    const args = ["drop", "--prefix", `${stubbornPrefix}many/`, "--config", cluster.configPath];
    const { stdout } = await weir(args);
    assert.match(stdout, /^The store refuses 40 keys that begin with "looped\/many\/":$/m);
    assert.match(stdout, /THEIR VALUES ARE LOST/);
    const { stdout: json } = await weir([...args, "--json"]);
    const shown = JSON.parse(json) as { keys: { key: string; version: string }[]; more: boolean };
    assert.ok(
      shown.keys.every(({ version }) => /^[1-9]\d*\.[1-9]\d*$/.test(version)),
      "as weir drop takes it",
    );
    // A node tells how far a flush is with some of the keys only. At the end all are named.
    const flushed = await weir(["flush", "--config", cluster.configPath, "--json"]);
    const { failing } = JSON.parse(flushed.stdout) as { failing: { key: string }[] };
    assert.deepEqual(new Set(failing.map((each) => each.key)), new Set([...keys, other]));
    assert.deepEqual(new Set(shown.keys.map((each) => each.key)), new Set(keys));
    assert.equal(shown.more, false);
    assert.equal(await refusedKeys(cluster), keys.length + 1, "nothing is changed");
    const given = await weir([...args, "--yes"]);
    assert.deepEqual([given.code, given.stdout], [0, "40 keys given up\n"], given.stderr);
    await cluster.until(20_000, "they are gone", async () => (await refusedKeys(cluster)) === 1);
    assert.equal((await cluster.get("a", other)).body.toString(), "value");
    assert.match((await weir(args)).stdout, /^the store refuses no key that begins with /);
    for (const wrong of [["drop"], ["drop", key, "--prefix", "a"], ["drop", key, "--yes"], [...args, "--force", "1.1"]])
      assert.equal((await weir([...wrong, "--config", cluster.configPath])).code, 2, wrong.join(" "));
    await give(cluster, other, (await refusal(cluster, other)).version);
  });

  test("gives up no version but the one that was shown, and nothing that the store takes", async () => {
    const { cluster } = stage();
    const relent = refuseStubbornKeys(cluster.storeFolder);
    const args = (of: string, version: string) => ["drop", of, "--force", version, "--config", cluster.configPath];
    await cluster.put("a", key, "first");
    const { version } = await refusal(cluster, key);
    await cluster.put("b", key, "second");
    const stale = await weir(args(key, version));
    assert.equal(stale.code, 1);
    assert.match(stale.stderr, /is not what the key holds; look again \(precondition_failed, 412\)/);
    assert.equal((await cluster.get("c", key)).body.toString(), "second");
    relent();
    await cluster.untilFlushed();
    assert.equal(readFileSync(join(cluster.storeFolder, key), "utf8"), "second");
    const stored = await weir(["drop", key, "--config", cluster.configPath]);
    assert.equal(stored.code, 1);
    assert.match(stored.stderr, /\(not_refused, 404\)/);
    const { headers } = await cluster.get("a", key);
    assert.equal((await weir(args(key, String(headers["weir-version"])))).code, 1);
    assert.equal((await cluster.get("a", key)).body.toString(), "second");
    assert.equal((await weir(["drop", key, "--force", "newest", "--config", cluster.configPath])).code, 2);
  });
});

const server = s3ServerFromEnvironment();

describe("weir drop, of what a bucket refuses", { skip: typeof server === "string" && server }, () => {
  const stage = setStage(async (stack) => {
    assert.ok(typeof server !== "string");
    const bucket = stack.use(await TestBucket.create(server));
    const proxy = stack.use(await StoreProxy.start(server.endpoint));
    const cluster = stack.use(await TestCluster.start({ ...bucket.clusterOptions(proxy.url), nodes: 3 }));
    return { bucket, proxy, cluster };
  });
  const refuse = (name: string): void =>
    stage().proxy.refuse({
      status: 403,
      code: "AccessDenied",
      only: (method, url) => /^(?:PUT|DELETE)$/.test(method) && url.split("?")[0]?.endsWith(`/${name}`) === true,
    });

  test("reads the earlier object through every node, also after all nodes were killed", async () => {
    const { bucket, proxy, cluster } = stage();
    assert.equal((await cluster.put("a", "doc", "earlier")).status, 204);
    await cluster.untilFlushed();
    refuse("doc");
    assert.equal((await cluster.put("b", "doc", "refused")).status, 204);
    const { version } = await refusal(cluster, "doc");
    await give(cluster, "doc", version);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "doc")).body.toString(), "earlier", id);
    await Promise.all(cluster.ids.map((id) => cluster.process(id).kill()));
    for (const id of cluster.ids) cluster.restart(id);
    await cluster.untilReady();
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "doc")).body.toString(), "earlier", id);
    proxy.pass();
    await cluster.untilFlushed();
    assert.equal((await bucket.get("doc"))?.body.toString(), "earlier");
    // It is a key like any other again.
    assert.equal((await cluster.put("c", "doc", "later", { "weir-durability": "stored" })).status, 204);
    assert.equal((await bucket.get("doc"))?.body.toString(), "later");
  });

  test("brings back what could not be removed", async () => {
    const { bucket, proxy, cluster } = stage();
    assert.equal((await cluster.put("a", "kept", "value", { "weir-durability": "stored" })).status, 204);
    refuse("kept");
    assert.equal((await cluster.remove("b", "kept")).status, 204);
    assert.equal((await cluster.get("c", "kept")).status, 404);
    const { version, shown } = await refusal(cluster, "kept");
    assert.match(shown, /the store has lacked the removal of version/);
    assert.match(shown, /The removal is undone/);
    await give(cluster, "kept", version);
    for (const id of cluster.ids) assert.equal((await cluster.get(id, "kept")).body.toString(), "value", id);
    proxy.pass();
    assert.equal((await bucket.get("kept"))?.body.toString(), "value");
  });

  test("waits for whoever waits for the store to have it", async () => {
    const { proxy, cluster } = stage();
    refuse("waited-for");
    const write = cluster.put("a", "waited-for", "value", { "weir-durability": "stored" });
    const { version } = await refusal(cluster, "waited-for");
    await give(cluster, "waited-for", version);
    const answer = await write;
    assert.deepEqual([answer.status, answer.code], [503, "deadline_exceeded"]);
    assert.equal((await cluster.get("b", "waited-for")).status, 404);
    proxy.pass();
  });
});
