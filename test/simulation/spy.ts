/**
 * Looks into the members now and then while a run goes on: whether two of them would answer for one key (P1), whether
 * one without a lease changes the store (P3), and whether they keep their bounds, in memory, on disk and in what they
 * send (P5).
 */

import { footprint } from "../../src/core/entry.ts";
import type { ScenarioPlan } from "./scenario-plan.ts";
import type { SimHost } from "./sim-cluster.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

const lookMs = 25;
/**
 * Events between two looks: what clients, pings and hand-offs need is far below, so more are a storm that nothing ends.
 */
const maxEvents = 10_000;
/** Bounds need to be looked at less often. */
const looksPerSample = 4;
/**
 * Replicas hold up to this part beyond the limit of dirty bytes, and a hand-off is never refused: then up to this part.
 */
const replicaExcess = 1.1;
const handOffExcess = 3;
/** What a segment repeats at its beginning, and what a record takes beside its entry: bytes, generously. */
const journalHeadBytes = 100_000;

export class Spy {
  readonly #plan: ScenarioPlan;
  readonly #world: SimWorld;
  readonly #hosts: readonly SimHost[];
  #looks = 0;
  #events = 0;

  constructor(plan: ScenarioPlan, world: SimWorld, hosts: readonly SimHost[]) {
    this.#plan = plan;
    this.#world = world;
    this.#hosts = hosts;
  }

  /** Whoever takes over waits only for requests that were sent under a lease. */
  watchRequests(store: SimStore): void {
    store.watchSent((key, caller) => {
      if (!this.#plan.keys.includes(key)) return;
      for (const { running, ghost } of this.#hosts) {
        for (const each of [running, ghost]) {
          if (each?.process !== caller || each.member?.servesNow?.(key) !== false) continue;
          this.#world.fail(new Error(`P3: ${each.process.name} changes ${key} in the store without a lease`));
        }
      }
    });
  }

  start(): void {
    this.#events = this.#world.events;
    this.#world.lookEvery(lookMs, () => this.#look());
  }

  #look(): void {
    const events = this.#world.events - this.#events;
    if (events > maxEvents) this.#world.fail(new Error(`P5: ${events} events in ${lookMs} ms: a storm`));
    this.#events = this.#world.events;
    this.#lookForTwo();
    if (this.#looks++ % looksPerSample === 0) for (const host of this.#hosts) this.#sample(host);
  }

  #lookForTwo(): void {
    for (const key of this.#plan.keys) {
      let serving: string | undefined;
      for (const host of this.#hosts) {
        for (const running of [host.running, host.ghost]) {
          if (running?.member?.servesNow?.(key) !== true) continue;
          const { name } = running.process;
          if (serving !== undefined) this.#world.fail(new Error(`P1: both ${serving} and ${name} serve ${key}`));
          serving = name;
        }
      }
    }
  }

  #sample(host: SimHost): void {
    const { settings } = this.#plan.hosts.find(({ id }) => id === host.id) ?? {};
    const { gauges } = host;
    if (settings === undefined || gauges === undefined) return;
    const { dirtyBytes } = settings.admission;
    // One replica is always let in by a buffer that is not over its limit.
    const oneMore = footprint({
      key: "k0",
      size: this.#plan.maxValueBytes,
      headers: { "x-weir-meta-name": "k0#1000" },
    });
    const handsOff = this.#plan.faults.length > 0;
    const most = handsOff ? dirtyBytes * handOffExcess : Math.max(dirtyBytes * replicaExcess, dirtyBytes + oneMore);
    const { liveLimitBytes, segmentBytes } = this.#plan.journalSettings;
    const mostOnDisk = 2 * liveLimitBytes + 2 * segmentBytes + journalHeadBytes;
    this.#check(host, "dirty bytes", gauges.dirtyBytes, most);
    this.#check(host, "cached bytes", gauges.cacheBytes, settings.cacheBytes);
    this.#check(host, "bytes on its disk", host.folder.bytes, mostOnDisk);
  }

  #check(host: SimHost, what: string, bytes: number, most: number): void {
    if (bytes > most) this.#world.fail(new Error(`P5: ${bytes} ${what} at ${host.id}, over ${most}`));
  }
}
