/**
 * A node as `compose.ts` puts it together, in this process: what a part tells reaches the part that has to know it, and
 * what is configured is what runs.
 */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/system.ts";
import { ComposedNodes } from "../harness/composed-node.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";
import { TracedFiles } from "../harness/traced-files.ts";
import { within } from "../harness/within.ts";

const timeout = 30_000;
const stored = { "weir-durability": "stored" };

/** The error's code if the promise rejects; "nothing" if it does not within the time. */
async function codeOf(failed: Promise<never>, withinMs: number): Promise<string> {
  const code = failed.catch((error: unknown) => (isOperatingError(error) ? error.code : String(error)));
  return await within(code, withinMs);
}

test("a node whose journal has failed can't go on, and has acknowledged nothing since", { timeout }, async () => {
  await using files = await TracedFiles.make();
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ request: { deadlineMs: 4_000 } }));
  assert.equal((await nodes.http.request(node.url, "PUT", "/kv/before", { body: "1" })).status, 204);
  files.failing = /^datasync .*\.wal$/;
  const status = nodes.http.request(node.url, "PUT", "/kv/after", { body: "2" }).then(
    (answer) => answer.status,
    () => "nothing",
  );
  assert.equal(await codeOf(node.failed, 2_000), "disk_failed", "the node goes on without a journal");
  assert.notEqual(await within(status, 200), 204);
});

test("a node writes its journal into its data folder and its values into the store, and counts both", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a");
  const put = await nodes.http.request(node.url, "PUT", "/kv/photos/cat", { body: "meow", headers: stored });
  assert.equal(put.status, 204);
  assert.equal(await readFile(join(nodes.folder, "store/photos/cat"), "utf8"), "meow");
  const written = await readdir(join(nodes.folder, "data/a"));
  assert.ok(
    written.some((name) => name.endsWith(".wal")),
    `the data folder has ${written.join()}`,
  );
  const metrics = (await nodes.http.request(node.url, "GET", "/metrics")).body.toString();
  const value = (name: string): number =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(metrics)?.[1]);
  assert.match(metrics, /^weir_store_requests_total\{[^}]*operation="write"[^}]*\} [1-9]/m);
  assert.ok(value("weir_journal_disk_bytes") > 0, "the journal is not counted");
});

test("a node without a journal makes no data folder", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ journal: "off" }));
  assert.equal((await nodes.http.request(node.url, "PUT", "/kv/k", { body: "1" })).status, 204);
  assert.ok(!(await readdir(nodes.folder)).includes("data"));
});

test("a node that is started again on its folders has what it held, and its ports and folders are free in between", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  // Nothing gets to the store before the stop but by it.
  const config = nodes.config({ flush: { delayMs: 60_000, stopMs: 1_000 } });
  const first = await nodes.ready("a", config);
  assert.equal((await nodes.http.request(first.url, "PUT", "/kv/k", { body: "kept" })).status, 204);
  await nodes.stop(first);
  const second = await nodes.ready("a", config);
  assert.equal((await nodes.http.request(second.url, "GET", "/kv/k")).body.toString(), "kept");
});

test("a node that can't listen lets its data folder go", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const config = nodes.config();
  const blocker = createServer().listen(Number(new URL(config.nodes[0]?.url ?? "").port), "127.0.0.1");
  await assert.rejects(nodes.start("a", config));
  await new Promise((resolve) => blocker.close(resolve));
  await nodes.ready("a", config);
});

test("a node tells the cluster its own zone, weight and address", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const [own] = nodes.config().nodes;
  const node = await nodes.ready("a", nodes.config({ nodes: [{ ...own, zone: "north", weight: 3 }] }));
  const [member] = (await nodes.status(node)).members;
  assert.deepEqual([member?.id, member?.url, member?.zone, member?.weight], ["a", own?.url, "north", 3]);
});

test("tokens that change count at once, the old ones no more", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const [old, next] = [tokenOf("old", ["read", "write"]), tokenOf("next", ["read", "write"])];
  const withToken = (rule: object) => nodes.config({ auth: { tokens: [rule] } });
  const node = await nodes.ready("a", withToken(old.rule));
  const statuses = async (): Promise<number[]> => {
    const answers = [old, next].map(({ token }) =>
      nodes.http.request(node.url, "PUT", "/kv/k", { body: "1", headers: bearer(token) }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [204, 401]);
  node.reconfigure(withToken(next.rule));
  assert.deepEqual(await statuses(), [401, 204]);
});

test("secrets and nodes that change count at once: two nodes that knew nothing of each other are one cluster", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(2);
  const both = nodes.config({ secret: "env:OTHER" });
  const [ownA] = both.nodes;
  const a = await nodes.ready("a", nodes.config({ nodes: [ownA] }));
  const b = await nodes.start("b", both);
  await sleep(systemClock, 300);
  assert.equal((await nodes.status(a)).members.length, 1, "a node with another secret is let in");
  // Both its secret and the list of its nodes.
  a.reconfigure(both);
  await nodes.until("a and b are one cluster", async () => (await nodes.status(a)).members.length === 2);
  await nodes.until("b is ready", () => nodes.isReady(b));
  const put = await nodes.http.request(b.url, "PUT", "/kv/k", { body: "1" });
  assert.equal(put.status, 204);
  assert.equal((await nodes.http.request(a.url, "GET", "/kv/k")).body.toString(), "1");
});

test("a node that is told to leave is ready no more, leaves, and says that it has ended", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a");
  await nodes.http.request(node.url, "PUT", "/kv/k", { body: "1" });
  node.leave();
  assert.equal(await nodes.isReady(node), false, "load balancers are told first");
  assert.match(await within(node.ended, 5_000), /has left the cluster/);
  assert.equal(await readFile(join(nodes.folder, "store/k"), "utf8"), "1");
});
