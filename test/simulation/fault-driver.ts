/**
 * What goes wrong while clients work: breaks links, makes the store fail, pauses and restarts members, as the plan allows, until it is told to stop;
 * then it heals what it broke. A member is only ended while the cluster is settled: that is what the protocol promises to bear without a journal.
 */

import type { FaultKind, ScenarioPlan } from "./scenario-plan.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";
import { healthyStore, type StoreFaultSettings } from "./store-faults.ts";

export interface FaultTargets {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly store: SimStore;
  /** All hosts of the plan; those that have not had their first start have no process. */
  readonly hosts: readonly SimHost[];
}

/** How often to look whether the cluster has settled, so that a member may be ended. */
const lookMs = 20;
/** How long a fault that comes and goes lasts, at most, and a pause. */
const maxFaultMs = 4_000;
const maxPauseMs = 2_500;
const maxDownMs = 4_000;

export function plainStoreFaults(plan: ScenarioPlan): StoreFaultSettings {
  return { ...healthyStore, minLatencyMs: 1, meanExtraLatencyMs: plan.storeLatencyMs };
}

export class FaultDriver {
  readonly #plan: ScenarioPlan;
  readonly #targets: FaultTargets;
  readonly #random: SimRandom;
  #stopped = false;
  #restarts = 0;

  constructor(plan: ScenarioPlan, targets: FaultTargets) {
    this.#plan = plan;
    this.#targets = targets;
    this.#random = targets.world.random("faults");
  }

  get restarts(): number {
    return this.#restarts;
  }

  start(): void {
    const acts: Partial<Record<FaultKind, () => void>> = {
      links: () => this.#troubleLink(),
      store: () => this.#troubleStore(),
      pauses: () => this.#pause(),
    };
    for (const kind of this.#plan.faults) {
      const act = acts[kind];
      if (act !== undefined) this.#repeat(act);
    }
    if (this.#plan.faults.includes("restarts")) this.#restartLater();
  }

  /** Nothing new goes wrong; what is wrong is healed. A host that is down starts again in its time. */
  heal(): void {
    this.#stopped = true;
    this.#targets.world.note("heal", () => "everything");
    this.#targets.network.healAll();
    this.#targets.store.setOutage(false);
    this.#targets.store.setFaults(plainStoreFaults(this.#plan));
    for (const host of this.#targets.hosts) host.process?.resume();
  }

  #repeat(act: () => void): void {
    this.#targets.world.schedule(this.#random.exponential(this.#plan.meanFaultMs), () => {
      if (this.#stopped) return;
      act();
      this.#repeat(act);
    });
  }

  #troubleLink(): void {
    const { network, hosts, world } = this.#targets;
    if (hosts.length < 2) return;
    const [a, b] = this.#random.shuffle(hosts) as [SimHost, SimHost];
    const kind = this.#random.pick(["break", "break", "stall", "stall both", "slow"]);
    if (kind === "break") {
      network.breakLink(a.id, b.id);
      return;
    }
    if (kind === "slow") network.slow(a.id, b.id, this.#random.between(5, 100));
    else network.stall(a.id, b.id);
    if (kind === "stall both") network.stall(b.id, a.id);
    world.schedule(this.#random.between(0, maxFaultMs), () => network.heal(a.id, b.id));
  }

  #troubleStore(): void {
    const { store, world } = this.#targets;
    const plain = plainStoreFaults(this.#plan);
    const random = this.#random;
    const kind = random.pick(["slow", "failing", "ambiguous", "ambiguous", "throttled", "unsure", "outage"]);
    world.note("store", () => `is ${kind}`);
    store.setOutage(kind === "outage");
    switch (kind) {
      case "slow":
        store.setFaults({ ...plain, meanExtraLatencyMs: random.between(200, 2_000) });
        break;
      case "failing":
        store.setFaults({ ...plain, failBeforeChance: random.between(0.1, 0.9) });
        break;
      case "ambiguous":
        store.setFaults({ ...plain, failAfterChance: random.between(0, 0.5), lateChance: random.between(0, 0.5) });
        break;
      case "throttled":
        store.setFaults({ ...plain, throttleChance: random.between(0.1, 0.9) });
        break;
      case "unsure":
        store.setFaults({ ...plain, unsureChance: random.between(0.1, 0.5) });
        break;
      default:
    }
    world.schedule(random.between(0, maxFaultMs), () => {
      store.setOutage(false);
      store.setFaults(plain);
    });
  }

  #pause(): void {
    const host = this.#random.pick(this.#targets.hosts);
    const { process } = host;
    if (process === undefined || process.paused) return;
    process.pause();
    this.#targets.world.schedule(this.#random.between(0, maxPauseMs), () => process.resume());
  }

  /** Waits for a settled cluster, ends a member some time later if it is still settled, and starts it again. */
  #restartLater(): void {
    const { world, hosts } = this.#targets;
    const waitMs = this.#random.exponential(this.#plan.meanFaultMs);
    const look = (): void => {
      if (this.#stopped) return;
      const started = hosts.filter((host) => host.process !== undefined);
      if (started.length === 0 || !isSettled(started)) {
        world.schedule(lookMs, look);
        return;
      }
      this.#end(this.#random.pick(started), started.length);
    };
    world.schedule(waitMs, look);
  }

  #end(host: SimHost, members: number): void {
    const { world } = this.#targets;
    if (this.#plan.settings.replicas === 1 && members >= 2) {
      // The outcomes of its last requests are on nobody else: a router whose link broke could not be told. Leaving in order hands
      // them off, once that is there.
      this.#restartLater();
      return;
    }
    this.#restarts++;
    const startAgain = (): void => {
      world.schedule(this.#random.between(0, maxDownMs), () => {
        if (host.process === undefined) host.start();
        this.#restartLater();
      });
    };
    // Without another holder of each key a crash may lose what was acknowledged: then members are only stopped in order.
    const mayCrash = this.#plan.settings.replicas >= 2 && members >= 2;
    if (mayCrash && this.#random.chance(0.75)) {
      host.crash();
      startAgain();
    } else {
      host.stop(startAgain);
    }
  }
}
