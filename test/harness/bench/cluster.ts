/**
 * A cluster of weir on this machine to measure: its configuration, its processes, and which keys belong to which node.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../../src/base/clock.ts";
import { Ring } from "../../../src/core/ring.ts";
import type { ClusterStatus } from "../../../src/core/status.ts";
import { runtimeOptions } from "../../../src/runtime-options.ts";
import { systemClock } from "../../../src/system.ts";
import { ownPorts } from "../own-ports.ts";
import { program as weirProgram } from "../program.ts";
import { Processes, type Started } from "./processes.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface ClusterOptions {
  /** Each node's id and weight. */
  readonly nodes?: Readonly<Record<string, number>>;
  readonly replicas?: number;
  /** Whether a write is on two disks before it is answered; in memory only unless told. */
  readonly journal?: boolean;
  /** As in cluster.json; a folder of its own unless told. */
  readonly store?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** As in cluster.json, with a token that may do everything. */
  readonly auth?: { readonly entry: Readonly<Record<string, unknown>>; readonly token: string };
  /** Milliseconds until a value goes to the store; unless told, longer than any measurement. */
  readonly flushDelayMs?: number;
  /** Options for the runtime. */
  readonly execArgv?: readonly string[];
  /** An executable in place of the sources. */
  readonly executable?: string;
}

export interface Node {
  readonly id: string;
  readonly url: string;
  readonly process: Started;
  /** What the bench's own questions say of who asks. */
  readonly headers: Readonly<Record<string, string>>;
}

const gibibyte = 1024 ** 3;
const neverMs = 3_600_000;
const readyMs = 30_000;
/** Short enough to tell a start of 100 ms to some hundredths. */
const pollMs = 3;

export class BenchCluster implements AsyncDisposable {
  readonly nodes: readonly Node[];
  /** Milliseconds from the start of the first process until all served. */
  readonly startMs: number;
  readonly #folder: TemporaryFolder;
  readonly #processes: Processes;
  readonly #ring: Ring;

  private constructor(
    nodes: readonly Node[],
    startMs: number,
    folder: TemporaryFolder,
    processes: Processes,
    ring: Ring,
  ) {
    this.nodes = nodes;
    this.startMs = startMs;
    this.#folder = folder;
    this.#processes = processes;
    this.#ring = ring;
  }

  /** Resolves when all nodes serve and the view is settled. */
  static async start(options: ClusterOptions = {}): Promise<BenchCluster> {
    const weights = Object.entries(options.nodes ?? { a: 1, b: 1, c: 1 });
    const ports = await ownPorts(weights.length);
    const entries = weights.map(([id, weight], i) => ({ id, weight, url: `http://127.0.0.1:${ports[i]}` }));
    const folder = new TemporaryFolder();
    const processes = new Processes();
    const config = join(folder.path, "cluster.json");
    mkdirSync(join(folder.path, "store"));
    writeFileSync(
      config,
      JSON.stringify({
        cluster: "bench",
        secret: "env:WEIR_BENCH_SECRET",
        store: options.store ?? { type: "file", path: "store" },
        nodes: entries,
        ...(options.auth && { auth: options.auth.entry }),
        replicas: options.replicas ?? 2,
        journal: options.journal ? "always" : "off",
        buffer: { dirtyBytes: 2 * gibibyte, cacheBytes: gibibyte / 16 },
        http: { drainMs: 0 },
        flush: { delayMs: options.flushDelayMs ?? neverMs, stopMs: 60_000 },
        log: { level: "warn", format: "json" },
      }),
    );
    const program = options.executable ?? process.execPath;
    const before = options.executable === undefined ? [...(options.execArgv ?? runtimeOptions), weirProgram] : [];
    const env = { WEIR_BENCH_SECRET: "a secret of the bench alone", ...options.env };
    const headers: Record<string, string> = options.auth ? { authorization: `Bearer ${options.auth.token}` } : {};
    const startedAt = systemClock.now();
    const nodes = entries.map(({ id, url }) => {
      const args = [...before, "serve", "--config", config, "--node", id];
      return { id, url, process: processes.start(program, args, { env }), headers };
    });
    try {
      for (const node of nodes) await ready(node, startedAt + readyMs);
      const startMs = systemClock.now() - startedAt;
      const ring = new Ring(entries, options.replicas ?? 2);
      const cluster = new BenchCluster(nodes, startMs, folder, processes, ring);
      for (const node of nodes) while (!(await status(node)).settled) await sleep(systemClock, pollMs);
      return cluster;
    } catch (error) {
      await processes[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
      throw error;
    }
  }

  node(id: string): Node {
    const node = this.nodes.find((each) => each.id === id);
    if (node === undefined) throw new Error(`the cluster has no node ${id}`);
    return node;
  }

  /** `count` keys whose primary is the node. */
  keysOf(id: string, count: number): string[] {
    const keys: string[] = [];
    for (let number = 0; keys.length < count; number++) {
      const key = `bench/object-${number}`;
      if (this.#ring.ownersOf(key)[0] === id) keys.push(key);
    }
    return keys;
  }

  cpuMicros(): number {
    return this.nodes.reduce((sum, node) => sum + node.process.cpuMicros(), 0);
  }

  /** Resolves when no node holds a value that the store has not got. */
  async flushed(): Promise<void> {
    for (const node of this.nodes) while ((await dirtyKeys(node)) > 0) await sleep(systemClock, 50);
  }

  /** How many values the store has not got: those of each node, as a primary or as a replica. */
  async dirtyKeys(): Promise<number> {
    const counts = await Promise.all(this.nodes.map(dirtyKeys));
    return counts.reduce((sum, count) => sum + count);
  }

  /** Kills the nodes: what they hold is of no value, and stopping in order would flush it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

async function ready(node: Node, until: number): Promise<void> {
  for (;;) {
    if (!node.process.isRunning) throw node.process.failure(`(node ${node.id}) ended`);
    if (systemClock.now() > until) throw node.process.failure(`(node ${node.id}) was not ready in time`);
    // Refused connections are what waiting for a start looks like.
    const answer = await fetch(`${node.url}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok === true) return;
    await sleep(systemClock, pollMs);
  }
}

async function status(node: Node): Promise<ClusterStatus> {
  return (await (await fetch(`${node.url}/cluster`, { headers: node.headers })).json()) as ClusterStatus;
}

async function dirtyKeys(node: Node): Promise<number> {
  return (await status(node)).members.find(({ id }) => id === node.id)?.dirtyKeys ?? 0;
}
