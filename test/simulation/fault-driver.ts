/**
 * What goes wrong while clients work: at random times one of the plan's kinds of fault, until it is told to stop; then
 * everything is healed, and every host that is meant to be there runs.
 */

import { parseView, viewName } from "../../src/core/view.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import { Ambushes } from "./ambush.ts";
import { DiskFaults } from "./disk-faults.ts";
import type { Hits } from "./expectations.ts";
import type { FaultField } from "./fault-field.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { LateCopies } from "./late-copies.ts";
import { LateFlushes } from "./late-flushes.ts";
import { LateReads } from "./late-reads.ts";
import { LateReturns } from "./late-returns.ts";
import { MemberFaults } from "./member-faults.ts";
import { NetworkFaults } from "./network-faults.ts";
import { OneLoss } from "./one-loss.ts";
import { Operator } from "./operator.ts";
import { ProcessFaults } from "./process-faults.ts";
import { Scripts } from "./scripts.ts";
import { type EndReason, isSettled, type SimHost } from "./sim-cluster.ts";
import { Snapshots } from "./snapshots.ts";
import { healStore, plainStoreFaults, storeTroubles, troubleStore } from "./store-trouble.ts";

const maxOutageMs = 8_000;
/** Before a burst the cluster has so long to settle. */
const maxCalmMs = 5_000;
const lookMs = 20;
/** So many earlier states of the view's record may be put back. */
const mostRecords = 5;
const mostInBurst = 4;
const maxBurstMeanMs = 600;
/** These come in ways of their own, not at random times. */
type OwnWay =
  | "joins"
  | "oneLoss"
  | "ambushes"
  | "lostAnswers"
  | "lateFlushes"
  | "slowReads"
  | "longCuts"
  | "lateReads"
  | "lateCopies"
  | "lateReturns"
  | "scripts"
  | "slices"
  | "shares"
  | "snapshots";

export class FaultDriver {
  readonly #field: FaultField;
  readonly #processes: ProcessFaults;
  readonly #network: NetworkFaults;
  readonly #members: MemberFaults;
  readonly #disks: DiskFaults;
  readonly #oneLoss: OneLoss;
  readonly #operator: Operator;
  /** The latest states of the view's record. */
  #records: readonly Blob[] = [];
  #viewLosses = 0;
  readonly #acts: Readonly<Record<Exclude<FaultKind, OwnWay>, () => void>>;

  constructor(field: FaultField) {
    this.#field = field;
    this.#processes = new ProcessFaults(field);
    this.#network = new NetworkFaults(field);
    this.#members = new MemberFaults(field);
    this.#disks = new DiskFaults(field);
    this.#oneLoss = new OneLoss(field);
    this.#operator = new Operator(field);
    field.store.watch((name, _before, after) => {
      if (name === viewName && after !== undefined) this.#records = [...this.#records.slice(-mostRecords), after];
    });
    this.#acts = {
      leaves: () => this.#members.leave(),
      earlyStops: () => this.#members.stopEarly(),
      weights: () => this.#members.reweigh(),
      links: () => this.#network.troubleLink(),
      chokes: () => this.#network.choke(),
      overtaking: () => this.#network.overtake(),
      partitions: () => this.#network.partition(),
      crashes: () => this.#processes.kill(),
      // Not too often: starting takes its time.
      power: () => (this.#field.random.chance(0.3) ? this.#processes.losePower() : undefined),
      losses: () => this.#processes.lose(),
      pauses: () => this.#processes.pause(),
      disks: () => this.#disks.trouble(),
      store: () => this.#troubleStore(),
      refusals: () => this.#refuse(),
      storeCuts: () => this.#network.cutFromStore(),
      viewRefusals: () => this.#refuseView(),
      viewLosses: () => this.#loseView(),
      forgets: () => this.#operator.loseLoneOwner(),
      twins: () => this.#processes.twin(),
      outage: () => this.#storeGone(),
      lateEffects: () => this.#lateEffects(),
    };
  }

  /** What happens to single nodes in a world in which more is promised. */
  get hits(): Hits {
    return this.#oneLoss;
  }

  onEnd(host: SimHost, reason: EndReason, folder: string): void {
    this.#processes.onEnd(host, reason, folder);
    if (reason === "left") this.#members.comeBack(host);
  }

  start(): void {
    const { random, world, plan } = this.#field;
    const { faults } = plan;
    if (faults.includes("oneLoss")) this.#oneLoss.start();
    if (faults.includes("forgets")) this.#operator.start();
    if (faults.includes("scripts")) new Scripts(this.#field, this.#processes).start();
    if (faults.includes("lateReads")) new LateReads(this.#field, this.#members).start();
    if (faults.includes("lateCopies")) new LateCopies(this.#field, this.#members).start();
    if (faults.includes("lateReturns")) new LateReturns(this.#field).start();
    if (faults.includes("snapshots")) new Snapshots(this.#field).start();
    if (faults.includes("longCuts")) {
      world.schedule(random.between(0, maxCalmMs), () => this.#network.cutFromStoreForLong());
    }
    if (faults.includes("lateFlushes")) {
      new LateFlushes(this.#field, this.#processes, this.#network, this.#members).start();
    }
    if (faults.includes("ambushes") || faults.includes("lostAnswers")) {
      const ambushes = new Ambushes(this.#field, this.#processes, this.#network, this.#members);
      if (faults.includes("ambushes")) ambushes.start();
      if (faults.includes("lostAnswers")) ambushes.startLosingAnswers();
    }
    const acts = faults.flatMap((kind) => (kind in this.#acts ? [this.#acts[kind as Exclude<FaultKind, OwnWay>]] : []));
    if (acts.length === 0) return;
    if (this.#field.plan.hasBursts) this.#burstLater(acts);
    else this.#actLater(acts);
  }

  /** Nothing new goes wrong; what is wrong is healed. */
  heal(): void {
    const { store, plan, world } = this.#field;
    world.note("FAULT", () => "heal everything");
    this.#field.heal();
    healStore(store, plainStoreFaults(plan));
    this.#members.heal();
    this.#processes.heal();
    this.#operator.help();
  }

  losePower(): void {
    this.#processes.losePower();
  }

  #actLater(acts: readonly (() => void)[]): void {
    const { world, random, plan } = this.#field;
    world.schedule(random.exponential(plan.meanFaultMs), () => {
      if (this.#field.isHealed) return;
      random.pick(acts)();
      this.#actLater(acts);
    });
  }

  /** Waits for a settled cluster, but not for ever; then some things go wrong at nearly the same time. */
  #burstLater(acts: readonly (() => void)[]): void {
    const { world, random, plan, hosts } = this.#field;
    const untilMs = world.now + maxCalmMs;
    const look = (): void => {
      if (this.#field.isHealed) return;
      if (world.now < untilMs && !isSettled(hosts.filter((host) => host.isWanted && host.processes > 0))) {
        world.schedule(lookMs, look);
        return;
      }
      let afterMs = 0;
      for (let left = random.whole(1, mostInBurst); left > 0; left--) {
        afterMs += random.exponential(Math.min(plan.meanFaultMs, maxBurstMeanMs));
        world.schedule(afterMs, () => (this.#field.isHealed ? undefined : random.pick(acts)()));
      }
      world.schedule(afterMs, () => this.#burstLater(acts));
    };
    world.schedule(random.exponential(plan.meanFaultMs), look);
  }

  #troubleStore(): void {
    const { store, plan, random } = this.#field;
    const trouble = random.pick(storeTroubles);
    const plain = plainStoreFaults(plan);
    this.#field.note("store", () => `is ${trouble}`);
    troubleStore(store, trouble, plain, random);
    this.#field.undoLater(this.#field.drawMs(), () => healStore(store, plain));
  }

  #lateEffects(): void {
    const { store, plan, random } = this.#field;
    const plain = plainStoreFaults(plan);
    const lateEffectMs = Math.min(...plan.hosts.map(({ settings }) => settings.lateEffectMs));
    this.#field.note("store", () => "has late effects");
    const chances = { failBeforeChance: random.between(0, 0.2), lateChance: random.between(0.1, 0.6) };
    store.setFaults({ ...plain, ...chances, lateEffectMs });
    this.#field.undoLater(this.#field.drawMs(), () => healStore(store, plain));
  }

  #refuse(): void {
    const { store, plan, random } = this.#field;
    for (const key of random.chance(0.5) ? plan.keys : [random.pick(plan.keys)]) {
      this.#field.note("refused", () => key);
      this.#field.undoLater(2 * this.#field.drawMs(), store.refuse(key));
    }
  }

  #refuseView(): void {
    const { store } = this.#field;
    if (store.isRefusing(viewName)) return;
    this.#field.note("refused", () => viewName);
    this.#field.undoLater(2 * this.#field.drawMs(), store.refuse(viewName));
  }

  /**
   * The view's record is removed, or an earlier state of it is put back. While all members are there, they mend it
   * themselves. Meanwhile a process may start anew: on an empty disk beside its peers, or on its own disk, perhaps cut
   * off from them. Then an operator puts the newest state back.
   */
  #loseView(): void {
    const { store, random, wanted, plan } = this.#field;
    const record = store.peek(viewName);
    if (record === undefined || !isSettled(wanted) || store.isChanging(viewName)) return;
    // One that is wrong already is to be mended first.
    const { epoch, settled } = parseView(record.body);
    if (!settled || wanted.some(({ member }) => member?.status().epoch !== epoch)) return;
    const loss = ++this.#viewLosses;
    const earlier = random.chance(0.4)
      ? random.pick([undefined, ...this.#records.filter((each) => each !== record)])
      : undefined;
    // Who has no journal knows of no newer view.
    const host = random.chance(0.6) && (earlier === undefined || plan.journal) ? this.#field.pickStarted() : undefined;
    const ms = random.between(2, 5) * 1_000;
    if (host) this.#hit(host, earlier === undefined && random.chance(0.5), ms);
    this.#field.note(earlier === undefined ? "view lost" : "view put back", () => host?.id ?? "");
    if (earlier === undefined) store.remove(viewName, { kind: "always" });
    else store.write(viewName, { body: earlier.body, headers: {} }, { kind: "always" });
    const tag = store.peek(viewName)?.tag;
    this.#field.undoLater(host === undefined ? Number.MAX_SAFE_INTEGER : ms, () => {
      if (store.peek(viewName)?.tag !== tag || loss !== this.#viewLosses) return;
      store.write(viewName, { body: record.body, headers: {} }, { kind: "always" });
    });
  }

  /** The process ends, and comes back on an empty disk, or on its own, perhaps cut off from all others for a while. */
  #hit(host: SimHost, losesDisk: boolean, ms: number): void {
    const { random, wanted, network, plan } = this.#field;
    if (losesDisk) {
      this.#processes.lose(host);
      return;
    }
    // Without a journal it knows no cluster, and its peers are all that can tell it.
    const others = plan.journal && random.chance(0.6) ? wanted.filter((each) => each !== host) : [];
    for (const other of others) this.#field.undoLater(ms, network.part(host.id, other.id, random.chance(0.5)));
    this.#processes.kill(host);
  }

  #storeGone(): void {
    const { store, random } = this.#field;
    this.#field.note("store", () => "is gone");
    store.setOutage(true);
    this.#field.undoLater(random.between(0, maxOutageMs), () => store.setOutage(false));
  }
}
