/** The process of one node: how it ends when the node can't go on, and what of a changed file reaches the node. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { type Answer, HttpClient } from "../harness/http-client.ts";
import { NodeProcess } from "../harness/node-process.ts";
import { ownPorts } from "../harness/own-ports.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";
import { within } from "../harness/within.ts";

const timeout = 40_000;
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

test("the process of a node whose journal fails ends with 1, and its log says what to do", { timeout }, async (t) => {
  await using serving = await Serving.start(t, {}, { fileBytes: mebibyte });
  await serving.serves();
  // More than a file may have: the journal's segment can't take it.
  const put = serving.put("large", Buffer.alloc(2 * mebibyte));
  const end = await within(serving.node.ended, 3_000);
  assert.deepEqual(end, { code: 1, signal: null }, serving.node.lines.slice(-10).join("\n"));
  assert.notEqual((await put)?.status, 204);
  assert.match(
    serving.node.lines.join("\n"),
    /the disk of the data folder .* failed .*: check the disk, then start again/,
  );
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
