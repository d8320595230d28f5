/**
 * Faults at the worst moment: not at a random instant, of which most are dull, but just when a message of some kind is
 * sent or has been handled, or when the view in the store has changed.
 */

import { unreachable } from "../../src/base/assert.ts";
import { viewName } from "../../src/core/view.ts";
import type { FaultField } from "./fault-field.ts";
import type { MemberFaults } from "./member-faults.ts";
import type { NetworkFaults } from "./network-faults.ts";
import type { ProcessFaults } from "./process-faults.ts";
import type { SimHost } from "./sim-cluster.ts";
import type { Moment } from "./sim-network.ts";
import type { SimProcess } from "./sim-process.ts";

/**
 * Messages that carry the protocol on, and their answers; a request to the store for a key, or one to change the view,
 * that is about to be sent; and a view that has changed.
 */
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
  "flush",
  "flush",
  "swap",
  "view",
  "view",
] as const;

/**
 * `break`: the link is reset; `part`: and cannot be made again for a while. `surge`: one of the two loses its disk, and
 * the other one power.
 */
const acts = [
  "kill",
  "kill",
  "pause",
  "pause",
  "isolate",
  "lose",
  "break",
  "part",
  "surge",
  "isolate and kill",
] as const;

/** Those who wait in vain give up and lie in wait for something else. */
const patienceMs = 1_000;
/** One that follows from another waits longer: what it waits for may need a view change. */
const followPatienceMs = 3_000;

export interface Ambush {
  readonly kind: (typeof kinds)[number];
  readonly moment: Moment;
  /** `retire`: the sender leaves, and for a moment does not reach the receiver. */
  readonly act: (typeof acts)[number] | "retire";
  /** Only where one of these takes part. */
  readonly hosts: readonly SimHost[] | undefined;
  /** So many are let pass first. */
  passes: number;
}

export class Ambushes {
  readonly #field: FaultField;
  readonly #processes: ProcessFaults;
  readonly #network: NetworkFaults;
  readonly #members: MemberFaults;
  readonly #set = new Set<Ambush>();

  constructor(field: FaultField, processes: ProcessFaults, network: NetworkFaults, members: MemberFaults) {
    this.#field = field;
    this.#processes = processes;
    this.#network = network;
    this.#members = members;
    field.network.watch((moment, kind, from, to) => this.#meet(kind, moment, [from, to]));
    field.store.watch((name) => {
      if (name === viewName) this.#meet("view", "sent", []);
    });
    field.store.watchAsked((name, caller) => {
      const host = field.hosts.find(({ process }) => process === caller);
      this.#meet(name === viewName ? "swap" : "flush", "sent", host?.process === undefined ? [] : [host.process]);
    });
  }

  /** Lays one after the other, and now and then two at once. */
  start(): void {
    const { random } = this.#field;
    this.#startWith(() => this.#draw(undefined));
    if (random.chance(0.3)) this.#startWith(() => this.#draw(undefined));
  }

  /** Lies in wait for answers to writes only, to lose them. */
  startLosingAnswers(): void {
    const { random } = this.#field;
    this.#startWith(() => ({
      kind: "written",
      moment: "sent",
      act: random.pick(["break", "part", "isolate", "kill", "retire", "retire"]),
      hosts: undefined,
      passes: random.whole(0, 6),
    }));
  }

  #startWith(draw: () => Ambush): void {
    const { world, random, plan } = this.#field;
    const next = (): void => {
      if (this.#field.isHealed) return;
      this.#lay(draw(), patienceMs);
      world.schedule(patienceMs + random.exponential(plan.meanFaultMs), next);
    };
    next();
  }

  #lay(ambush: Ambush, waitMs: number): void {
    this.#set.add(ambush);
    this.#field.world.schedule(waitMs, () => void this.#set.delete(ambush));
  }

  #draw(hosts: readonly SimHost[] | undefined): Ambush {
    const { random } = this.#field;
    const kind = random.pick(kinds);
    const isRare = kind === "view" || kind === "swap";
    const moment = isRare || kind === "flush" ? "sent" : random.pick(["sent", "handled"] as const);
    const act = kind === "flush" && random.chance(0.5) ? "pause" : random.pick(acts);
    return { kind, moment, act, hosts, passes: random.whole(0, isRare ? 2 : 4) };
  }

  #meet(kind: string, moment: Moment, processes: readonly SimProcess[]): void {
    for (const ambush of this.#set) {
      if (ambush.kind !== kind || ambush.moment !== moment) continue;
      const isNear = ambush.hosts?.some(({ process }) => process !== undefined && processes.includes(process)) ?? true;
      if ((isNear || processes.length === 0) && ambush.passes-- <= 0) this.#spring(ambush, processes);
    }
  }

  #spring(ambush: Ambush, processes: readonly SimProcess[]): void {
    this.#set.delete(ambush);
    if (this.#field.isHealed) return;
    const { world, random, hosts, network } = this.#field;
    const near = hosts.filter((host) => host.process !== undefined && processes.includes(host.process));
    // Misfortunes seldom come singly: the worst ones build upon each other.
    if (ambush.kind !== "written" && random.chance(0.5)) this.#lay(this.#draw(near), followPatienceMs);
    const sender = hosts.find((host) => host.process !== undefined && host.process === processes[0]);
    const mixed = random.shuffle(near.length > 1 ? near : hosts);
    // Of a lost answer it is the sender that matters: it has done what is asked for again.
    const ordered = ambush.kind === "written" && sender ? [sender, ...mixed.filter((each) => each !== sender)] : mixed;
    const [victim, other] = ordered as [SimHost, SimHost | undefined];
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
        case "part":
          return other === undefined ? undefined : this.#network.partTwo(victim, other);
        case "retire":
          if (other !== undefined) this.#network.partBriefly(victim, other);
          return this.#members.leave(victim);
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
