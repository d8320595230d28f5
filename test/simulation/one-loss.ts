/**
 * One node at a time is lost, in one of the ways in which that happens, while the store and all others are well; it comes back, the cluster settles again, and the next one
 * follows. For all of that time clients at the other nodes may notice no more than a pause.
 */

import type { FaultField } from "./fault-field.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";

const lookMs = 20;
/** A settled cluster is left alone for a while; then somebody is lost, for a while. */
const maxCalmMs = 1_500;
const maxLostMs = 6_000;
/** Once the lost one is back, the cluster settles within this: a folder that was not listed any more waits its turn, and a cut link is dialled again. */
const settleWithinMs = 15_000;
/** What a client called before its node was whole again may still end badly. */
const afterPainsMs = 12_000;

export class OneLoss {
  readonly #field: FaultField;
  /** By host: from when, and until when, what it says does not count. */
  readonly #hits = new Map<SimHost, { readonly fromMs: number; untilMs: number }>();
  #deadlineMs = Number.POSITIVE_INFINITY;

  constructor(field: FaultField) {
    this.#field = field;
  }

  /** Whether the host was lost at some time since then, or still suffers from it. */
  wasHit(host: SimHost, sinceMs: number): boolean {
    const hit = this.#hits.get(host);
    return hit !== undefined && sinceMs <= hit.untilMs;
  }

  start(): void {
    const { world, hosts, random, plan } = this.#field;
    this.#deadlineMs = world.now + settleWithinMs;
    const look = (): void => {
      if (this.#field.isHealed) return;
      if (isSettled(hosts)) {
        for (const hit of this.#hits.values()) hit.untilMs = Math.min(hit.untilMs, world.now);
        world.schedule(random.between(0, maxCalmMs), () => this.#strike());
      } else if (world.now > this.#deadlineMs) {
        world.fail(
          new Error(`P4: the cluster has not settled within ${settleWithinMs} ms after the lost node was back`),
        );
      } else world.schedule(lookMs, look);
    };
    if (plan.hosts.length >= 2) look();
  }

  #strike(): void {
    const { world, hosts, random } = this.#field;
    if (this.#field.isHealed) return;
    const victim = random.pick(hosts);
    if (!isSettled(hosts)) {
      this.start();
      return;
    }
    const undo = this.#hurt(victim);
    if (undo === undefined) {
      world.schedule(lookMs, () => this.start());
      return;
    }
    this.#hits.set(victim, { fromMs: world.now, untilMs: Number.POSITIVE_INFINITY });
    let isUndone = false;
    const comeBack = (): void => {
      if (isUndone) return;
      isUndone = true;
      undo();
      if (!this.#field.isHealed) this.start();
      this.#hits.set(victim, { fromMs: world.now, untilMs: world.now + afterPainsMs });
    };
    this.#field.undoLater(random.between(0, maxLostMs), comeBack);
  }

  /** @returns how to bring it back; undefined when nothing was done */
  #hurt(victim: SimHost): (() => void) | undefined {
    const { plan, network, hosts, random, budget } = this.#field;
    const way = random.pick(["kill", "kill", "lose", "pause", "cut", "cut"] as const);
    const folder = victim.running?.folder;
    const isLoss = way === "lose" || (way === "kill" && !plan.journal);
    if (isLoss && !budget.allows(folder)) return undefined;
    this.#field.note(`one ${way}`, () => victim.id);
    switch (way) {
      case "pause":
        victim.process?.pause(random.chance(0.1));
        return () => victim.process?.resume();
      case "cut": {
        const isSilent = random.chance(0.6);
        const undos = hosts
          .filter((other) => other !== victim)
          .map((other) => network.part(victim.id, other.id, isSilent));
        // Of two nodes that do not hear each other either may go on; the one with the store does.
        if (hosts.length === 2 || random.chance(0.5)) undos.push(victim.line.cut());
        return () => {
          for (const undo of undos) undo();
        };
      }
      default:
        if (isLoss) budget.lose(folder);
        victim.crash();
        if (way === "lose" && plan.journal) victim.loseFolder();
        return () => {
          if (victim.running === undefined) victim.start();
        };
    }
  }
}
