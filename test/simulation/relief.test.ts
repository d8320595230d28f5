/** Relief in a whole cluster: who may not flush gives its keys away, and has them back for good when it may again. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { parseView, viewName } from "../../src/core/view.ts";
import { Participant } from "../../src/member/participant.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { planFor } from "./scenario-plan.ts";
import { SimHost } from "./sim-cluster.ts";
import { memoryFolder } from "./sim-folder.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { healthyStore } from "./store-faults.ts";

/** Three hosts, of which the store refuses some keys. */
class Cluster {
  readonly world = new SimWorld({ seed: 1 });
  readonly hosts: readonly SimHost[];
  readonly refused = new Set<string>();
  /** The weights in each view, in the order of the hosts. */
  readonly views: string[] = [];

  constructor() {
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
      factory: (parts: ConstructorParameters<typeof Participant>[0]) =>
        new Participant({ ...parts, store: this.#refusing(parts.store) }),
      makeFolder: (name: string) => memoryFolder(name),
      onEnd: () => undefined,
    };
    const { settings: drawn } = planFor(1, "healthy").hosts[0] as { settings: MemberSettings };
    const settings = { ...drawn, replicas: 2, flush: { ...drawn.flush, delayMs: 1_000 } };
    const ids = ["a", "b", "c"];
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

  #refusing(store: BlobStore): BlobStore {
    const write: BlobStore["write"] = (name, ...rest) =>
      this.refused.has(name)
        ? Promise.reject(new OperatingError("store_refused", "not this one"))
        : store.write(name, ...rest);
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "write") return write;
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}

describe("relief", () => {
  it("lasts as long as the store does not answer a member, which keeps its keys from then on", async () => {
    const cluster = new Cluster();
    const { world, hosts, views } = cluster;
    const [, b] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    cluster.writeAt(hosts);
    await world.run(20_000);
    const began = views.length;
    const mend = b.line.cut();
    await world.run(60_000);
    assert.deepEqual(views.slice(began), ["1,0,1"]);
    mend();
    await world.run(200_000);
    assert.deepEqual(views.slice(began), ["1,0,1", "1,1,1"]);
  });

  it("is not for a member of which the store refuses only one key: that would be refused of any other, too", async () => {
    const cluster = new Cluster();
    const { world, hosts, views } = cluster;
    const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
    await world.run(10_000);
    const began = views.length;
    cluster.writeAt([a, c]);
    const key = cluster.keyOf(b, "refused-");
    cluster.refused.add(key);
    cluster.write(b, key);
    await world.run(200_000);
    assert.equal(b.status?.refusedKeys, 1);
    assert.deepEqual(views.slice(began), []);
  });
});
