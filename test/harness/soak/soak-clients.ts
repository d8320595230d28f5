/**
 * The soak's flood: clients that put, get and delete as fast as they are answered, through all nodes, and check every
 * answer against the model. 503 is the only error there may be.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { TestCluster } from "../cluster.ts";
import type { Answer } from "../http-client.ts";
import type { SimRandom } from "../sim-random.ts";
import { type Contents, KeyModel } from "./soak-model.ts";

export interface SoakCounts {
  puts: number;
  deletes: number;
  gets: number;
  /** Bytes of acknowledged values. */
  putBytes: number;
  /** Answers 503, by their code. */
  readonly refusals: Map<string, number>;
}

/**
 * Every third client reads, anything; the others write, each its own keys. So writes do not wait for reads of the slow
 * store.
 */
const readerEach = 3;
/** Part of the writes that delete. */
const deletePart = 0.1;

/** Milliseconds before a refused client goes on: sooner than it was told, since this is a flood. */
const refusedPauseMs = 100;

/** With these codes a write surely had no effect. */
const harmless: readonly string[] = ["buffer_full", "overloaded", "shutting_down"];

export class SoakClients {
  readonly counts: SoakCounts = { puts: 0, deletes: 0, gets: 0, putBytes: 0, refusals: new Map() };
  /** What was wrong, in words. */
  readonly violations: string[] = [];
  readonly models: readonly KeyModel[];
  readonly #cluster: TestCluster;
  readonly #contents: Contents;
  readonly #ownModels: readonly (readonly KeyModel[])[];

  constructor(cluster: TestCluster, contents: Contents, clients: number, keysPerClient: number) {
    this.#cluster = cluster;
    this.#contents = contents;
    this.#ownModels = Array.from({ length: clients }, (_, client) =>
      Array.from({ length: keysPerClient }, (__, key) => new KeyModel(`soak/${client}/${key}`)),
    );
    this.models = this.#ownModels.flat();
  }

  /** Runs all clients until `goesOn` is false; resolves when each has its last answer. */
  async run(random: SimRandom, goesOn: () => boolean): Promise<void> {
    await Promise.all(
      this.#ownModels.map(async (own, client) => {
        const luck = random.fork(`client ${client}`);
        const reads = client % readerEach === 0;
        while (goesOn()) {
          const id = luck.pick(this.#cluster.ids);
          if (reads) await this.read(id, luck.pick(this.models));
          else await this.#write(id, luck.pick(own), luck.chance(deletePart) ? "delete" : "put");
        }
      }),
    );
  }

  async #write(id: string, model: KeyModel, kind: "put" | "delete"): Promise<void> {
    const { key } = model;
    const number = model.issue(kind);
    const content = this.#contents.of(key, number);
    const answer = await this.#ask(`${kind} ${key} through ${id}`, async () =>
      kind === "put"
        ? await this.#cluster.put(id, key, content.body, content.headers)
        : await this.#cluster.remove(id, key),
    );
    if (answer?.status === 204) {
      model.end(number, "acknowledged");
      if (kind === "delete") this.counts.deletes++;
      else {
        this.counts.puts++;
        this.counts.putBytes += content.body.length;
      }
      return;
    }
    model.end(number, harmless.includes(answer?.code ?? "") ? "refused" : "unknown");
    if (answer?.status === 503) await sleep(systemClock, refusedPauseMs);
    else if (answer) this.violations.push(`${kind} ${key} through ${id}: ${answer.status} ${answer.body.toString()}`);
  }

  /** Reads the key through the node; whether it was answered with other than 503. */
  async read(id: string, model: KeyModel): Promise<boolean> {
    const what = `get ${model.key} through ${id}`;
    const floor = model.acknowledged;
    const answer = await this.#ask(what, async () => await this.#cluster.get(id, model.key));
    if (answer === undefined) return false;
    if (answer.status === 503) {
      await sleep(systemClock, refusedPauseMs);
      return false;
    }
    this.counts.gets++;
    const wrong = this.#judge(answer, model, floor);
    if (wrong !== undefined) this.violations.push(`${what}: ${wrong}`);
    return true;
  }

  #judge(answer: Answer, model: KeyModel, floor: number): string | undefined {
    if (answer.status === 404) {
      return model.mayBe(undefined, floor) ? undefined : `there is nothing, though write ${floor} was acknowledged`;
    }
    if (answer.status !== 200) return `${answer.status} ${answer.body.toString()}`;
    return this.judgeContent(model, floor, answer.headers["x-weir-meta-number"], answer.body);
  }

  /** What is wrong with a value that was found under the key, here or in the bucket. */
  judgeContent(model: KeyModel, floor: number, found: string | undefined, body: Buffer): string | undefined {
    const number = Number(found);
    if (!model.mayBe(number, floor)) {
      return `write ${found}, though ${floor} was acknowledged and ${model.issued} is the last`;
    }
    return this.#contents.of(model.key, number).body.equals(body) ? undefined : `write ${found} has other bytes`;
  }

  async #ask(what: string, send: () => Promise<Answer>): Promise<Answer | undefined> {
    try {
      const answer = await send();
      if (answer.status === 503) {
        const { refusals } = this.counts;
        const code = answer.code ?? "none";
        refusals.set(code, (refusals.get(code) ?? 0) + 1);
        if (answer.headers["retry-after"] === undefined) this.violations.push(`${what}: 503 without Retry-After`);
      }
      return answer;
    } catch (error) {
      this.violations.push(`${what}: no answer: ${String(error)}`);
      return undefined;
    }
  }
}
