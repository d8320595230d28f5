/**
 * Clients behind a load balancer that goes by /readyz: each works on keys of its own, reads what it has written through
 * another node, and notes every request that was not answered as it has to be. What the cluster has acknowledged can be
 * compared with the store afterwards.
 */

import assert from "node:assert/strict";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import type { TestCluster } from "./cluster.ts";
import type { Answer, RequestOptions } from "./http-client.ts";

/** Milliseconds between two looks of the balancer; less than any node's `http.drainMs`. */
const lookMs = 200;
/** Milliseconds that a client rests between two rounds: all together send five hundred requests a second at most. */
const usualThinkMs = 100;
const pollMs = 10;
const clients = 24;
const keysOfClient = 10;
const requestsShown = 20;

export class BalancedClients implements AsyncDisposable {
  /** Requests that had no answer, or another one than they should; the first of them in words. */
  failed = 0;
  readonly failures: string[] = [];
  /** Requests that were answered, by node. */
  readonly answered = new Map<string, number>();
  /** The value of each key, as it was acknowledged last; undefined: it was deleted. */
  readonly acknowledged = new Map<string, string | undefined>();
  /** Milliseconds of the slowest request since it was last set to 0. */
  slowestMs = 0;
  #headers: NonNullable<RequestOptions["headers"]> = {};
  readonly #cluster: TestCluster;
  readonly #prefix: string;
  readonly #thinkMs: number;
  /** All nodes there ever were: who takes a node out of a file does not tell the balancer. */
  readonly #nodes = new Set<string>();
  readonly #underWay = new Map<string, number>();
  /** Requests without an answer. */
  readonly #sent = new Set<Promise<Answer>>();
  readonly #ended: Promise<unknown>;
  #ready: readonly string[];
  /** Resolves with the end of the balancer's look. */
  #look = Promise.withResolvers<void>();
  #avoided: string | undefined;
  #working = true;
  #turn = 0;

  constructor(cluster: TestCluster, { prefix = "", thinkMs = usualThinkMs } = {}) {
    this.#cluster = cluster;
    this.#prefix = prefix;
    this.#thinkMs = thinkMs;
    this.#ready = cluster.ids;
    this.#ended = Promise.all([this.#balance(), ...Array.from({ length: clients }, (_, n) => this.#work(n))]);
  }

  /**
   * Has all clients use other nodes than this one until they are told again; resolves when nobody waits for an answer
   * of it.
   */
  async avoid(id: string | undefined): Promise<void> {
    this.#avoided = id;
    while (id !== undefined && (this.#underWay.get(id) ?? 0) > 0) await sleep(systemClock, pollMs);
  }

  /**
   * Has all clients show these to the nodes, beyond what the test itself does; resolves when nobody waits for an answer
   * to a request with others.
   */
  async show(headers: NonNullable<RequestOptions["headers"]>): Promise<void> {
    this.#headers = headers;
    await Promise.allSettled(this.#sent);
  }

  /** Resolves when the balancer has just looked, and found this node ready. It looks again after `lookMs`. */
  async untilReady(id: string): Promise<void> {
    do await this.#look.promise;
    while (!this.#ready.includes(id));
  }

  /** Fails if any request has failed so far. */
  assertServed(during: string): void {
    assert.equal(this.failed, 0, `${during}: ${this.failed} requests failed\n${this.failures.join("\n")}`);
  }

  /** Ends with the answers to what is under way. */
  async stop(): Promise<void> {
    this.#working = false;
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #balance(): Promise<void> {
    while (this.#working) {
      for (const id of this.#cluster.ids) this.#nodes.add(id);
      const looks = [...this.#nodes].map(async (id) => {
        const answer = await this.#cluster.http.request(this.#cluster.url(id), "GET", "/readyz").catch(() => undefined);
        return answer?.status === 200 ? [id] : [];
      });
      // While members change none may say that it is ready for a moment: those that were are as good as any.
      const ready = (await Promise.all(looks)).flat();
      if (ready.length > 0) this.#ready = ready;
      this.#look.resolve();
      this.#look = Promise.withResolvers();
      await sleep(systemClock, lookMs);
    }
  }

  #next(): string | undefined {
    const allowed = this.#ready.filter((id) => id !== this.#avoided);
    return allowed[this.#turn++ % allowed.length];
  }

  async #work(client: number): Promise<void> {
    for (let n = 0; this.#working; n++) {
      const key = `${this.#prefix}${client}-${n % keysOfClient}`;
      const value = n % keysOfClient === client % keysOfClient && n % 3 === 0 ? undefined : `${client} ${n}`;
      if (await this.#write(key, value)) {
        this.acknowledged.set(key, value);
        await this.#read(key, value);
      }
      await sleep(systemClock, this.#thinkMs);
    }
  }

  async #write(key: string, value: string | undefined): Promise<boolean> {
    const headers = this.#headers;
    const answer = await this.#send(`write of ${key}`, 204, (id) =>
      value === undefined ? this.#cluster.remove(id, key, headers) : this.#cluster.put(id, key, value, headers),
    );
    return answer !== undefined;
  }

  async #read(key: string, value: string | undefined): Promise<void> {
    const status = value === undefined ? 404 : 200;
    const answer = await this.#send(`read of ${key}`, status, (id) => this.#cluster.get(id, key, this.#headers));
    const got = answer?.body.toString();
    if (answer !== undefined && value !== undefined && got !== value) this.#fail(`${key} is ${got}, not ${value}`);
  }

  /** Undefined after a failure. */
  async #send(what: string, status: number, send: (id: string) => Promise<Answer>): Promise<Answer | undefined> {
    const id = this.#next();
    if (id === undefined) {
      this.#fail(`${what}: no node is ready`);
      return undefined;
    }
    const sentAt = systemClock.now();
    this.#count(this.#underWay, id, 1);
    const sent = send(id);
    this.#sent.add(sent);
    try {
      const answer = await sent;
      this.#count(this.answered, id, 1);
      if (answer.status === status) return answer;
      this.#fail(`${what} through ${id}: ${answer.status} ${answer.body.toString()}`);
    } catch (error) {
      this.#fail(`${what} through ${id}: ${String(error)}`);
    } finally {
      this.#count(this.#underWay, id, -1);
      this.#sent.delete(sent);
      this.slowestMs = Math.max(this.slowestMs, systemClock.now() - sentAt);
    }
    return undefined;
  }

  #count(map: Map<string, number>, id: string, by: number): void {
    map.set(id, (map.get(id) ?? 0) + by);
  }

  #fail(words: string): void {
    this.failed += 1;
    if (this.failures.length < requestsShown) this.failures.push(words);
  }
}
