/**
 * Clients of a cluster in chaos: each calls one operation at a time on a node of its choice, and all that they see goes
 * into a history, for the linearizability checker of the simulation. Its positions are those of this process: an
 * operation was called before another if its answer was here before the other was sent.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import { type ClientAction, describeOperation, History, type RegisterOutcome } from "../history.ts";
import { type Answer, HttpClient, pathOf } from "../http-client.ts";
import { checkRegister } from "../linearizability.ts";
import type { SimRandom } from "../sim-random.ts";
import type { ChaosCluster } from "./chaos-cluster.ts";
import { contentOf, nameOf, tagOf } from "./contents.ts";
import type { FaultWatch } from "./fault-watch.ts";
import type { Workload } from "./workload.ts";

/** Codes with which a write surely had no effect. */
const refusals: readonly (string | undefined)[] = ["buffer_full", "overloaded", "shutting_down"];

/** One client in so many also asks nodes that are hit: as only few would, but stale answers would be theirs. */
const boldEach = 5;

/** Milliseconds from which on an operation is worth a line in the log. */
const slowMs = 2_500;

/** Milliseconds before a client that was not served goes on. */
const failurePauseMs = 20;

export interface ClientsParts {
  readonly cluster: ChaosCluster;
  readonly workload: Workload;
  readonly watch: FaultWatch;
  /** Hears of each operation that was slow or not served, though its node was not hit. */
  readonly onTrouble: (text: string) => void;
  readonly random: SimRandom;
  readonly clients: number;
  /** Between an answer and the same client's next call, on average. */
  readonly thinkMs: number;
}

/** An operation as a reader of a failed check wants to see it; `line` is in the order of calls. */
interface Trace {
  readonly calledMs: number;
  endedMs: number;
  answer: string;
}

export class ChaosClients implements AsyncDisposable {
  readonly #parts: ClientsParts;
  readonly #http = new HttpClient();
  readonly #history = new History();
  readonly #traces = new Map<string, Trace[]>();
  readonly #wrong: string[] = [];
  #isWorking = false;
  #work: Promise<unknown> = Promise.resolve();
  readonly #asked: Promise<unknown>[] = [];
  #operations = 0;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
  }

  get operations(): number {
    return this.#operations;
  }

  /** Answers that are wrong whatever the order of operations. */
  get wrong(): readonly string[] {
    return this.#wrong;
  }

  start(): void {
    this.#isWorking = true;
    const { clients, random } = this.#parts;
    this.#work = Promise.all(
      Array.from({ length: clients }, async (_, client) => await this.#loop(client, random.fork(`client ${client}`))),
    );
  }

  /** Resolves when each has its last answer. */
  async stop(): Promise<void> {
    this.#isWorking = false;
    await this.#work;
    await Promise.all(this.#asked.splice(0));
  }

  /** Reads the key through the node, as any client; undefined if that was not answered. */
  async read(id: string, key: string): Promise<RegisterOutcome | undefined> {
    const outcome = await this.perform(id, key, "last read", { kind: "get" });
    return outcome.kind === "unknown" ? undefined : outcome;
  }

  /** Reads every one of `keys` through the node, all at once, and notes the answers when they come. */
  askAll(id: string, keys: readonly string[]): void {
    for (const key of keys) this.#asked.push(this.perform(id, key, "ask", { kind: "get" }));
  }

  /** What no order of the operations on `key` explains, with the whole story; undefined if all is well. */
  violation(key: string): { readonly what: string; readonly story: string } | undefined {
    const operations = this.#history.operations(key);
    const verdict = checkRegister(operations);
    if (verdict.kind === "linearizable") return undefined;
    const what =
      verdict.kind === "tangled"
        ? `${key} has a history that is too tangled to be checked`
        : `${key} is not linearizable at ${describeOperation(verdict.operation)}`;
    const traces = this.#traces.get(key) ?? [];
    const byCall = traces.map(
      ({ calledMs, endedMs, answer }) => `${timeOf(calledMs)} ${answer} (ended ${timeOf(endedMs)})`,
    );
    return { what, story: [what, ...operations.map(describeOperation), "", ...byCall, ""].join("\n") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isWorking = false;
    await this.#http[Symbol.asyncDispose]();
    await this.#work;
  }

  async #loop(client: number, random: SimRandom): Promise<void> {
    const { cluster, workload, watch, thinkMs } = this.#parts;
    const isBold = client % boldEach === 0;
    while (this.#isWorking) {
      const spared = cluster.members.filter((id) => !watch.isHit(id));
      const id = random.pick(isBold || spared.length === 0 ? cluster.members : spared);
      const key = workload.drawKey(random);
      const outcome = await this.perform(id, key, `client ${client}`, workload.draw(random, key));
      if (outcome.kind === "value") workload.sees(key, outcome.value);
      await sleep(systemClock, random.exponential(thinkMs));
    }
  }

  async perform(id: string, key: string, who: string, action: ClientAction): Promise<RegisterOutcome> {
    const { watch } = this.#parts;
    const label = `${who} through ${id}`;
    const before = watch.state(id);
    const invocation = this.#history.call(key, label, action);
    const trace: Trace = { calledMs: systemClock.wallMs(), endedMs: Number.NaN, answer: "no answer" };
    const traces = this.#traces.get(key) ?? [];
    if (traces.push(trace) === 1) this.#traces.set(key, traces);
    const calledAt = systemClock.now();
    let answer: Answer | undefined;
    let why = "";
    try {
      answer = await this.#send(id, key, action);
    } catch (error) {
      why = (error as NodeJS.ErrnoException).code ?? String(error);
    }
    const endedAt = systemClock.now();
    this.#operations++;
    trace.endedMs = systemClock.wallMs();
    const outcome = answer === undefined ? unknown : this.#judge(answer, `${label}: ${action.kind} ${key}`);
    trace.answer = `${label}: ${describe(action)} -> ${answer?.status ?? why} ${answer?.code ?? answer?.headers["weir-version"] ?? ""} ${outcome.kind === "value" ? outcome.value : ""}`;
    const isServed = outcome.kind !== "unknown";
    const mayNeedStore = action.kind === "get" || action.condition !== undefined;
    watch.ended({ key, id, calledAt, endedAt, isServed, mayNeedStore }, before);
    if ((!isServed || endedAt - calledAt > slowMs) && !before.isHit && !watch.isHit(id)) {
      this.#parts.onTrouble(`${key} after ${(endedAt - calledAt).toFixed(0)} ms: ${trace.answer}`);
    }
    if (!isServed && action.kind !== "get" && refusals.includes(answer?.code)) this.#history.refuse(invocation);
    else this.#history.answer(invocation, outcome);
    if (!isServed && action.kind !== "get") this.#parts.workload.isUnsure(key);
    if (!isServed) await sleep(systemClock, failurePauseMs);
    return outcome;
  }

  async #send(id: string, key: string, action: ClientAction): Promise<Answer> {
    const { url } = this.#parts.cluster.node(id);
    if (action.kind === "get") return await this.#http.request(url, "GET", pathOf(key));
    const { match, noneMatch } = action.condition ?? {};
    const headers = {
      ...(noneMatch && { "if-none-match": tags(noneMatch) }),
      ...(match && { "if-match": tags(match) }),
    };
    if (action.kind === "delete") return await this.#http.request(url, "DELETE", pathOf(key), { headers });
    const body = contentOf(action.value);
    return await this.#http.request(url, "PUT", pathOf(key), { headers, body });
  }

  #judge(answer: Answer, what: string): RegisterOutcome {
    const { status, body, headers } = answer;
    switch (status) {
      case 200: {
        const value = nameOf(body);
        if (value !== undefined && headers["etag"] === tagOf(value)) return { kind: "value", value };
        this.#wrong.push(`${what}: ${body.length} bytes that nobody wrote, ETag ${headers["etag"]}`);
        return unknown;
      }
      case 204:
        return { kind: "written" };
      case 404:
        return { kind: "missing" };
      case 412:
        return { kind: "condition_failed" };
      case 503:
        if (headers["retry-after"] === undefined) this.#wrong.push(`${what}: 503 without Retry-After`);
        return unknown;
      default:
        this.#wrong.push(`${what}: ${status} ${body.toString()}`);
        return unknown;
    }
  }
}

const unknown: RegisterOutcome = { kind: "unknown" };

function tags(names: readonly string[]): string {
  return names.map((name) => (name === "*" ? name : tagOf(name))).join(", ");
}

function describe(action: ClientAction): string {
  if (action.kind === "get") return "get";
  const what = action.kind === "put" ? `put ${action.value}` : action.kind;
  return action.condition === undefined ? what : `${what} if ${JSON.stringify(action.condition)}`;
}

function timeOf(ms: number): string {
  return Number.isNaN(ms) ? "never" : new Date(ms).toISOString().slice(11, 23);
}
