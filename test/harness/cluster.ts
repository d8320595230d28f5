/**
 * A cluster of real processes for tests: its cluster.json is generated, its ports are free ones of the loopback
 * address, and whatever happens no process outlives it. A node can be killed, stopped, started again and added.
 */

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "../../src/base/assert.ts";
import { sleep } from "../../src/base/clock.ts";
import type { ClusterStatus, MemberStatus } from "../../src/core/status.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import "./both-errors.ts";
import { type Answer, type ClientTls, HttpClient, pathOf, type RequestOptions } from "./http-client.ts";
import { lookPauseMs } from "./look-pause.ts";
import { type NodeEnd, NodeProcess, type NodeProcessOptions } from "./node-process.ts";
import { ownPorts } from "./own-ports.ts";
import { patienceMs } from "./patience.ts";

export type ConfigSections = Readonly<
  Record<string, Readonly<Record<string, unknown>> | string | number | readonly string[]>
>;

export interface ClusterOptions {
  /** How many nodes, named a, b, c and so on; 3 unless told. */
  readonly nodes?: number;
  /** Of those nodes that are not to have the usual one. */
  readonly weights?: Readonly<Record<string, number>>;
  /** As in cluster.json; a folder of its own unless told. */
  readonly store?: Readonly<Record<string, unknown>>;
  /** Of the store, for those nodes that reach it another way. */
  readonly endpoints?: Readonly<Record<string, string>>;
  /** Sections of cluster.json beyond {@link quickSections}; a section's settings are merged one by one. */
  readonly config?: ConfigSections;
  /** How weir is run, to its command line; as in program.ts unless told. */
  readonly program?: readonly string[];
  /** For the nodes' processes, beyond the test's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the test itself shows to the nodes: with all rights. */
  readonly token?: string;
  /** What the test itself needs to reach nodes with TLS; their urls begin with https:// then. */
  readonly tls?: ClientTls;
}

/** What sets one node's process apart from the others'. */
type NodeOptions = Pick<NodeProcessOptions, "fileBytes" | "program">;

const mebibyte = 1024 ** 2;

/**
 * Waits that are long for the sake of real stores and networks are short here; buffers are small enough for any
 * machine.
 */
const quickSections = {
  buffer: { dirtyBytes: 64 * mebibyte, cacheBytes: 32 * mebibyte },
  flush: { delayMs: 50, deadlineMs: 3_000, lateEffectMs: 3_000, retryMaxMs: 500, stopMs: 10_000 },
  http: { drainMs: 0 },
  log: { level: "info", format: "json" },
} as const;

/** A flush delay that no test lives to see the end of: what is written stays in memory until the nodes stop. */
export const neverFlush = { flush: { delayMs: 3_600_000 } } as const;

/** Milliseconds for all nodes to serve, on a machine that is busy with other work, and under an emulator. */
const readyMs = 120_000;
/** Milliseconds for a node to stop in order before it is killed: much longer than it waits for the store. */
const graceMs = 60_000;

interface NodeEntry {
  readonly id: string;
  readonly url: string;
}

export class TestCluster implements AsyncDisposable {
  readonly folder: string;
  readonly http: HttpClient;
  readonly #options: ClusterOptions;
  /** As in {@link ClusterOptions}, as it is now. */
  #sections: ConfigSections;
  readonly #env: Readonly<Record<string, string>>;
  readonly #nodes: NodeEntry[];
  /** Ids of nodes that cluster.json does not name any more. */
  readonly #unlisted = new Set<string>();
  /** Every process there was, dead ones too: what they printed may explain a failure. */
  readonly #processes: NodeProcess[] = [];

  private constructor(options: ClusterOptions, ports: readonly number[]) {
    this.#options = options;
    this.#sections = options.config ?? {};
    this.http = new HttpClient({ token: options.token, tls: options.tls });
    this.#nodes = ports.map((port, index) => entryOf(index, port, options.tls !== undefined));
    this.#env = { WEIR_TEST_SECRET: systemRandom.id(), ...options.env };
    this.folder = mkdtempSync(join(tmpdir(), "weir-cluster-"));
    mkdirSync(join(this.folder, "store"));
  }

  /** Starts all nodes; resolves when each of them serves. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options, await ownPorts(options.nodes ?? 3));
    try {
      cluster.#writeConfig("cluster.json");
      for (const { id } of cluster.#nodes) cluster.#spawn(id, cluster.#configPathOf(id));
      await cluster.untilReady();
    } catch (error) {
      const failure = new Error(`the cluster did not start; its nodes printed:\n${cluster.log()}`, { cause: error });
      // Nodes that are stopped so early may well end badly: why is not to hide behind that.
      throw await cluster[Symbol.asyncDispose]().then(
        () => failure,
        (end: unknown) => new SuppressedError(end, failure, failure.message),
      );
    }
    return cluster;
  }

  get ids(): readonly string[] {
    return this.#listed.map(({ id }) => id);
  }

  get urls(): readonly string[] {
    return this.#listed.map(({ url }) => url);
  }

  get #listed(): readonly NodeEntry[] {
    return this.#nodes.filter(({ id }) => !this.#unlisted.has(id));
  }

  /** The folder that is the store, unless another one was asked for. */
  get storeFolder(): string {
    return join(this.folder, "store");
  }

  /** What the nodes prove to each other, unless the test has them prove something else. */
  get secret(): string {
    return this.#env["WEIR_TEST_SECRET"] as string;
  }

  url(id: string): string {
    const node = this.#nodes.find((each) => each.id === id);
    assert(node !== undefined, "a node is asked for by a name that it has");
    return node.url;
  }

  /** The node's present process. */
  process(id: string): NodeProcess {
    const found = this.#processes.findLast((each) => each.id === id);
    assert(found !== undefined, "a node is asked for by a name that it has");
    return found;
  }

  async put(id: string, key: string, body: Uint8Array | string, headers?: RequestOptions["headers"]): Promise<Answer> {
    return await this.http.request(this.url(id), "PUT", pathOf(key), { body, ...(headers && { headers }) });
  }

  /**
   * Puts the value until that is answered 204. A machine that is busy with other work may hold a node up for so long
   * that the others go on without it: then it answers 503 for a moment.
   */
  async store(id: string, key: string, body: Uint8Array | string): Promise<void> {
    await this.until(60_000, `${key} is stored`, async () => {
      const { status, body: words } = await this.put(id, key, body);
      if (status !== 204 && status !== 503) throw new Error(`${key} is refused: ${status} ${words.toString()}`);
      return status === 204;
    });
  }

  async get(id: string, key: string, headers?: RequestOptions["headers"]): Promise<Answer> {
    return await this.http.request(this.url(id), "GET", pathOf(key), headers && { headers });
  }

  async remove(id: string, key: string, headers?: RequestOptions["headers"]): Promise<Answer> {
    return await this.http.request(this.url(id), "DELETE", pathOf(key), headers && { headers });
  }

  async status(id: string): Promise<ClusterStatus> {
    return (await this.http.json(this.url(id), "/cluster")) as ClusterStatus;
  }

  /** What the node says of itself. */
  async figures(id: string): Promise<MemberStatus> {
    const own = (await this.status(id)).members.find((member) => member.id === id);
    assert(own !== undefined, "a node is in its own view");
    return own;
  }

  /** Resolves when every running node serves all of its keys and knows that the view is settled. */
  async untilReady(ids: readonly string[] = this.ids): Promise<void> {
    await this.until(readyMs, "every node is ready", async () => {
      for (const id of ids) {
        const crash = this.process(id).crash;
        if (crash !== undefined) throw new Error(`node ${id} ended with ${JSON.stringify(crash)}`);
        const answer = await this.http.request(this.url(id), "GET", "/readyz").catch(() => undefined);
        if (answer?.status !== 200 || !(await this.status(id)).settled) return false;
      }
      return true;
    });
  }

  /** Resolves when no running node holds anything that is not in the store. */
  async untilFlushed(usualMs = 20_000): Promise<void> {
    await this.until(usualMs, "everything is in the store", async () => {
      for (const id of this.#running()) if ((await this.figures(id)).dirtyKeys > 0) return false;
      return true;
    });
  }

  /** Asks again and again until `holds`; fails with `what` when that takes much longer than `usualMs`. */
  async until(usualMs: number, what: string, holds: () => Promise<boolean>): Promise<void> {
    const withinMs = patienceMs(usualMs);
    const startedAt = systemClock.now();
    while (!(await holds())) {
      const waitedMs = systemClock.now() - startedAt;
      if (waitedMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await sleep(systemClock, lookPauseMs(waitedMs));
    }
  }

  /** Starts the node anew, over its data folder as it is. */
  restart(id: string, options: NodeOptions = {}): void {
    assert(!this.process(id).isRunning, "a node runs once at a time");
    this.#spawn(id, this.#configPathOf(id), options);
  }

  /** Takes a node's disk away: what only it had is gone. */
  loseData(id: string): void {
    assert(!this.process(id).isRunning, "a disk is taken from a host that is off");
    rmSync(join(this.folder, "weir-data", id), { recursive: true });
  }

  /** Rewrites cluster.json, which the nodes watch, with only these nodes in it. */
  listOnly(ids: readonly string[]): void {
    for (const { id } of this.#nodes) if (!ids.includes(id)) this.#unlisted.add(id);
    this.#writeConfig("cluster.json");
  }

  /** Rewrites cluster.json, which the nodes watch, with these sections in place of those of the same name. */
  configure(sections: ConfigSections): void {
    this.#sections = { ...this.#sections, ...sections };
    this.#writeConfig("cluster.json");
  }

  /** Writes another cluster.json beside it, which differs by these sections. Returns its path. */
  writeOther(name: string, sections: Readonly<Record<string, unknown>>): string {
    const path = join(this.folder, name);
    const own = JSON.parse(readFileSync(this.configPath, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...own, ...sections }));
    return path;
  }

  /** The file that the nodes were started with. */
  get configPath(): string {
    return join(this.folder, "cluster.json");
  }

  /** Starts one more node, whose entry is in its own copy of cluster.json only. Returns its name. */
  async add(options: NodeOptions = {}): Promise<string> {
    const [port] = await ownPorts(1);
    const entry = entryOf(this.#nodes.length, port as number, this.#options.tls !== undefined);
    this.#nodes.push(entry);
    this.#spawn(entry.id, this.#writeConfig(`cluster-${entry.id}.json`), options);
    return entry.id;
  }

  /** Stops all running nodes in order, at once, as a deployment's end does. */
  async stopAll(): Promise<NodeEnd[]> {
    return await Promise.all(this.#running().map(async (id) => await this.process(id).stop(graceMs)));
  }

  /** What all processes printed. */
  log(): string {
    return this.#processes.map(({ id, lines }) => lines.map((line) => `${id} ${line}`).join("\n")).join("\n");
  }

  /** Stops what still runs. Fails if a node has crashed, whoever noticed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const crashes = this.#processes.filter((each) => each.crash !== undefined);
    const ends = await this.stopAll();
    await this.http[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
    const failed = ends.filter((end) => end.code !== 0);
    if (crashes.length === 0 && failed.length === 0) return;
    const crashed = crashes.map(({ id, crash }) => `${id} ${JSON.stringify(crash)}`);
    throw new Error(
      `crashed: ${crashed.join(", ") || "none"}; stopped badly: ${JSON.stringify(failed)}; the nodes printed:\n${this.log()}`,
    );
  }

  #running(): string[] {
    return this.#nodes
      .map(({ id }) => id)
      .filter((id) => this.#processes.findLast((each) => each.id === id)?.isRunning);
  }

  #spawn(id: string, configPath: string, options: NodeOptions = {}): void {
    this.#processes.push(
      new NodeProcess({ id, configPath, env: this.#env, program: this.#options.program, ...options }),
    );
  }

  #configPathOf(id: string): string {
    const { store, endpoints = {} } = this.#options;
    const endpoint = endpoints[id];
    return endpoint === undefined
      ? this.configPath
      : this.writeOther(`cluster-${id}.json`, { store: { ...store, endpoint } });
  }

  #weighted(): object[] {
    const { weights = {} } = this.#options;
    return this.#listed.map((node) => ({ ...node, ...(node.id in weights && { weight: weights[node.id] }) }));
  }

  #writeConfig(name: string): string {
    const { store = { type: "file", path: "store" } } = this.#options;
    const sections: Record<string, unknown> = { ...quickSections };
    for (const [section, settings] of Object.entries(this.#sections)) {
      const quick = (quickSections as Readonly<Record<string, object | undefined>>)[section];
      sections[section] = isGroup(settings) ? { ...quick, ...settings } : settings;
    }
    const path = join(this.folder, name);
    const content = { cluster: "test", secret: "env:WEIR_TEST_SECRET", store, nodes: this.#weighted(), ...sections };
    // Whole at once: the nodes may be watching it.
    writeFileSync(`${path}.new`, JSON.stringify(content));
    renameSync(`${path}.new`, path);
    return path;
  }
}

function isGroup(settings: ConfigSections[string]): settings is Readonly<Record<string, unknown>> {
  return typeof settings === "object" && !Array.isArray(settings);
}

function entryOf(index: number, port: number, hasTls: boolean): NodeEntry {
  return {
    id: String.fromCodePoint("a".charCodeAt(0) + index),
    url: `${hasTls ? "https" : "http"}://127.0.0.1:${port}`,
  };
}
