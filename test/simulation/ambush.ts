/**
 * Faults at the worst moment: not at a random instant, of which most are dull, but just when a message of some kind is sent or has been handled, or when the view in the
 * store has changed.
 */

import { viewName } from "../../src/core/view.ts";
import type { FaultField } from "./fault-field.ts";
import type { NetworkFaults } from "./network-faults.ts";
import type { ProcessFaults } from "./process-faults.ts";
import type { Moment } from "./sim-network.ts";
import type { SimProcess } from "./sim-process.ts";

/** Messages that carry the protocol on, and their answers. */
const kinds = [
  "replicate",
  "replicate",
  "ack",
  "hand_off_list",
  "wanted",
  "hand_off",
  "hand_off_outcomes",
  "clean",
  "write",
  "written",
  "read",
  "value",
  "state",
  "view",
  "view",
] as const;

/** Those who wait in vain give up and lie in wait for something else. */
const patienceMs = 1_000;

interface Ambush {
  readonly kind: (typeof kinds)[number];
  readonly moment: Moment;
  /** So many are let pass first. */
  passes: number;
}

export class Ambushes {
  readonly #field: FaultField;
  readonly #processes: ProcessFaults;
  readonly #network: NetworkFaults;
  #set: Ambush | undefined;

  constructor(field: FaultField, processes: ProcessFaults, network: NetworkFaults) {
    this.#field = field;
    this.#processes = processes;
    this.#network = network;
    field.network.watch((moment, kind, from, to) => {
      if (this.#set !== undefined && this.#set.kind === kind && this.#set.moment === moment) this.#spring([from, to]);
    });
    field.store.watch((name) => {
      if (name === viewName && this.#set?.kind === "view") this.#spring([]);
    });
  }

  /** Lays one after the other. */
  start(): void {
    const { world, random, plan } = this.#field;
    if (this.#field.isHealed) return;
    const set = this.#lay();
    world.schedule(patienceMs, () => {
      if (this.#set === set) this.#set = undefined;
      world.schedule(random.exponential(plan.meanFaultMs), () => this.start());
    });
  }

  #lay(): Ambush {
    const { random } = this.#field;
    const kind = random.pick(kinds);
    const moment = random.pick(["sent", "handled"] as const);
    this.#set = { kind, moment, passes: random.whole(0, kind === "view" ? 2 : 4) };
    return this.#set;
  }

  #spring(processes: readonly SimProcess[]): void {
    const ambush = this.#set;
    if (ambush === undefined || this.#field.isHealed || ambush.passes-- > 0) return;
    this.#set = undefined;
    const { world, random, hosts } = this.#field;
    const near = hosts.filter((host) => host.process !== undefined && processes.includes(host.process));
    const victim = random.pick(near.length > 0 ? near : hosts);
    // Behind what is happening now, which cannot be interrupted, and before all that is still to come.
    world.schedule(0, () => {
      this.#field.note("ambush", () => `${ambush.kind} ${ambush.moment}: ${victim.id}`);
      const act = random.pick(["kill", "kill", "pause", "pause", "isolate", "lose", "both"] as const);
      switch (act) {
        case "kill":
          return this.#processes.kill(victim);
        case "pause":
          return this.#processes.pause(victim);
        case "isolate":
          return this.#network.isolate(victim);
        case "lose":
          return this.#processes.lose(victim);
        default:
          // One is cut off, and another one killed.
          this.#network.isolate(victim);
          return this.#processes.kill(random.pick(near.length > 0 ? near : hosts));
      }
    });
  }
}
