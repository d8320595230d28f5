/**
 * A few hosts over one store that may refuse some objects: for a course of events that is told step by step, as an operator's day is, and not drawn by chance. Their folders are in
 * memory: whoever ends has lost its disk, too.
 */

import type { OperatingError } from "../../src/base/errors.ts";
import type { FlushProgress } from "../../src/core/administration.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { parseView, viewName } from "../../src/core/view.ts";
import { Participant } from "../../src/member/participant.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { planFor } from "./scenario-plan.ts";
import { type MemberParts, SimHost } from "./sim-cluster.ts";
import { memoryFolder } from "./sim-folder.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { healthyStore } from "./store-faults.ts";

export class StagedCluster {
  readonly world = new SimWorld({ seed: 1 });
  readonly hosts: readonly SimHost[];
  /** Objects that the store does not take, and why. */
  readonly refused = new Map<string, OperatingError>();
  readonly #participants = new Map<string, Participant>();
  /** The weights in each view, in the order of the hosts. */
  readonly views: string[] = [];

  constructor(ids: readonly string[], delayMs = 1_000) {
    const { world } = this;
    const store = new SimStore({
      modes: { tags: "md5", ignoresRemoveConditions: false },
      faults: healthyStore,
      random: world.random("store"),
      scheduler: world,
      dateMs: () => Math.floor(world.now),
    });
    store.watch((name, _before, after) => {
      if (name !== viewName || !after) return;
      const { settled, members } = parseView(after.body);
      if (!settled) this.views.push(members.map(({ weight }) => weight).join());
    });
    const cluster = {
      world,
      network: new SimNetwork(world, defaultNetworkSettings),
      store,
      clocks: { maxRateError: 0.01, maxTimerDelayMs: 1 },
      factory: (parts: MemberParts) => {
        const participant = new Participant({ ...parts, store: this.#refusing(parts.store) });
        this.#participants.set(parts.host.id, participant);
        return participant;
      },
      makeFolder: (name: string) => memoryFolder(name),
      onEnd: () => undefined,
    };
    const { settings: drawn } = planFor(1, "healthy").hosts[0] as { settings: MemberSettings };
    const settings = { ...drawn, replicas: 2, flush: { ...drawn.flush, delayMs } };
    this.hosts = ids.map((id) => new SimHost(cluster, { id, startMs: 0, weight: 1, zone: undefined, settings }, ids));
    for (const host of this.hosts) host.start();
  }

  /** Clients write, all the time, such keys at the hosts that serve them. */
  writeAt(hosts: readonly SimHost[]): void {
    for (const host of hosts) {
      for (let number = 0; number < 5; number++) this.write(host, this.keyOf(host, `k${number}-`));
    }
    this.world.schedule(1_000, () => this.writeAt(hosts));
  }

  write(host: SimHost, key: string): void {
    host.process?.schedule(0, () => {
      const value = Buffer.from(`value of ${this.world.now}`);
      host.member?.put({ key, value, headers: noHeaders }).catch(() => undefined);
    });
  }

  /** A key that the host serves; any, while it serves none. */
  keyOf(host: SimHost, prefix: string): string {
    for (let number = 0; number < 100; number++) {
      const key = `${prefix}${number}`;
      if (host.member?.servesNow?.(key) === true) return key;
    }
    return prefix;
  }

  /** What `weir flush` is told by this host, up to the end of it or of the time. */
  async flush(host: SimHost, ms: number): Promise<FlushProgress[]> {
    const told: FlushProgress[] = [];
    const abort = new AbortController();
    const ask = async (): Promise<void> => {
      const participant = this.#participants.get(host.id) as Participant;
      for await (const progress of participant.flush(abort.signal)) told.push(progress);
    };
    host.process?.schedule(0, () => {
      ask().catch((error: unknown) => {
        if (!abort.signal.aborted) this.world.fail(error);
      });
    });
    await this.world.run(this.world.now + ms, () => told.at(-1)?.outcome !== undefined);
    abort.abort();
    return told;
  }

  #refusing(store: BlobStore): BlobStore {
    const write: BlobStore["write"] = (name, ...rest) => {
      const error = this.refused.get(name);
      return error ? Promise.reject(error) : store.write(name, ...rest);
    };
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "write") return write;
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}
