/**
 * The nodes of a cluster in chaos: which there are, which should be members now, and how long until they agree on it.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../../src/base/assert.ts";
import { sleep } from "../../../src/base/clock.ts";
import type { ClusterStatus } from "../../../src/core/status.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";
import { HttpClient } from "../http-client.ts";
import { ownPorts } from "../own-ports.ts";
import { ChaosNode } from "./chaos-node.ts";
import type { ChaosNetwork } from "./network.ts";

export interface ClusterPlan {
  /** For configuration, data and logs. */
  readonly folder: string;
  /** Every node that there may ever be. */
  readonly ids: readonly string[];
  /** How many of these are there from the beginning. */
  readonly initial: number;
  readonly store: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  /** Sections of cluster.json beyond what this file sets. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Undefined: all nodes share the loopback address. */
  readonly network: ChaosNetwork | undefined;
}

const port = 7070;
const pollMs = 50;
const statusMs = 1_000;
/** Milliseconds for a node to stop in order before it is killed: longer than it waits for the store. */
const graceMs = 40_000;

export class ChaosCluster implements AsyncDisposable {
  readonly #http = new HttpClient();
  readonly #nodes: readonly ChaosNode[];
  /** The ids of those that should be members. */
  #members: readonly string[];

  private constructor(nodes: readonly ChaosNode[], initial: number) {
    this.#nodes = nodes;
    this.#members = nodes.slice(0, initial).map(({ id }) => id);
  }

  /** Starts the first nodes; resolves at once. */
  static async start(plan: ClusterPlan): Promise<ChaosCluster> {
    const { folder, ids, network, initial } = plan;
    const ports = network === undefined ? await ownPorts(ids.length) : ids.map(() => port);
    const entries = ids.map((id, index) => ({
      id,
      url: `http://${network?.addressOf(id) ?? "127.0.0.1"}:${ports[index]}`,
    }));
    mkdirSync(join(folder, "data"));
    const secret = systemRandom.id();
    const nodes = entries.map(({ id, url }, index) => {
      // A node that comes later is in its own file and those of its successors: the others learn of it by the view.
      const known = entries.slice(0, Math.max(initial, index + 1));
      const configPath = join(folder, `cluster-${id}.json`);
      const common = { cluster: "chaos", secret: "env:WEIR_CHAOS_SECRET", auth: "none", data: "data" };
      writeFileSync(configPath, JSON.stringify({ ...common, store: plan.store, nodes: known, ...plan.config }));
      return new ChaosNode({
        id,
        url,
        configPath,
        dataFolder: join(folder, "data", id),
        logPath: join(folder, `${id}.log`),
        env: { ...plan.env, WEIR_CHAOS_SECRET: secret },
        commandPrefix: network?.commandPrefix(id) ?? [],
      });
    });
    const cluster = new ChaosCluster(nodes, initial);
    for (const id of cluster.members) cluster.node(id).start();
    return cluster;
  }

  /** The ids of those that should be members. */
  get members(): readonly string[] {
    return this.#members;
  }

  /** The ids of those that could be added. */
  get spare(): readonly string[] {
    return this.#nodes.map(({ id }) => id).filter((id) => !this.#members.includes(id));
  }

  node(id: string): ChaosNode {
    const node = this.#nodes.find((each) => each.id === id);
    assert(node !== undefined, "a node is asked for by a name that it has");
    return node;
  }

  add(id: string): void {
    this.#members = [...this.#members, id];
    this.node(id).start();
  }

  /** Resolves when the node has left the cluster in order. */
  async remove(id: string): Promise<void> {
    this.#members = this.#members.filter((each) => each !== id);
    await this.stopInOrder(id);
  }

  async stopInOrder(id: string): Promise<void> {
    const end = await this.node(id).stop(graceMs);
    if (end !== undefined && end.code !== 0) {
      throw new Error(`node ${id} did not stop in order within ${graceMs} ms: ${JSON.stringify(end)}`);
    }
  }

  /** What the node says, or undefined if it does not answer at once. */
  async status(id: string): Promise<ClusterStatus | undefined> {
    return (await this.#ask(id, "/cluster")) as ClusterStatus | undefined;
  }

  /** Whether all of `ids` serve and reach each other, in one settled view of exactly these. */
  async isSettled(ids: readonly string[] = this.#members): Promise<boolean> {
    const epochs = new Set<number>();
    for (const id of ids) {
      if ((await this.#ask(id, "/readyz")) === undefined) return false;
      const status = await this.status(id);
      if (status?.settled !== true) return false;
      const members = status.members.map((member) => member.id).toSorted();
      if (members.join() !== ids.toSorted().join()) return false;
      if (status.members.some((member) => member.state !== "serving")) return false;
      epochs.add(status.epoch);
    }
    return epochs.size === 1;
  }

  /** Milliseconds that it took until {@link isSettled}; undefined if it was not within `withinMs`. */
  async untilSettled(withinMs: number, ids: readonly string[] = this.#members): Promise<number | undefined> {
    return await this.#until(withinMs, async () => await this.isSettled(ids));
  }

  /**
   * Milliseconds until the store had everything that was written before this call; undefined if it was not within
   * `withinMs`.
   */
  async untilStored(withinMs: number): Promise<number | undefined> {
    const startedAt = systemClock.now();
    return await this.#until(withinMs, async () => {
      for (const id of this.#members) {
        const status = await this.status(id);
        const own = status?.members.find((member) => member.id === id);
        const askedMs = systemClock.now() - startedAt;
        if (own === undefined || (own.dirtyKeys > 0 && (own.heldKeys > 0 || own.oldestDirtyMs >= askedMs)))
          return false;
      }
      return true;
    });
  }

  /** The most that a node has in its buffer, of those that answer. */
  async mostDirtyBytes(): Promise<number> {
    const statuses = await Promise.all(this.#members.map(async (id) => await this.status(id)));
    const own = statuses.map((status) => status?.members.find(({ id }) => id === status.self)?.dirtyBytes ?? 0);
    return Math.max(0, ...own);
  }

  /** What each node says of the view, in a line each. */
  async describe(): Promise<string> {
    const lines = this.#nodes.map(async ({ id, isRunning }) => {
      if (!isRunning) return `${id} is off`;
      const status = await this.status(id);
      if (status === undefined) return `${id} does not answer`;
      const members = status.members.map((member) => `${member.id} ${member.state}`).join(", ");
      const isReady = (await this.#ask(id, "/readyz")) !== undefined;
      return `${id} is ${isReady ? "" : "not "}ready in epoch ${status.epoch}, ${status.settled ? "" : "not "}settled: ${members}`;
    });
    return (await Promise.all(lines)).join("\n");
  }

  /** What went wrong with the processes, in words. */
  crashes(): string[] {
    return this.#nodes.flatMap(({ id, crashes }) => crashes.map((end) => `node ${id} ended: ${JSON.stringify(end)}`));
  }

  /** Kills what runs: what had to be stopped in order has been. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map(async (node) => await node.kill()));
    await this.#http[Symbol.asyncDispose]();
  }

  async #until(withinMs: number, holds: () => Promise<boolean>): Promise<number | undefined> {
    const startedAt = systemClock.now();
    while (!(await holds())) {
      if (this.crashes().length > 0) throw new Error("a node has crashed");
      if (systemClock.now() - startedAt > withinMs) return undefined;
      await sleep(systemClock, pollMs);
    }
    return systemClock.now() - startedAt;
  }

  /** The answer's JSON; undefined if it is no success, or takes too long. */
  async #ask(id: string, path: string): Promise<unknown> {
    const end = new AbortController();
    const tooLate = sleep(systemClock, statusMs, end.signal).catch(() => undefined);
    const asked = this.#http.request(this.node(id).url, "GET", path).then(
      (answer) => (answer.status === 200 ? (JSON.parse(answer.body.toString()) as unknown) : undefined),
      () => undefined,
    );
    try {
      return await Promise.race([asked, tooLate]);
    } finally {
      end.abort();
    }
  }
}
