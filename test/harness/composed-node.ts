/**
 * Nodes of `compose.ts` in the test's own process: real stores, journals, sockets and clocks, and no process to start.
 * A test sees what a process would only print, such as a journal that has failed.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../src/base/clock.ts";
import { type RunningNode, startNode } from "../../src/compose.ts";
import { type Config, parseConfig } from "../../src/config/config.ts";
import type { ClusterStatus } from "../../src/core/status.ts";
import { systemClock } from "../../src/system.ts";
import { HttpClient } from "./http-client.ts";
import { lookPauseMs } from "./look-pause.ts";
import { ownPorts } from "./own-ports.ts";
import { patienceMs } from "./patience.ts";
import { RecordedLog } from "./recorded-log.ts";

/** Milliseconds in which a node does what it is waited for, on a quiet machine. */
const usualMs = 8_000;

export class ComposedNodes implements AsyncDisposable {
  readonly folder: string;
  readonly http = new HttpClient();
  readonly logs = new Map<string, RecordedLog>();
  readonly #ports: readonly number[];
  readonly #running = new Set<RunningNode>();

  private constructor(folder: string, ports: readonly number[]) {
    this.folder = folder;
    this.#ports = ports;
  }

  /** Room for `count` nodes, of which none runs. */
  static async make(count: number): Promise<ComposedNodes> {
    const folder = await mkdtemp(join(tmpdir(), "weir-composed-"));
    return new ComposedNodes(folder, await ownPorts(count));
  }

  /** The configuration with these changes; the nodes are `a`, `b` and so on. */
  config(changes: Readonly<Record<string, unknown>> = {}, env: Readonly<Record<string, string>> = {}): Config {
    const file = {
      cluster: "composed",
      secret: "env:SECRET",
      auth: "none",
      store: { type: "file", path: "store" },
      data: "data",
      nodes: this.#ports.map((port, index) => ({ id: "abcdef"[index], url: `http://127.0.0.1:${port}` })),
      buffer: { dirtyBytes: 20_000_000, cacheBytes: 0 },
      flush: { stopMs: 1_000 },
      http: { drainMs: 0, finishMs: 200 },
      ...changes,
    };
    return parseConfig(JSON.stringify(file), {
      fileName: "cluster.json",
      folder: this.folder,
      env: { SECRET: "0123456789abcdef", OTHER: "fedcba9876543210", ...env },
      memoryBytes: 1024 ** 3,
      purpose: "member",
    });
  }

  async start(id: string, config: Config = this.config()): Promise<RunningNode> {
    const log = new RecordedLog();
    this.logs.set(id, log);
    const node = await startNode(config, id, { log });
    this.#running.add(node);
    return node;
  }

  async stop(node: RunningNode): Promise<void> {
    this.#running.delete(node);
    await node.stop();
  }

  async isReady(node: RunningNode): Promise<boolean> {
    return (await this.http.request(node.url, "GET", "/readyz")).status === 200;
  }

  async status(node: RunningNode): Promise<ClusterStatus> {
    return (await this.http.json(node.url, "/cluster")) as ClusterStatus;
  }

  /** Resolves as soon as it holds. */
  async until(
    what: string,
    condition: () => Promise<boolean> | boolean,
    withinMs = patienceMs(usualMs),
  ): Promise<void> {
    const startedAt = systemClock.now();
    while (!(await condition())) {
      const waitedMs = systemClock.now() - startedAt;
      if (waitedMs > withinMs) throw new Error(`it has not come about in time: ${what}`);
      await sleep(systemClock, lookPauseMs(waitedMs));
    }
  }

  /** Starts the node, and resolves once it is ready. */
  async ready(id: string, config: Config = this.config()): Promise<RunningNode> {
    const node = await this.start(id, config);
    await this.until(`${id} is ready`, () => this.isReady(node));
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((node) => node.stop()));
    await this.http[Symbol.asyncDispose]();
    // A node that was just starting may still be trying out its store.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}
