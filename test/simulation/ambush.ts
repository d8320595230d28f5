/**
 * Faults at the worst moment: not at a random instant, of which most are dull, but just when a message of some kind is sent or has been handled, or when the view in the
 * store has changed.
 */

import { unreachable } from "../../src/base/assert.ts";
import { viewName } from "../../src/core/view.ts";
import type { FaultField } from "./fault-field.ts";
import type { NetworkFaults } from "./network-faults.ts";
import type { ProcessFaults } from "./process-faults.ts";
import type { SimHost } from "./sim-cluster.ts";
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

/** `break`: the link is reset. `surge`: one of the two loses its disk, and the other one power. */
const acts = [
  "kill",
  "kill",
  "pause",
  "pause",
  "isolate",
  "lose",
  "break",
  "break",
  "surge",
  "isolate and kill",
] as const;

/** Those who wait in vain give up and lie in wait for something else. */
const patienceMs = 1_000;

interface Ambush {
  readonly kind: (typeof kinds)[number];
  readonly moment: Moment;
  readonly act: (typeof acts)[number];
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
    this.#set = { kind, moment, act: random.pick(acts), passes: random.whole(0, kind === "view" ? 2 : 4) };
    return this.#set;
  }

  #spring(processes: readonly SimProcess[]): void {
    const ambush = this.#set;
    if (ambush === undefined || this.#field.isHealed || ambush.passes-- > 0) return;
    this.#set = undefined;
    const { world, random, hosts, network } = this.#field;
    const near = hosts.filter((host) => host.process !== undefined && processes.includes(host.process));
    const [victim, other] = random.shuffle(near.length > 1 ? near : hosts) as [SimHost, SimHost | undefined];
    // Behind what is happening now, which cannot be interrupted, and before all that is still to come.
    world.schedule(0, () => {
      const names = victim.id + (other?.id ?? "");
      this.#field.note("ambush", () => `${ambush.kind} ${ambush.moment}: ${ambush.act} ${names}`);
      switch (ambush.act) {
        case "kill":
          return this.#processes.kill(victim);
        case "pause":
          return this.#processes.pause(victim);
        case "isolate":
          return this.#network.isolate(victim);
        case "lose":
          return this.#processes.lose(victim);
        case "break":
          return other === undefined ? undefined : network.breakLink(victim.id, other.id);
        case "surge":
          this.#processes.lose(victim);
          return other === undefined ? undefined : this.#processes.kill(other);
        case "isolate and kill":
          this.#network.isolate(victim);
          return this.#processes.kill(other);
        default:
          return unreachable(ambush.act);
      }
    });
  }
}
