/**
 * One scenario from beginning to end: a cluster is started, clients work while faults befall it, everything heals, and then it is judged.
 *
 * - P1: what clients saw of each key is linearizable, reads of every key through every member at the end included.
 * - P2: nothing acknowledged is lost: those last reads, and the store's content after the flush, are of the last acknowledged states.
 * - P3: everything reaches the store within bounded time, and no object ever goes back (see `store-watch.ts`).
 * - P4: each operation is answered in time, and after healing the cluster settles within bounded time. A healthy cluster refuses nothing.
 * - P5: dirty bytes and cached bytes stay within their bounds, and the former go back to 0.
 */

import { hash } from "node:crypto";
import { inspect } from "node:util";
import type { ErrorCode } from "../../src/base/errors.ts";
import { footprint } from "../../src/core/entry.ts";
import { parseView, viewName } from "../../src/core/view.ts";
import { FaultDriver, plainStoreFaults } from "./fault-driver.ts";
import { describeOperation, History } from "./history.ts";
import { checkRegister } from "./linearizability.ts";
import type { ScenarioPlan } from "./scenario-plan.ts";
import { type ClientWorld, Contents, perform } from "./sim-client.ts";
import { isSettled, type MemberFactory, SimHost } from "./sim-cluster.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { defaultClockSettings } from "./sim-process.ts";
import type { SimRandom } from "./sim-random.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { StoreWatch } from "./store-watch.ts";
import { Workload } from "./workload.ts";

export interface ScenarioResult {
  /** The same for the same seed and code. */
  readonly digest: string;
  readonly events: number;
  /** Operations that were answered. */
  readonly answered: number;
  readonly restarts: number;
  readonly virtualMs: number;
  /** What was wrong, in words; empty when all is well. */
  readonly violations: readonly string[];
}

/** Bounds of virtual time, generous: they are there to find what never ends. */
const startWithinMs = 60_000;
const workWithinMs = 600_000;
const settleWithinMs = 60_000;
const readAgainMs = 100;
/** After healing: every request under way ends, an inherited key waits its time, a failed one its pause, and a write-through is proven. */
const flushDeadlines = 4;
const flushExtraMs = 30_000;
const stopWithinMs = 120_000;
/** Beyond the member's own deadline for an operation: latencies and clock errors; and pauses, of which several may come one after the other. */
const answerExtraMs = 4_000;
const pausesExtraMs = 60_000;
const sampleMs = 50;
/** How often to look whether what is waited for has come: asking the members after each event would cost more than the events. */
const lookMs = 10;
/** Replicas hold up to this part beyond the limit of dirty bytes, and a hand-off is never refused: then up to this part. */
const replicaExcess = 1.1;
const handOffExcess = 3;

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
  readonly #faults: FaultDriver;
  readonly #watch = new StoreWatch();
  readonly #clients: ClientWorld;
  readonly #random: SimRandom;
  readonly #workload: Workload;
  readonly #initial = new Map<string, string>();
  readonly #violations: string[] = [];
  #working = 0;

  constructor(plan: ScenarioPlan, factory: MemberFactory, print: ((line: string) => void) | undefined) {
    this.#plan = plan;
    const world = new SimWorld({ seed: plan.seed, ...(print === undefined ? {} : { print }) });
    this.#world = world;
    this.#random = world.random("clients");
    const contents = new Contents();
    this.#workload = new Workload(plan, contents, this.#random);
    const network = new SimNetwork(world, { ...defaultNetworkSettings, meanExtraLatencyMs: plan.networkLatencyMs });
    const store = new SimStore({
      modes: { tags: plan.uniqueTags ? "unique" : "md5", ignoresRemoveConditions: plan.ignoresRemoveConditions },
      faults: plainStoreFaults(plan),
      random: world.random("store"),
      scheduler: world,
      dateMs: () => Math.floor(world.now),
    });
    this.#store = store;
    const cluster = { world, network, store, settings: plan.settings, clocks: defaultClockSettings, factory };
    const ids = plan.hostStartMs.map((_, index) => String.fromCharCode("a".charCodeAt(0) + index));
    this.#hosts = ids.map((id, index) => new SimHost(cluster, id, plan.knowsLater ? ids : ids.slice(0, index + 1)));
    this.#faults = new FaultDriver(plan, { world, network, store, hosts: this.#hosts });
    this.#clients = {
      world,
      history: new History(),
      contents,
      deletions: [],
      allowedCodes: plan.faults.length > 0 ? undefined : plan.crowded ? (["buffer_full"] satisfies ErrorCode[]) : [],
      answerWithinMs: plan.settings.operationMs + (plan.faults.includes("pauses") ? pausesExtraMs : answerExtraMs),
    };
  }

  async run(): Promise<ScenarioResult> {
    try {
      this.#inherit();
      await this.#start();
      await this.#work();
      await this.#settle();
      await this.#readAll("after healing");
      await this.#flush();
      await this.#readAll("after the flush");
      this.#checkStore();
      if (this.#plan.stopsAtEnd) await this.#stop();
    } catch (error) {
      this.#violations.push(inspect(error));
    }
    this.#checkHistory();
    this.#violations.push(...this.#watch.violations(this.#clients.deletions));
    return {
      digest: this.#world.trace.digest,
      events: this.#world.events,
      answered: this.#clients.history.answered,
      restarts: this.#faults.restarts,
      virtualMs: this.#world.now,
      violations: this.#violations,
    };
  }

  /** Objects that others put into the bucket before there was a cluster. */
  #inherit(): void {
    for (const key of this.#plan.inherited) {
      const content = this.#workload.makeContent(key);
      this.#initial.set(key, content);
      const { value, headers } = this.#clients.contents.named(content) ?? { value: Buffer.alloc(0), headers: {} };
      this.#store.write(key, { body: value, headers }, { kind: "always" });
    }
    this.#store.watch((name, before, after) => {
      this.#world.note("object", () => `${name} ${before?.version ?? before?.tag} -> ${after?.version ?? after?.tag}`);
      if (name === viewName && after !== undefined) {
        const few = parseView(after.body).members.length < this.#plan.settings.replicas;
        this.#watch.exemptUntil(few ? Number.POSITIVE_INFINITY : this.#world.now + this.#plan.settings.flushDeadlineMs);
      }
      if (this.#plan.keys.includes(name)) this.#watch.changed(name, this.#world.now, before, after);
    });
  }

  async #start(): Promise<void> {
    for (const [index, ms] of this.#plan.hostStartMs.entries()) {
      this.#world.schedule(ms, () => this.#hosts[index]?.start());
    }
    const first = this.#plan.faults.includes("joins") ? this.#hosts.slice(0, 1) : this.#hosts;
    await this.#within(startWithinMs, "the members start", () => first.every((host) => host.ready));
    this.#sample();
  }

  async #work(): Promise<void> {
    this.#faults.start();
    for (let client = 0; client < this.#plan.clients; client++) {
      this.#working++;
      this.#workOn(`client ${client}`, this.#plan.operationsPerClient);
    }
    await this.#within(workWithinMs, "the clients' operations are answered", () => this.#working === 0);
    this.#faults.heal();
  }

  #workOn(name: string, left: number): void {
    if (left === 0) {
      this.#working--;
      return;
    }
    this.#world.schedule(this.#random.exponential(this.#plan.meanThinkMs), () => {
      const host = this.#pickHost();
      if (host === undefined) return this.#workOn(name, left);
      const key = this.#random.pick(this.#plan.keys);
      const label = `${name} #${left}`;
      perform(this.#clients, this.#random, host, key, label, this.#workload.draw(key), () =>
        this.#workOn(name, left - 1),
      );
    });
  }

  /** Mostly a member that is ready, as a load balancer would choose. */
  #pickHost(): SimHost | undefined {
    const ready = this.#hosts.filter((host) => host.ready);
    if (ready.length > 0 && (this.#plan.faults.length === 0 || !this.#random.chance(0.1)))
      return this.#random.pick(ready);
    const running = this.#hosts.filter((host) => host.process !== undefined);
    return running.length > 0 ? this.#random.pick(running) : undefined;
  }

  async #settle(): Promise<void> {
    await this.#within(settleWithinMs, "the cluster settles", () => isSettled(this.#hosts));
  }

  /** Reads every key through every member, each until it is answered. */
  async #readAll(when: string): Promise<void> {
    let open = 0;
    for (const host of this.#hosts) {
      for (const key of this.#plan.keys) {
        open++;
        const read = (): void =>
          perform(this.#clients, this.#random, host, key, `read ${when}`, { kind: "get" }, (outcome) => {
            if (outcome.kind === "unknown") this.#world.schedule(readAgainMs, read);
            else open--;
          });
        read();
      }
    }
    await this.#within(settleWithinMs, `every key is read ${when}`, () => open === 0);
  }

  async #flush(): Promise<void> {
    const { flushDeadlineMs } = this.#plan.settings;
    const limitMs = flushDeadlines * flushDeadlineMs + flushExtraMs;
    await this.#within(limitMs, "everything is flushed", () =>
      this.#hosts.every((host) => host.status?.dirtyBytes === 0),
    );
  }

  async #stop(): Promise<void> {
    let open = this.#hosts.length;
    for (const host of this.#random.shuffle(this.#hosts)) {
      this.#world.schedule(this.#random.between(0, 2_000), () => host.stop(() => open--));
    }
    await this.#within(stopWithinMs, "the members stop", () => open === 0);
  }

  /** Bounds of memory, now and then. */
  #sample(): void {
    const { room, cacheBytes } = this.#plan.settings;
    const handsOff = this.#plan.faults.includes("joins") || this.#plan.faults.includes("restarts");
    // One replica is always let in by a buffer that is not over its limit.
    const oneMore = footprint({
      key: "k0",
      size: this.#plan.maxValueBytes,
      headers: { "x-weir-meta-name": "k0#1000" },
    });
    const beyond = Math.max(room.dirtyBytes * replicaExcess, room.dirtyBytes + oneMore);
    const most = handsOff ? room.dirtyBytes * handOffExcess : beyond;
    for (const host of this.#hosts) {
      const status = host.status;
      if (status === undefined) continue;
      if (status.dirtyBytes > most)
        this.#world.fail(new Error(`P5: ${status.dirtyBytes} dirty bytes at ${host.id}, over ${most}`));
      if (status.cacheBytes > cacheBytes)
        this.#world.fail(new Error(`P5: ${status.cacheBytes} cached bytes at ${host.id}, over ${cacheBytes}`));
    }
    this.#world.schedule(sampleMs, () => this.#sample());
  }

  /** The store's object of each key is what the last reads found. */
  #checkStore(): void {
    for (const key of this.#plan.keys) {
      const last = this.#clients.history.operations(key).findLast((each) => each.action.kind === "get");
      const blob = this.#store.peek(key);
      const stored = blob === undefined ? undefined : this.#clients.contents.withMd5(hash("md5", blob.body, "hex"));
      const expected = last?.outcome.kind === "value" ? last.outcome.value : undefined;
      if (stored?.name !== expected || (blob === undefined) !== (expected === undefined)) {
        this.#violations.push(
          `P2: ${key} is ${expected ?? "missing"} for its readers, but the store has ${stored?.name ?? blob?.tag ?? "nothing"}`,
        );
      }
    }
  }

  #checkHistory(): void {
    for (const key of this.#plan.keys) {
      const operations = this.#clients.history.operations(key);
      const verdict = checkRegister(operations, this.#initial.get(key));
      if (verdict.kind === "linearizable") continue;
      const { calledAt, answeredAt } = verdict.operation;
      const around = operations
        .filter((each) => each.answeredAt > calledAt - 40 && each.calledAt <= answeredAt)
        .slice(-25);
      this.#violations.push(
        `P1: nothing explains ${key} up to ${describeOperation(verdict.operation)}\n  ${around.map(describeOperation).join("\n  ")}`,
      );
    }
  }

  async #within(ms: number, what: string, condition: () => boolean): Promise<void> {
    const startMs = this.#world.now;
    let met = false;
    const look = (): void => {
      met = condition();
      if (!met) this.#world.schedule(lookMs, look);
    };
    look();
    if (!(await this.#world.run(startMs + ms, () => met))) {
      const readiness = this.#hosts.map((host) => `${host.id} ${JSON.stringify(host.member?.readiness() ?? "down")}`);
      throw new Error(`P4: ${what}: not within ${ms} ms (from ${startMs.toFixed(0)} ms on); ${readiness.join(", ")}`);
    }
  }
}
