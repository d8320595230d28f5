/**
 * The middle of a run of chaos, when the cluster is there: clients at work, one fault after the other, and the check at
 * the end.
 */

import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { TestBucket } from "../bucket.ts";
import { SimRandom } from "../sim-random.ts";
import type { ChaosCluster } from "./chaos-cluster.ts";
import type { ChaosStore } from "./chaos-store.ts";
import { ChaosClients } from "./clients.ts";
import type { Fault, FaultKind, FaultMaker, Scene } from "./fault.ts";
import { FaultWatch } from "./fault-watch.ts";
import { FinalCheck } from "./final-check.ts";
import { grow, roll } from "./member-faults.ts";
import type { ChaosNetwork } from "./network.ts";
import { links, partition } from "./network-faults.ts";
import { largeValueBytes, outage } from "./outage.ts";
import { kill, pause, power, restart, storm, wipe } from "./process-faults.ts";
import { type FaultReport, reportOf } from "./report.ts";
import { both, late, store } from "./store-faults.ts";
import { Workload } from "./workload.ts";

const makers: Readonly<Record<FaultKind, FaultMaker>> = {
  kill,
  restart,
  wipe,
  pause,
  partition,
  links,
  store,
  both,
  late,
  power,
  storm,
  roll,
  grow,
  outage,
};

export interface ChaosSettings {
  /** No fault begins later than this, once each kind has had its turn; checking takes some more. */
  readonly seconds: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly nodes: number;
  /** Nodes there may be at most, for growth. */
  readonly maxNodes: number;
  /** Whether logs and data are kept although all was well. */
  readonly keep?: boolean;
  /** Ends the run after the present fault. */
  readonly stop?: AbortSignal;
}

/** How a run tells what it does. */
export interface Telling {
  /** A line that is worth keeping. */
  line(text: string): void;
  /** What is going on. */
  progress(text: string): void;
}

export interface RunResult {
  readonly faults: readonly FaultReport[];
  readonly operations: number;
  readonly keys: number;
  /**
   * Keys whose history is not that of a register to the end, or whose last state is not what every node tells and the
   * bucket has.
   */
  readonly wrongKeys: number;
  /** What was wrong, in words; empty when all is well. */
  readonly violations: readonly string[];
}

const clients = 15;
const thinkMs = 30;
/** Keys that clients work on at a time: with few of them many clients meet at each. */
const keysInSet = [5, 24, 24] as const;

/** Milliseconds for all nodes to serve at first. */
const startMs = 30_000;
/** Milliseconds of health before each fault, to compare with. */
const calm = [1_000, 2_000] as const;
/** Milliseconds for the cluster to settle after a fault: it should take two or three seconds. */
const settleMs = 60_000;
/** Milliseconds until the store has everything: keys that changed owners wait for F first. */
const storedMs = 90_000;

export interface RunParts {
  readonly settings: ChaosSettings;
  readonly folder: string;
  readonly bucket: TestBucket;
  readonly store: ChaosStore;
  readonly cluster: ChaosCluster;
  readonly network: ChaosNetwork | undefined;
  readonly telling: Telling;
}

export class ChaosRun implements AsyncDisposable {
  readonly #parts: RunParts;
  readonly #random: SimRandom;
  readonly #watch = new FaultWatch();
  readonly #workload = new Workload();
  readonly #clients: ChaosClients;
  readonly #violations: string[] = [];
  readonly #wrongKeys = new Set<string>();
  readonly #reports: FaultReport[] = [];
  /** Kinds that can be had here. */
  #kinds: readonly FaultKind[];
  #deck: FaultKind[] = [];
  #largeValues = 0;
  /** Of the present fault. */
  #settledMs = 0;
  #notes: string[] = [];

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#random = new SimRandom(parts.settings.seed);
    this.#kinds = parts.settings.kinds;
    this.#rotate();
    this.#clients = new ChaosClients({
      cluster: parts.cluster,
      workload: this.#workload,
      watch: this.#watch,
      onTrouble: (text) => this.#log(`trouble: ${text}`),
      random: this.#random.fork("clients"),
      clients,
      thinkMs,
    });
  }

  async run(): Promise<RunResult> {
    const { cluster, settings } = this.#parts;
    try {
      if ((await cluster.untilSettled(startMs)) === undefined) throw new Error("the cluster did not start");
      this.#clients.start();
      const startedAt = systemClock.now();
      const endsAt = startedAt + settings.seconds * 1_000;
      let turns = 0;
      const isTime = (): boolean => systemClock.now() < endsAt || turns < settings.kinds.length;
      const isOver = (): boolean => this.#violations.length > 0 || settings.stop?.aborted === true;
      for (; this.#kinds.length > 0 && isTime() && !isOver(); turns++) await this.#next(startedAt);
      await this.#clients.stop();
      await this.#checkAll();
    } catch (error) {
      this.#violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      await this.#clients.stop();
      this.#checkHistories(this.#workload.keys);
    }
    this.#violations.push(...this.#clients.wrong, ...cluster.crashes());
    return {
      faults: this.#reports,
      operations: this.#clients.operations,
      keys: this.#workload.keys.length,
      wrongKeys: this.#wrongKeys.size,
      violations: this.#violations,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients[Symbol.asyncDispose]();
  }

  /** The next fault, from the calm before it to the bucket's being complete. */
  async #next(startedAt: number): Promise<void> {
    const { cluster, telling } = this.#parts;
    const scene = this.#scene();
    const fault = this.#draw(scene);
    if (fault === undefined) return;
    this.#rotate();
    this.#watch.open();
    this.#settledMs = 0;
    this.#notes = [];
    await sleep(systemClock, this.#random.between(...calm));
    const before = (await cluster.status(cluster.members[0] as string))?.members ?? [];
    this.#log(`begin ${fault.kind}: ${fault.name}`);
    telling.progress(`${this.#clients.operations} operations; ${fault.kind}: ${fault.name}`);
    await fault.act(scene);
    const storedMsTaken = await cluster.untilStored(storedMs);
    if (storedMsTaken === undefined) throw new Error(`${fault.name}: not all was in the store within ${storedMs} ms`);
    const found = this.#checkHistories(this.#workload.current);
    const report = reportOf({
      fault,
      feeling: this.#watch.feeling,
      before,
      settledMs: this.#settledMs,
      storedMs: storedMsTaken,
      violations: found,
      notes: this.#notes,
    });
    this.#reports.push(report);
    this.#log(`end ${fault.kind}: ${report.line}`);
    telling.line(`${this.#reports.length}, ${((systemClock.now() - startedAt) / 1_000).toFixed(0)} s: ${report.line}`);
  }

  #rotate(): void {
    this.#workload.rotate(this.#random.pick(keysInSet));
  }

  #scene(): Scene {
    const { cluster, store: chaosStore, network } = this.#parts;
    return {
      cluster,
      store: chaosStore,
      network,
      random: this.#random.fork(`fault ${this.#reports.length}`),
      begin: ({ hit = [], isStoreAway = false }) => {
        this.#log(`hit: ${hit.join(" ") || "no node"}${isStoreAway ? " and the store" : ""}`);
        this.#watch.begin({ hit, isStoreAway }, systemClock.now());
      },
      settle: async () => {
        this.#log("healed");
        const settled = await cluster.untilSettled(settleMs);
        if (settled === undefined) {
          throw new Error(`the cluster did not settle within ${settleMs} ms:\n${await cluster.describe()}`);
        }
        this.#settledMs = Math.max(this.#settledMs, settled);
        this.#watch.end();
        this.#log("settled");
      },
      askAll: (id) => this.#clients.askAll(id, this.#workload.current),
      putLarge: async (id) => {
        const key = `large/${this.#largeValues++}`;
        this.#workload.addKey(key);
        const action = { kind: "put", value: `${key}@${largeValueBytes}` } as const;
        return (await this.#clients.perform(id, key, "flood", action)).kind === "written";
      },
      note: (text) => void this.#notes.push(text),
      complain: (text) => void this.#violations.push(text),
    };
  }

  /** Each kind in its turn, in another order each time. */
  #draw(scene: Scene): Fault | undefined {
    if (this.#deck.length === 0) this.#deck = this.#random.shuffle(this.#kinds);
    const kind = this.#deck.pop();
    const fault = kind === undefined ? undefined : makers[kind](scene);
    if (fault === undefined) this.#kinds = this.#kinds.filter((each) => each !== kind);
    return fault;
  }

  /** What is wrong with the histories of these keys so far. */
  #checkHistories(keys: readonly string[]): number {
    let found = 0;
    for (const key of keys) {
      const violation = this.#clients.violation(key);
      if (violation === undefined || this.#wrongKeys.has(key)) continue;
      this.#wrongKeys.add(key);
      found++;
      this.#violations.push(violation.what);
      const path = join(this.#parts.folder, "histories", `${key.replaceAll("/", "-")}.txt`);
      writeFileSync(path, violation.story);
    }
    return found;
  }

  /** The end of all: whether what clients were told is what every node and the bucket say. */
  async #checkAll(): Promise<void> {
    const { cluster, bucket } = this.#parts;
    const keys = this.#workload.keys;
    this.#parts.telling.progress(`reading ${keys.length} keys through every node and from the bucket`);
    const check = new FinalCheck({ cluster, bucket, clients: this.#clients, keys });
    for (const key of await check.run()) this.#wrongKeys.add(key);
    this.#violations.push(...check.violations);
    this.#checkHistories(keys);
  }

  #log(line: string): void {
    const at = new Date(systemClock.wallMs()).toISOString();
    appendFileSync(join(this.#parts.folder, "events.log"), `${at} ${line}\n`);
  }
}
