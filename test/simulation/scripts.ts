/**
 * Misfortunes in an order of their own, too unlikely to come by chance, each aimed at a state that only one member has
 * for a moment. Hosts are told apart by what they do: the *primary* sends a write, the *replica* takes it.
 */

import { viewName } from "../../src/core/view.ts";
import type { FaultField } from "./fault-field.ts";
import type { ProcessFaults } from "./process-faults.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import type { Moment } from "./sim-network.ts";
import { plainStoreFaults } from "./store-trouble.ts";

const lookMs = 20;
/** What does not happen within this does not happen any more. */
const patienceMs = 3_000;
/** Between a loss that is noticed and the moment at which others serve: D and T, and some. */
const failoverMs = 2_000;

interface Trap {
  readonly kind: string;
  readonly moment: Moment;
  /** Only from this host, if one is given. */
  readonly from: SimHost | undefined;
  readonly spring: (from: SimHost, to: SimHost) => void;
}

export class Scripts {
  readonly #field: FaultField;
  readonly #processes: ProcessFaults;
  #trap: Trap | undefined;
  /** When a view has been settled in the store. */
  #onSettled: (() => void) | undefined;

  constructor(field: FaultField, processes: ProcessFaults) {
    this.#field = field;
    this.#processes = processes;
    field.store.watch((name) => {
      const onSettled = this.#onSettled;
      if (name !== viewName || onSettled === undefined || field.budget.view?.settled !== true) return;
      this.#onSettled = undefined;
      field.world.schedule(0, onSettled);
    });
    field.network.watch((moment, kind, from, to) => {
      const trap = this.#trap;
      if (trap === undefined || trap.kind !== kind || trap.moment !== moment || field.isHealed) return;
      const [sender, receiver] = [from, to].map((each) => field.hosts.find(({ process }) => process === each));
      if (sender === undefined || receiver === undefined || (trap.from ?? sender) !== sender) return;
      this.#trap = undefined;
      field.world.schedule(0, () => trap.spring(sender, receiver));
    });
  }

  /** One script after the other, each on a settled cluster. */
  start(): void {
    const { world, hosts, random, plan } = this.#field;
    const scripts =
      plan.bufferedBytes === undefined
        ? [() => this.#halfDone(), ...(plan.journal ? [() => this.#lastHolder(), () => this.#forgottenAdoption()] : [])]
        : [() => this.#halfTold(), () => this.#lateChange()];
    const look = (): void => {
      if (this.#field.isHealed) return;
      if (isSettled(hosts)) {
        const delayMs = random.between(0, 300);
        const script = random.pick(scripts);
        // What begins after everything was healed would be healed by nobody.
        world.schedule(delayMs, () => {
          if (!this.#field.isHealed) script();
        });
        world.schedule(patienceMs + failoverMs, look);
      } else world.schedule(lookMs, look);
    };
    look();
  }

  /**
   * The primary loses power before a write is on its disk, and is dropped. The replica has it, as the only one: what it
   * holds does not get through to others. It shows it to readers, perhaps, and is lost, too.
   */
  #lastHolder(): void {
    const { hosts, network, budget, random, world } = this.#field;
    for (const { folder } of hosts) folder.setFaults({ ...healthyDisk, meanSyncMs: random.between(5, 100) });
    this.#wait("replicate", "handled", undefined, (primary, replica) => {
      this.#field.note("script", () => `last holder ${replica.id}, of ${primary.id}`);
      for (const { folder } of hosts) folder.setFaults(healthyDisk);
      const others = hosts.filter((host) => host !== replica);
      const frees = others.map((other) => network.choke(replica.id, other.id));
      this.#field.undoLater(2 * failoverMs, () => {
        for (const free of frees) free();
      });
      if (primary.running === undefined) return;
      primary.crash("power");
      this.#field.restartLater(primary, failoverMs + random.between(0, failoverMs));
      world.schedule(random.between(failoverMs * 0.6, failoverMs * 1.5), () => {
        if (!this.#field.isHealed && budget.allows(replica.folder.id)) this.#processes.lose(replica);
      });
    });
  }

  /**
   * The replica is cut off before it has a write; when the primary brings the next one up to date, the primary is lost
   * in between.
   */
  #halfDone(): void {
    const { network, hosts, random } = this.#field;
    this.#wait("replicate", "sent", undefined, (primary, replica) => {
      this.#field.note("script", () => `half done ${primary.id}, without ${replica.id}`);
      const others = hosts.filter((host) => host !== replica);
      const heals = others.map((other) => network.part(replica.id, other.id, random.chance(0.5)));
      this.#field.undoLater(2 * failoverMs, () => {
        for (const heal of heals) heal();
      });
      this.#wait("hand_off_outcomes", "handled", primary, () => this.#processes.lose(primary));
    });
  }

  /**
   * The primary is lost when it has told the replica of a write, or could not any more: perhaps not before the store
   * has it. Whoever asked for it asks again, at the replica.
   */
  #halfTold(): void {
    const { network, random, world } = this.#field;
    this.#wait("replicate", random.pick(["sent", "handled"] as const), undefined, (primary, replica) => {
      this.#field.note("script", () => `half told ${primary.id}, ${replica.id}`);
      this.#field.undoLater(2 * failoverMs, network.part(primary.id, replica.id, random.chance(0.5)));
      world.schedule(random.chance(0.5) ? 0 : random.between(0, failoverMs / 2), () => {
        if (!this.#field.isHealed) this.#processes.kill(primary);
      });
    });
  }

  /**
   * The store loses the answer to one change of a key, and that takes effect long afterwards: nothing that comes
   * meanwhile may be undone by it.
   */
  #lateChange(): void {
    const { store, plan } = this.#field;
    const end = (): void => {
      store.setFaults(plainStoreFaults(plan));
      store.watchLate(() => undefined);
    };
    store.setFaults({ ...plainStoreFaults(plan), lateChance: 1 });
    store.watchLate((name) => {
      if (!plan.keys.includes(name)) return;
      this.#field.note("script", () => `late change of ${name}`);
      end();
    });
    this.#field.undoLater(patienceMs, end);
  }

  /**
   * A disk is slow while the view changes; as soon as that is settled its member loses power, with whatever is not on
   * its disk then, and another one its disk: what both had must still be there.
   */
  #forgottenAdoption(): void {
    const { hosts, random } = this.#field;
    const [first, second, third] = random.shuffle(hosts) as [SimHost, SimHost, SimHost];
    // Slower than a lease lasts, but not for so long that its host is taken for lost.
    second.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs: random.between(500, 2_500) });
    this.#field.note("script", () => `forgotten adoption at ${second.id}, without ${third.id}`);
    if (first.running !== undefined) first.crash();
    // Back at once, or after the others have gone on without it.
    this.#field.restartLater(first, random.chance(0.4) ? random.between(0, 200) : 2 * failoverMs);
    this.#onSettled = () => {
      if (this.#field.isHealed || second.running === undefined) return;
      this.#processes.lose(third);
      second.crash("power");
      this.#field.restartLater(second, random.between(0, 200));
    };
    this.#field.undoLater(patienceMs, () => {
      this.#onSettled = undefined;
      for (const { folder } of hosts) folder.setFaults(healthyDisk);
    });
  }

  #wait(kind: string, moment: Moment, from: SimHost | undefined, spring: Trap["spring"]): void {
    const trap = { kind, moment, from, spring };
    this.#trap = trap;
    this.#field.world.schedule(patienceMs, () => {
      if (this.#trap === trap) this.#trap = undefined;
    });
  }
}
