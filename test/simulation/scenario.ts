/**
 * One scenario from beginning to end: a cluster is started, clients work while faults befall it, everything heals, and
 * then it is judged.
 *
 * - P1: what clients saw of each key is linearizable, reads of every key through every member at the end included; and
 * never do two processes believe that they may answer
 *   for one key.
 * - P2: nothing acknowledged is lost: those last reads, and the store's content after the flush, are of the last
 * acknowledged states.
 * - P3: everything reaches the store within bounded time, and no object ever goes back (see `store-watch.ts`).
 * - P4: each operation is answered in time, and after healing the cluster settles within bounded time. What more is
 * promised in a healthy cluster, or one that loses
 *   a single node or the store, is in `expectations.ts`.
 * - P5: dirty bytes, cached bytes and journals stay within their bounds, and the first go back to 0.
 */

import { inspect } from "node:util";
import { parseView, type View, viewName } from "../../src/core/view.ts";
import { History } from "../harness/history.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { describeView } from "./describe-view.ts";
import { Drops } from "./drops.ts";
import { expectationsOf } from "./expectations.ts";
import { FaultDriver } from "./fault-driver.ts";
import { FaultField } from "./fault-field.ts";
import { historyViolations, notStored, storeViolations } from "./final-checks.ts";
import { Listings } from "./listings.ts";
import { LossBudget } from "./loss-budget.ts";
import { PartedClients } from "./parted-clients.ts";
import { longestFlushMs, longestLateMs, partBytesOf, restChance, type ScenarioPlan } from "./scenario-plan.ts";
import { type Caller, type ClientWorld, Contents, perform } from "./sim-client.ts";
import { isSettled, type MemberFactory, SimHost } from "./sim-cluster.ts";
import { diskFolder, memoryFolder } from "./sim-folder.ts";
import { startHost } from "./sim-member.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { Spy } from "./spy.ts";
import { plainStoreFaults } from "./store-trouble.ts";
import { StoreWatch } from "./store-watch.ts";
import { Workload } from "./workload.ts";

export interface ScenarioResult {
  /** The same for the same seed and code. */
  readonly digest: string;
  readonly events: number;
  /** Operations, and listings, that were answered. */
  readonly answered: number;
  readonly listings: number;
  /** How often each kind of thing went wrong, and how many views there were. */
  readonly counts: ReadonlyMap<string, number>;
  /** Longest time that an operation took at a host to which nothing happened meanwhile, in milliseconds. */
  readonly longestMs: number;
  readonly virtualMs: number;
  /** What was wrong, in words; empty when all is well. */
  readonly violations: readonly string[];
  /** Why it proves nothing that there are no violations. */
  readonly unchecked: Unchecked | undefined;
}

/**
 * Frames of the call stack that an error keeps while nobody reads a world's trace. A world in trouble has many errors,
 * and their stacks take a twentieth of its processor time. A replay shows them.
 */
export const framesOfWorlds = 0;

/**
 * `void`: more was lost than may be, so nothing was promised. `tangled`: so many operations had an unknown outcome that
 * nobody can say.
 */
export type Unchecked = "void" | "tangled";

/** Bounds of virtual time, generous: they are there to find what never ends. */
const startWithinMs = 10_000;
const workWithinMs = 600_000;
/**
 * A host that is not listed waits for a settled view (30 s at most), and longer the more often it has joined (60 s at
 * most).
 */
const settleWithinMs = 150_000;
const readAgainMs = 100;
/**
 * After healing: every request under way ends, an inherited key waits its time, a failed one its pause, and a
 * write-through is proven.
 */
const flushDeadlines = 4;
const flushExtraMs = 30_000;
const stopWithinMs = 150_000;
/**
 * How often to look whether what is waited for has come: asking the members after each event would cost more than the
 * events.
 */
const lookMs = 10;
/** Between two uploads that are lost, and two that are not wanted, on average. */
const meanMeddlingMs = 200;
/** Part of the operations that any process gets, ready or not. */
const strayShare = 0.35;

export async function runScenario(
  plan: ScenarioPlan,
  factory: MemberFactory,
  print?: (line: string) => void,
): Promise<ScenarioResult> {
  const scenario = new Scenario(plan, factory, print);
  return await scenario.run();
}

class Scenario {
  readonly #plan: ScenarioPlan;
  readonly #world: SimWorld;
  readonly #store: SimStore;
  readonly #hosts: readonly SimHost[];
  readonly #budget: LossBudget;
  readonly #field: FaultField;
  readonly #faults: FaultDriver;
  readonly #watch: StoreWatch;
  readonly #spy: Spy;
  readonly #clients: ClientWorld;
  readonly #random: SimRandom;
  readonly #workload: Workload;
  readonly #listings: Listings | undefined;
  readonly #drops: Drops;
  readonly #parted: PartedClients;
  readonly #initial = new Map<string, string>();
  readonly #violations: string[] = [];
  readonly #flushDeadlineMs: number;
  #left: number;
  #working = 0;
  #isTangled = false;
  #workIsOver = false;

  constructor(plan: ScenarioPlan, factory: MemberFactory, print: ((line: string) => void) | undefined) {
    this.#plan = plan;
    this.#left = plan.operations;
    this.#flushDeadlineMs = Math.max(...plan.hosts.map(({ settings }) => settings.flushDeadlineMs));
    const world = new SimWorld({ seed: plan.seed, ...(print === undefined ? {} : { print }) });
    this.#world = world;
    this.#random = world.random("clients");
    this.#watch = new StoreWatch(plan);
    const contents = new Contents(plan);
    this.#workload = new Workload(plan, contents, this.#random);
    const network = new SimNetwork(world, { ...defaultNetworkSettings, meanExtraLatencyMs: plan.networkLatencyMs });
    const store = new SimStore({
      modes: {
        tags: plan.uniqueTags ? "unique" : "md5",
        ignoresRemoveConditions: plan.ignoresRemoveConditions,
        racesRemovals: plan.racesRemovals && plan.ignoresRemoveConditions,
        ignoresCompleteConditions: plan.ignoresCompleteConditions,
        joinsParts: plan.joinsParts,
        remembersCompletions: plan.remembersCompletions,
      },
      faults: plainStoreFaults(plan),
      random: world.random("store"),
      scheduler: world,
      dateMs: () => Math.floor(world.now),
    });
    this.#store = store;
    this.#budget = new LossBudget(world, store, () => this.#hosts.map(({ ghost }) => ghost?.folder));
    const cluster = {
      world,
      network,
      store,
      clocks: plan.clocks,
      factory,
      hosted: plan.goesOn === true ? startHost : undefined,
      makeFolder: (name: string) =>
        plan.journal ? diskFolder(name, world.random(`disk ${name}`), plan.journalSettings) : memoryFolder(name),
      onEnd: (...end: Parameters<FaultDriver["onEnd"]>) => this.#faults.onEnd(...end),
    };
    const ids = plan.hosts.map((host) => host.id);
    this.#hosts = plan.hosts.map(
      (host, index) => new SimHost(cluster, host, plan.knowsLater ? ids : ids.slice(0, index + 1)),
    );
    this.#field = new FaultField({ plan, world, network, store, hosts: this.#hosts, budget: this.#budget });
    this.#faults = new FaultDriver(this.#field);
    this.#spy = new Spy(plan, world, this.#hosts);
    this.#spy.watchRequests(store);
    const operationMs = Math.max(...plan.hosts.map(({ settings }) => settings.operationMs));
    this.#clients = {
      world,
      history: new History(),
      contents,
      deletions: [],
      expectations: expectationsOf(plan, operationMs, this.#faults.hits),
      holderOf: (label) => (plan.faults.includes("shares") ? `holder ${label.length % 2}` : undefined),
      notStored: (key, version, isDelete) => {
        this.#watch.promised(key, version);
        return notStored(this.#store, this.#clients.deletions, key, version, isDelete);
      },
    };
    this.#drops = new Drops(this.#field, this.#clients, () => this.#pickCaller());
    this.#parted = new PartedClients({
      plan,
      world,
      store,
      clients: this.#clients,
      workload: this.#workload,
      pickCaller: () => this.#pickCaller(),
    });
    if (plan.listMs === undefined) return;
    this.#listings = new Listings({
      world,
      history: this.#clients.history,
      contents,
      keys: plan.keys,
      random: world.random("listings"),
      meanMs: plan.listMs,
      pickCaller: () => this.#pickCaller(),
    });
  }

  async run(): Promise<ScenarioResult> {
    const lateMs = longestLateMs(this.#plan);
    try {
      this.#inherit();
      await this.#start();
      await this.#work();
      await this.#settle();
      this.#parted.finish();
      await this.#within(settleWithinMs, "what was uploaded in parts is completed", () => this.#parted.isIdle);
      await this.#readAll("after healing");
      await this.#flush();
      // What was lost, and given up, may have sent something that comes to the store as late as this.
      if (this.#field.counts.has("forget")) await this.#world.run(this.#world.now + longestFlushMs(this.#plan));
      // Nothing that still lands may change what is called stored.
      if (lateMs > 0) await this.#world.run(this.#world.now + lateMs);
      await this.#readAll("after the flush");
      this.#checkStore();
      if (this.#plan.ending === "stop") await this.#stop();
    } catch (error) {
      this.#violations.push(inspect(error));
    }
    const { history, deletions } = this.#clients;
    const onTangled = (): void => {
      this.#isTangled = true;
    };
    this.#violations.push(...historyViolations(this.#plan.keys, history, this.#initial, onTangled));
    this.#violations.push(...this.#watch.violations(deletions));
    this.#violations.push(...(this.#listings?.violations(this.#initial) ?? []), ...this.#parted.violations());
    const isVoid = this.#budget.isExceeded;
    return {
      digest: this.#world.trace.digest,
      events: this.#world.events,
      answered: history.answered,
      listings: this.#listings?.answered ?? 0,
      counts: this.#field.counts,
      longestMs: this.#clients.expectations.longestMs,
      virtualMs: this.#world.now,
      violations: isVoid ? [] : this.#violations,
      unchecked: isVoid ? "void" : this.#isTangled ? "tangled" : undefined,
    };
  }

  /** Objects that others put into the bucket before there was a cluster. */
  #inherit(): void {
    for (const key of this.#plan.inherited) {
      const content = this.#workload.makeContent(key);
      this.#initial.set(key, content);
      const made = this.#clients.contents.named(content);
      if (made === undefined) throw new Error(`there is no content ${content}`);
      const { value, headers, isLarge } = made;
      if (isLarge) this.#store.upload(key, { headers, token: "others'" }, value, partBytesOf(this.#plan.maxValueBytes));
      else this.#store.write(key, { body: value, headers }, { kind: "always" });
    }
    this.#store.watch((name, before, after) => {
      if (name === viewName && after !== undefined) this.#viewChanged(parseView(after.body));
      if (!this.#plan.keys.includes(name)) return;
      this.#world.note("object", () => `${name} ${before?.version ?? before?.tag} -> ${after?.version ?? after?.tag}`);
      this.#watch.changed(name, this.#world.now, before, after);
      this.#drops.changed(name, after);
      this.#parted.changed(after);
    });
  }

  #viewChanged(view: View): void {
    this.#field.count("views");
    if (view.dropped && !view.settled) this.#field.count("drops");
    this.#world.note("VIEW", () => describeView(view));
    this.#watch.viewChanged(view, this.#world.now);
  }

  async #start(): Promise<void> {
    for (const [index, { startMs }] of this.#plan.hosts.entries()) {
      const host = this.#hosts[index];
      this.#world.schedule(startMs, () => {
        if (host?.processes === 0) host.start();
      });
    }
    const first = this.#plan.faults.includes("joins") ? this.#hosts.slice(0, 1) : this.#hosts;
    await this.#within(startWithinMs, "the members start", () => first.every((host) => host.ready));
    this.#spy.start();
  }

  async #work(): Promise<void> {
    this.#faults.start();
    this.#listings?.start();
    if (this.#plan.faults.includes("refusals")) this.#drops.start();
    if (this.#plan.bufferedBytes !== undefined) {
      const { uploads } = this.#store;
      // Uploads in parts take long: most are to come to their end.
      const meanMs = this.#plan.isParted ? 10 * meanMeddlingMs : meanMeddlingMs;
      this.#meddle(this.#world.random("uploads"), meanMs, (index) => uploads.lose(index));
      this.#meddle(this.#world.random("unwanted uploads"), meanMs, (index) => uploads.refuse(index));
    }
    if (this.#plan.isParted) this.#parted.start();
    const untilMs = this.#world.now + this.#plan.workMs;
    for (let client = 0; client < this.#plan.clients; client++) {
      this.#working++;
      this.#workOn(`client ${client}`, untilMs);
    }
    await this.#within(workWithinMs, "the clients' operations are answered", () => this.#working === 0);
    this.#listings?.stop();
    this.#drops.stop();
    this.#parted.stop();
    this.#workIsOver = true;
    if (this.#plan.ending === "power") this.#faults.losePower();
    this.#faults.heal();
    await this.#within(workWithinMs, "uploads in parts are answered", () => this.#parted.isIdle);
  }

  /** Now and then somebody does something to one of the uploads that are under way. */
  #meddle(random: SimRandom, meanMs: number, deed: (index: number) => void): void {
    this.#world.schedule(random.exponential(meanMs), () => {
      if (this.#workIsOver) return;
      deed(random.whole(0, 10));
      this.#meddle(random, meanMs, deed);
    });
  }

  #workOn(name: string, untilMs: number): void {
    const { meanThinkMs, meanRestMs } = this.#plan;
    const waitMs = this.#random.exponential(this.#random.chance(restChance) ? meanRestMs : meanThinkMs);
    this.#world.schedule(waitMs, () => {
      if (this.#left <= 0 || this.#world.now >= untilMs) {
        this.#working--;
        return;
      }
      const caller = this.#pickCaller();
      if (caller === undefined) return this.#workOn(name, untilMs);
      this.#left--;
      const key = this.#random.pick(this.#plan.keys);
      const label = `${name} #${this.#plan.operations - this.#left}`;
      perform(this.#clients, this.#random, caller, key, label, this.#workload.draw(key), () =>
        this.#workOn(name, untilMs),
      );
    });
  }

  /**
   * Mostly a member that is ready, as a load balancer would choose; but those that are not are the ones that could be
   * wrong.
   */
  #pickCaller(): Caller | undefined {
    const ready = this.#hosts.filter((host) => host.ready);
    const strays = this.#plan.faults.length > 0 && this.#random.chance(strayShare);
    if (ready.length > 0 && !strays) {
      const host = this.#random.pick(ready);
      return { host, running: host.running };
    }
    const all = this.#hosts.flatMap((host) => [host.running, host.ghost].map((running) => ({ host, running })));
    const running = all.filter((each) => each.running?.member !== undefined);
    return running.length > 0 ? this.#random.pick(running) : undefined;
  }

  async #settle(): Promise<void> {
    const isQuiet = (host: SimHost): boolean => (host.isWanted || !host.running) && !host.ghost;
    const isDone = (): boolean => this.#hosts.every(isQuiet) && isSettled(this.#wanted());
    await this.#within(settleWithinMs, "the cluster settles", isDone);
  }

  #wanted(): SimHost[] {
    return this.#hosts.filter((host) => host.isWanted);
  }

  /** Reads every key through every member, each until it is answered. */
  async #readAll(when: string): Promise<void> {
    let open = 0;
    for (const host of this.#wanted()) {
      for (const key of this.#plan.keys) {
        open++;
        const read = (): void =>
          perform(
            this.#clients,
            this.#random,
            { host, running: host.running },
            key,
            `read ${when}`,
            { kind: "get" },
            (outcome) => {
              if (outcome.kind === "unknown") this.#world.schedule(readAgainMs, read);
              else open--;
            },
          );
        read();
      }
    }
    await this.#within(settleWithinMs, `every key is read ${when}`, () => open === 0);
  }

  async #flush(): Promise<void> {
    const limitMs = flushDeadlines * this.#flushDeadlineMs + flushExtraMs + 6 * longestLateMs(this.#plan);
    await this.#within(limitMs, "everything is flushed", () =>
      this.#wanted().every(({ gauges }) => gauges?.dirtyBytes === 0 && gauges.refusedBytes === 0),
    );
  }

  /** All leave in order; the last one must leave nothing behind but what is in the store. */
  async #stop(): Promise<void> {
    this.#field.end();
    const hosts = this.#wanted();
    let open = hosts.length;
    for (const host of this.#random.shuffle(hosts)) {
      this.#world.schedule(this.#random.between(0, 2_000), () => {
        const { running } = host;
        // Told to leave just before everything was healed, it does so now.
        if (running?.stopping === true) running.process.onCrash(() => open--);
        else if (running === undefined) open--;
        else host.stop(() => open--);
      });
    }
    await this.#within(stopWithinMs, "the members stop", () => open === 0);
    const left = this.#budget.view?.members.map((member) => member.id) ?? [];
    if (left.length > 0) this.#violations.push(`P4: all have stopped, and the view still lists ${left.join(", ")}`);
    this.#checkStore();
  }

  #checkStore(): void {
    const { history, contents } = this.#clients;
    this.#violations.push(...storeViolations(this.#plan.keys, history, contents, this.#store));
  }

  async #within(ms: number, what: string, condition: () => boolean): Promise<void> {
    const startMs = this.#world.now;
    let met = condition();
    const looks = this.#world.lookEvery(lookMs, () => {
      met = condition();
    });
    if (!(await this.#world.run(startMs + ms, () => met).finally(() => looks.cancel()))) {
      const readiness = this.#hosts.map((host) => `${host.id} ${JSON.stringify(host.member?.readiness() ?? "down")}`);
      throw new Error(`P4: ${what}: not within ${ms} ms (from ${startMs.toFixed(0)} ms on); ${readiness.join(", ")}`);
    }
  }
}
