/** The process of one node: how it ends when the node can't go on, and what of a changed file reaches the node. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { type View, viewName } from "../../src/core/view.ts";
import { FileStore } from "../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { type Answer, HttpClient } from "../harness/http-client.ts";
import { NodeProcess } from "../harness/node-process.ts";
import { ownPorts } from "../harness/own-ports.ts";
import { hangMs } from "../harness/patience.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";
import { within } from "../harness/within.ts";

const timeout = hangMs;
const mebibyte = 1024 * 1024;

/** A cluster of one node, as its process. */
class Serving implements AsyncDisposable {
  readonly url: string;
  readonly node: NodeProcess;
  readonly #http = new HttpClient();
  readonly #path: string;
  readonly #file: Readonly<Record<string, unknown>>;

  private constructor(folder: string, url: string, changes: object, options: { fileBytes?: number }) {
    this.url = url;
    this.#path = join(folder, "cluster.json");
    this.#file = {
      cluster: "serving",
      secret: "env:SECRET",
      auth: "none",
      store: { type: "file", path: "store" },
      data: "data",
      nodes: [{ id: "a", url }],
      buffer: { dirtyBytes: 40_000_000, cacheBytes: 0 },
      // Nothing is sent to the store before the test is over.
      flush: { delayMs: 60_000, stopMs: 1_000 },
      http: { drainMs: 0, finishMs: 200 },
    };
    this.change(changes);
    const env = { SECRET: "0123456789abcdef" };
    this.node = new NodeProcess({ id: "a", configPath: this.#path, env, ...options });
  }

  static async start(t: TestContext, changes: object = {}, options: { fileBytes?: number } = {}): Promise<Serving> {
    const folder = await mkdtemp(join(tmpdir(), "weir-serve-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const [port] = await ownPorts(1);
    return new Serving(folder, `http://127.0.0.1:${port}`, changes, options);
  }

  change(changes: object): void {
    writeFileSync(this.#path, JSON.stringify({ ...this.#file, ...changes }));
  }

  async put(key: string, body: string | Buffer, token?: string): Promise<Answer | undefined> {
    const headers = token === undefined ? {} : bearer(token);
    return await this.#http.request(this.url, "PUT", `/kv/${key}`, { body, headers }).catch(() => undefined);
  }

  /** Another process seems to have joined in the node's place: the view in the store says so. */
  async replace(): Promise<void> {
    const ports = { clock: systemClock, random: systemRandom };
    await using store = new FileStore({ path: join(dirname(this.#path), "store") }, ports);
    const options = { deadlineMs: 5_000 };
    for (;;) {
      const found = await store.read(viewName, 1_000_000, options);
      assert.ok(found.kind === "found");
      const { body, headers, version, tag } = found.blob;
      const view = JSON.parse(body.toString()) as View;
      const members = view.members.map((member) => ({ ...member, incarnation: systemRandom.id() }));
      const next = { ...view, epoch: view.epoch + 1, settled: false, members, proposal: systemRandom.id() };
      const content = { body: Buffer.from(JSON.stringify(next)), headers, ...(version !== undefined && { version }) };
      if ((await store.write(viewName, content, { kind: "unchanged", tag }, options)).kind === "written") return;
    }
  }

  /** Resolves once a write is answered 204. */
  async serves(token?: string, withinMs = 15_000): Promise<void> {
    const deadline = systemClock.now() + withinMs;
    while ((await this.put("k", "1", token))?.status !== 204) {
      assert.ok(systemClock.now() < deadline, this.node.lines.slice(-10).join("\n"));
      await sleep(systemClock, 50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
    await this.node.kill();
  }
}

test("a node whose journal fails stays out of the cluster, its log says what to do, and it stops in order", {
  timeout,
}, async (t) => {
  await using serving = await Serving.start(t, {}, { fileBytes: mebibyte });
  await serving.serves();
  // More than a file may have: the journal's segment can't take it.
  const put = await serving.put("large", Buffer.alloc(2 * mebibyte));
  assert.notEqual(put?.status, 204);
  await serving.node.printed("the journal has failed: this node takes no part until its disk works", 3_000);
  assert.match(serving.node.lines.join("\n"), /the disk of the data folder .* failed .*: check the disk/);
  assert.equal((await serving.put("k", "1"))?.status, 503);
  assert.deepEqual(await serving.node.stop(5_000), { code: 0, signal: null });
});

test("the process of a node that can't go on ends with 1, and its log says why", { timeout }, async (t) => {
  await using serving = await Serving.start(t);
  await serving.serves();
  await serving.replace();
  const end = await within(serving.node.ended, 5_000);
  assert.deepEqual(end, { code: 1, signal: null }, "the process goes on");
  assert.match(serving.node.lines.join("\n"), /another process has joined as a.*the node can't go on/);
});

test("a node that runs takes over the log's level and its tokens from the changed file", { timeout }, async (t) => {
  const [old, next] = [tokenOf("old", ["read", "write"]), tokenOf("next", ["read", "write"])];
  await using serving = await Serving.start(t, { auth: { tokens: [old.rule] } });
  await serving.serves(old.token);
  const debugLines = (): number => serving.node.lines.filter((line) => line.includes('"level":"debug"')).length;
  assert.equal(debugLines(), 0);
  serving.change({ auth: { tokens: [next.rule] }, log: { level: "debug" } });
  await serving.serves(next.token, 5_000);
  assert.equal((await serving.put("k", "1", old.token))?.status, 401);
  await sleep(systemClock, 200);
  assert.ok(debugLines() > 0, "the log goes on at its old level");
});
