/**
 * What faults act upon, shared by all kinds of them; and the list of those that last, so that everything can be healed
 * at once.
 */

import { ringOf } from "../../src/core/view.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { LossBudget } from "./loss-budget.ts";
import { plainWeight, type ScenarioPlan } from "./scenario-plan.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

const lookMs = 20;
const weights = [0.5, 1, 1, 2, 3].map((weight) => weight * plainWeight);

export class FaultField {
  readonly plan: ScenarioPlan;
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly store: SimStore;
  /** All hosts of the plan; those that have not had their first start have no process. */
  readonly hosts: readonly SimHost[];
  readonly budget: LossBudget;
  readonly random: SimRandom;
  readonly #undos = new Set<() => void>();
  /** How often each thing was done. */
  readonly #counts = new Map<string, number>();
  #isHealed = false;
  #isOver = false;

  constructor(parts: {
    readonly plan: ScenarioPlan;
    readonly world: SimWorld;
    readonly network: SimNetwork;
    readonly store: SimStore;
    readonly hosts: readonly SimHost[];
    readonly budget: LossBudget;
  }) {
    this.plan = parts.plan;
    this.world = parts.world;
    this.network = parts.network;
    this.store = parts.store;
    this.hosts = parts.hosts;
    this.budget = parts.budget;
    this.random = parts.world.random("faults");
  }

  /** Nothing new goes wrong any more. */
  get isHealed(): boolean {
    return this.#isHealed;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Notes that something is done. */
  note(what: string, detail: () => string): void {
    this.count(what);
    this.world.note("FAULT", () => `${what} ${detail()}`);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Undoes something after `ms`, or when all is healed. */
  undoLater(ms: number, undo: () => void): void {
    this.#undos.add(undo);
    this.world.schedule(ms, () => {
      if (this.#undos.delete(undo)) undo();
    });
  }

  heal(): void {
    this.#isHealed = true;
    const undos = [...this.#undos];
    this.#undos.clear();
    for (const undo of undos) undo();
  }

  /** Calls `act`, again and again, when the cluster has settled; `act` calls what it is given when it is over. */
  inTurns(patienceMs: number, act: (over: () => void) => void): void {
    const again = (): void => {
      this.world.schedule(lookMs, next);
    };
    const next = (): void => {
      if (this.#isHealed) return;
      this.when(
        patienceMs,
        () => isSettled(this.wanted),
        () => act(again),
        again,
      );
    };
    next();
  }

  /**
   * Calls `then` as soon as `condition` holds, or `otherwise` if all is healed before, or it takes longer than
   * `patienceMs`.
   */
  when(patienceMs: number, condition: () => boolean, then: () => void, otherwise: () => void): void {
    const untilMs = this.world.now + patienceMs;
    const look = (): void => {
      const mayBe = !this.#isHealed;
      if (mayBe && condition()) then();
      else if (mayBe && this.world.now < untilMs) this.world.schedule(lookMs, look);
      else otherwise();
    };
    look();
  }

  /** Starts a host that is down again, unless somebody else has until then. */
  restartLater(host: SimHost, ms: number): void {
    const { processes } = host;
    this.world.schedule(ms, () => {
      if (this.#isOver || !host.isWanted || host.running !== undefined || host.processes !== processes) return;
      host.start();
    });
  }

  /** Nothing is started again any more. */
  end(): void {
    this.#isOver = true;
  }

  /** The host's process will have another weight from its next start on. */
  reweigh(host: SimHost): void {
    host.weight = this.hasOtherOwner(host) && this.random.chance(0.1) ? 0 : this.random.pick(weights);
    this.note("weight", () => `${host.id} ${host.weight}`);
  }

  /** Whether another host that is meant to be there owns keys. */
  hasOtherOwner(host: SimHost): boolean {
    return this.wanted.some((each) => each !== host && each.isOwner);
  }

  /** Hosts that are meant to be there. */
  get wanted(): SimHost[] {
    return this.hosts.filter((host) => host.isWanted);
  }

  /** The primary of the key by the view that the store has. */
  primaryOf(key: string): SimHost | undefined {
    const { view } = this.budget;
    const id = view && ringOf(view.members, view.parameters).ownersOf(key)[0];
    return this.hosts.find((host) => host.id === id);
  }

  /** A host that runs a process, whatever it is doing. */
  pickRunning(): SimHost | undefined {
    const running = this.hosts.filter((host) => host.running !== undefined);
    return running.length > 0 ? this.random.pick(running) : undefined;
  }

  /** A host that is down and meant to be there, after it has run before. */
  pickDown(): SimHost | undefined {
    const down = this.hosts.filter((host) => host.running === undefined && host.isWanted && host.processes > 0);
    return down.length > 0 ? this.random.pick(down) : undefined;
  }

  /** A host that takes part. */
  pickStarted(): SimHost | undefined {
    const started = this.hosts.filter((host) => host.running?.started === true && !host.running.stopping);
    return started.length > 0 ? this.random.pick(started) : undefined;
  }

  /** Mostly short, now and then long: around the times that the protocol waits, D and T. */
  drawMs(): number {
    const luck = this.random.next();
    if (luck < 0.25) return this.random.between(0, 500);
    return luck < 0.65 ? this.random.between(500, 2_500) : this.random.between(2_500, 6_000);
  }
}
