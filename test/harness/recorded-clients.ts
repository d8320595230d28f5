/**
 * Clients that work on the same few keys through all nodes of a real cluster, with all that they see written into a
 * history, for the linearizability checker of the simulation. The positions in it are those of this process: an
 * operation was called before another if its answer was here before the other was sent.
 */

import { hash } from "node:crypto";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import type { TestCluster } from "./cluster.ts";
import { type ClientAction, describeOperation, History, type RegisterOutcome } from "./history.ts";
import { type Answer, pathOf } from "./http-client.ts";
import { checkRegister } from "./linearizability.ts";
import type { SimRandom } from "./sim-random.ts";

/** Codes with which a write surely had no effect. */
const refusals: readonly (string | undefined)[] = ["buffer_full", "overloaded", "shutting_down"];

/** Operations around a violation that are worth showing. */
const shownOperations = 30;

/** Milliseconds before a client that was not served goes on: as politeness wants it, though sooner than it is told. */
const failurePauseMs = 20;

export interface RecordedClientsOptions {
  readonly cluster: TestCluster;
  readonly keys: readonly string[];
  readonly random: SimRandom;
  /** Whether a node may be away: then no answer, or 503, is an outcome like any other. */
  readonly faults: boolean;
  /** Milliseconds between a client's operations, for tests that last; none unless told. */
  readonly thinkMs?: number;
}

export class RecordedClients {
  readonly #options: RecordedClientsOptions;
  readonly #history = new History();
  readonly #unexpected: string[] = [];
  #ids: readonly string[];
  #failures = 0;
  #slowestMs = 0;

  constructor(options: RecordedClientsOptions) {
    this.#options = options;
    this.#ids = options.cluster.ids;
  }

  /** From now on clients go through these nodes, each until it closes a client's connection. */
  useOnly(ids: readonly string[]): void {
    this.#ids = ids;
  }

  /** Operations that were answered. */
  get answered(): number {
    return this.#history.answered;
  }

  /** Operations that were answered 503, or not at all. */
  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds that the slowest operation took, of those answered since this was asked for last. */
  takeSlowestMs(): number {
    const slowestMs = this.#slowestMs;
    this.#slowestMs = 0;
    return Math.round(slowestMs);
  }

  /** Runs `count` clients at once, each doing so many operations one after the other. */
  async run(count: number, operations: number): Promise<void> {
    await this.#workAll(count, (operation) => operation < operations);
  }

  /** Runs `count` clients at once, for as long as `act` takes. */
  async during(count: number, act: () => Promise<void>): Promise<void> {
    let isDone = false;
    const work = this.#workAll(count, () => !isDone);
    try {
      await act();
    } finally {
      isDone = true;
      await work;
    }
  }

  /**
   * Reads every key through the node and notes it, like any other operation; the values by key, of those that have one.
   */
  async readAll(id: string): Promise<Map<string, string>> {
    const values = new Map<string, string>();
    for (const key of this.#options.keys) {
      const outcome = await this.#perform(id, key, `last read through ${id}`, { kind: "get" });
      if (outcome.kind === "value") values.set(key, outcome.value);
    }
    return values;
  }

  /** What was wrong, in words; empty when all is well. */
  violations(): string[] {
    const found = [...this.#unexpected];
    for (const key of this.#options.keys) {
      const operations = this.#history.operations(key);
      const verdict = checkRegister(operations);
      if (verdict.kind === "linearizable") continue;
      if (verdict.kind === "tangled") {
        found.push(`the history of ${key} is too tangled to be checked`);
        continue;
      }
      const at = operations.indexOf(verdict.operation);
      const shown = operations.slice(Math.max(0, at - shownOperations), at + 1).map(describeOperation);
      found.push(`${key} is not linearizable at ${describeOperation(verdict.operation)}\n${shown.join("\n")}`);
    }
    return found;
  }

  async #workAll(count: number, goesOn: (operation: number) => boolean): Promise<void> {
    await Promise.all(Array.from({ length: count }, async (_, client) => await this.#work(client, goesOn)));
  }

  async #work(client: number, goesOn: (operation: number) => boolean): Promise<void> {
    const { keys, thinkMs = 0 } = this.#options;
    const random = this.#options.random.fork(`client ${client}`);
    let seen = "nothing";
    for (let operation = 0; goesOn(operation); operation++) {
      const id = random.pick(this.#ids);
      const outcome = await this.#perform(
        id,
        random.pick(keys),
        `client ${client} through ${id}`,
        this.#draw(random, `${client}.${operation}`, seen),
      );
      if (outcome.kind === "value") seen = outcome.value;
      if (thinkMs > 0) await sleep(systemClock, thinkMs);
    }
  }

  #draw(random: SimRandom, value: string, seen: string): ClientAction {
    const luck = random.next();
    if (luck < 0.5) return { kind: "get" };
    if (luck < 0.8) return { kind: "put", value };
    if (luck < 0.87) return { kind: "delete" };
    if (luck < 0.94) return { kind: "put", value, condition: { noneMatch: ["*"] } };
    return { kind: "put", value, condition: { match: [seen] } };
  }

  async #perform(id: string, key: string, label: string, action: ClientAction): Promise<RegisterOutcome> {
    const invocation = this.#history.call(key, label, action);
    const sentAt = systemClock.now();
    let answer: Answer | undefined;
    try {
      answer = await this.#send(id, key, action);
      this.#slowestMs = Math.max(this.#slowestMs, systemClock.now() - sentAt);
      if (answer.headers["connection"] === "close") this.#avoid(id);
    } catch (error) {
      if (!this.#options.faults) this.#unexpected.push(`${label}: no answer: ${String(error)}`);
    }
    if (answer === undefined || answer.status === 503) {
      this.#failures++;
      await sleep(systemClock, failurePauseMs);
    }
    if (answer?.status === 503 && !this.#options.faults) {
      this.#unexpected.push(`${label}: 503 ${answer.body.toString()}`);
    }
    if (answer?.status === 503 && action.kind !== "get" && refusals.includes(answer.code)) {
      this.#history.refuse(invocation);
      return { kind: "unknown" };
    }
    const outcome = answer === undefined ? undefined : outcomeOf(answer);
    if (outcome === undefined && answer !== undefined) {
      this.#unexpected.push(`${label}: ${answer.status} ${answer.body.toString()}`);
    }
    this.#history.answer(invocation, outcome ?? { kind: "unknown" });
    return outcome ?? { kind: "unknown" };
  }

  /** A node that closes connections is about to stop: clients that know others go there. */
  #avoid(id: string): void {
    const others = this.#ids.filter((each) => each !== id);
    if (others.length > 0) this.#ids = others;
  }

  async #send(id: string, key: string, action: ClientAction): Promise<Answer> {
    const { cluster } = this.#options;
    if (action.kind === "get") return await cluster.http.request(cluster.url(id), "GET", pathOf(key));
    const headers = {
      ...(action.condition?.noneMatch && { "if-none-match": "*" }),
      ...(action.condition?.match && { "if-match": action.condition.match.map(tagOf).join(", ") }),
    };
    if (action.kind === "delete") return await cluster.remove(id, key, headers);
    return await cluster.put(id, key, action.value, headers);
  }
}

/** The ETag of a value. */
function tagOf(value: string): string {
  return `"${hash("md5", value)}"`;
}

function outcomeOf({ status, body }: Answer): RegisterOutcome | undefined {
  switch (status) {
    case 200:
      return { kind: "value", value: body.toString() };
    case 204:
      return { kind: "written" };
    case 404:
      return { kind: "missing" };
    case 412:
      return { kind: "condition_failed" };
    case 503:
      return { kind: "unknown" };
    default:
      return undefined;
  }
}
