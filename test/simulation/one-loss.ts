/**
 * One node at a time is lost, in one of the ways in which that happens, while the store and all others are well; it
 * comes back, the cluster settles again, and the next one follows. For all of that time clients at the other nodes may
 * notice no more than a pause.
 */

import type { Hits } from "./expectations.ts";
import type { FaultField } from "./fault-field.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";

const lookMs = 20;
/** A settled cluster is left alone for a while; then somebody is lost, for a while. */
const maxCalmMs = 1_500;
const maxLostMs = 6_000;
/**
 * Once the lost one is back, the cluster settles within this: a folder that was not listed any more waits its turn, and
 * a cut link is dialled again.
 */
const settleWithinMs = 15_000;
/** What a client called before its node was whole again may still end badly. */
const afterPainsMs = 12_000;
/** A pause that nobody may mind: shorter than D by more than the time between two pings. */
const hiccupMs = 400;
/** Links are there again within this. */
const relinkMs = 1_500;
/**
 * A disk that is stuck is noticed when a write has waited for D: in units of D, with the wait until there is a write.
 */
const stuckDiskSuspicions = 1.5;

/**
 * How one node is lost. `pair`: two nodes do not reach each other, and one of them must go; `hiccup`: it is not lost at
 * all.
 */
const ways = ["kill", "kill", "lose", "pause", "cut", "cut", "pair", "disk", "hiccup"] as const;
type Way = (typeof ways)[number];

export class OneLoss implements Hits {
  readonly #field: FaultField;
  /** By host: until when what it says does not count. */
  readonly #hits = new Map<SimHost, number>();
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** What takes longer to be noticed, and until when it may have to be. */
  #slowest = { ms: 0, untilMs: Number.NEGATIVE_INFINITY };

  constructor(field: FaultField) {
    this.#field = field;
  }

  /** Whether the host was lost at some time since then, or still suffers from it. */
  wasHit(host: SimHost, sinceMs: number): boolean {
    return sinceMs <= (this.#hits.get(host) ?? Number.NEGATIVE_INFINITY);
  }

  noticeMs(sinceMs: number): number {
    return sinceMs <= this.#slowest.untilMs ? this.#slowest.ms : 0;
  }

  start(): void {
    const { world, hosts, random, plan } = this.#field;
    this.#deadlineMs = world.now + settleWithinMs;
    const look = (): void => {
      if (this.#field.isHealed) return;
      if (isSettled(hosts)) {
        for (const [host, untilMs] of this.#hits) this.#hits.set(host, Math.min(untilMs, world.now));
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
    const [victim, other] = random.shuffle(hosts) as [SimHost, SimHost];
    const way = random.pick(ways);
    if (!isSettled(hosts) || !this.#can(way, victim)) {
      world.schedule(lookMs, () => this.start());
      return;
    }
    // Of two that do not hear each other either may go on.
    const isEither = way === "pair" || (way === "cut" && hosts.length === 2);
    const hit = isEither ? [victim, other] : way === "hiccup" ? [] : [victim];
    for (const host of hit) this.#hits.set(host, Number.POSITIVE_INFINITY);
    this.#field.note(`one ${way}`, () => victim.id + (way === "pair" ? other.id : ""));
    const before = this.#drops;
    const lostMs = random.between(0, way === "hiccup" ? hiccupMs : maxLostMs);
    const undo = this.#hurt(way, victim, other, lostMs);
    let isUndone = false;
    const comeBack = (): void => {
      if (isUndone) return;
      isUndone = true;
      this.#checkDrops(way, this.#drops - before);
      undo();
      // What the disk has begun before takes as long as it would have taken.
      const stuckMs = way === "disk" ? lostMs : 0;
      world.schedule(stuckMs + relinkMs, () => this.start());
      for (const host of hit) this.#hits.set(host, world.now + afterPainsMs);
      this.#slowest.untilMs = Math.min(this.#slowest.untilMs, world.now + stuckMs);
    };
    this.#field.undoLater(lostMs, comeBack);
  }

  get #drops(): number {
    return this.#field.counts.get("drops") ?? 0;
  }

  /**
   * Who is cut off is dropped once, and stays out until it reaches everybody again: else its keys would stop again and
   * again.
   */
  #checkDrops(way: Way, drops: number): void {
    const most = way === "hiccup" ? 0 : way === "kill" || way === "lose" ? 2 : 1;
    if (drops > most)
      this.#field.world.fail(new Error(`P4: the loss of one node ("${way}") has led to ${drops} drops, over ${most}`));
  }

  #can(way: Way, victim: SimHost): boolean {
    const { plan, hosts, budget } = this.#field;
    if (way === "pair") return hosts.length > 2;
    if (way === "disk") return plan.journal;
    return this.#isLoss(way) ? budget.allows(victim.running?.folder) : true;
  }

  #isLoss(way: Way): boolean {
    return way === "lose" || (way === "kill" && !this.#field.plan.journal);
  }

  /** @returns how to bring it back */
  #hurt(way: Way, victim: SimHost, other: SimHost, lostMs: number): () => void {
    const { plan, network, hosts, random, budget } = this.#field;
    const others = hosts.filter((host) => host !== victim);
    const isSilent = random.chance(0.6);
    const suspectMs = Math.max(...plan.hosts.map(({ settings }) => settings.suspectMs));
    switch (way) {
      case "hiccup":
      case "pause":
        victim.process?.pause(random.chance(0.1));
        return () => victim.process?.resume();
      case "pair":
        return network.part(victim.id, other.id, isSilent);
      case "cut": {
        const undos = others.map((each) => network.part(victim.id, each.id, isSilent));
        if (random.chance(0.5)) undos.push(victim.line.cut());
        return all(undos);
      }
      case "disk": {
        const { folder } = victim;
        this.#takesLonger(stuckDiskSuspicions * suspectMs);
        folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs: lostMs });
        return () => folder.setFaults(healthyDisk);
      }
      default:
        if (this.#isLoss(way)) budget.lose(victim.running?.folder);
        victim.crash();
        if (way === "lose" && plan.journal) victim.loseFolder();
        return () => {
          if (victim.running === undefined) victim.start();
        };
    }
  }

  #takesLonger(ms: number): void {
    this.#slowest = { ms, untilMs: Number.POSITIVE_INFINITY };
  }
}

function all(undos: readonly (() => void)[]): () => void {
  return () => {
    for (const undo of undos) undo();
  };
}
