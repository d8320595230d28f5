/**
 * A node that is stopped while a load balancer sends it requests over kept connections: it says that it is not ready, still serves for as long as the balancer takes to
 * see that, and then ends connections with their answers. No request fails.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../support/cluster.ts";

/** Of the balancer: how often it looks; requests at a time. */
const lookMs = 200;
const clients = 24;

/** Sends requests to nodes by turns, of those that were ready when it last looked. */
class Balancer {
  readonly #cluster: TestCluster;
  #ready: readonly string[];
  #working = true;
  #turn = 0;
  readonly answered = new Map<string, number>();
  readonly failures: string[] = [];

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#ready = cluster.ids;
  }

  async run(): Promise<void> {
    await Promise.all([this.#look(), ...Array.from({ length: clients }, (_, n) => this.#request(n))]);
  }

  stop(): void {
    this.#working = false;
  }

  async #look(): Promise<void> {
    while (this.#working) {
      const looks = this.#cluster.ids.map(async (id) => {
        const answer = await this.#cluster.http.request(this.#cluster.url(id), "GET", "/readyz").catch(() => undefined);
        return answer?.status === 200 ? [id] : [];
      });
      // While members change none may say that it is ready for a moment: those that were are as good as any.
      const ready = (await Promise.all(looks)).flat();
      if (ready.length > 0) this.#ready = ready;
      await sleep(systemClock, lookMs);
    }
  }

  async #request(client: number): Promise<void> {
    for (let n = 0; this.#working; n++) {
      const id = this.#ready[this.#turn++ % this.#ready.length] as string;
      const key = `${client}-${n % 5}`;
      const put = await this.#send(id, () => this.#cluster.put(id, key, `${client} ${n}`), 204);
      const got = put && (await this.#send(id, () => this.#cluster.get(id, key), 200));
      if (got && got !== `${client} ${n}`) this.failures.push(`${key} is ${got}, not ${client} ${n}`);
      await sleep(systemClock, 5);
    }
  }

  /** The body, or undefined after a failure. */
  async #send(id: string, send: () => ReturnType<TestCluster["get"]>, status: number): Promise<string | undefined> {
    try {
      const answer = await send();
      this.answered.set(id, (this.answered.get(id) ?? 0) + 1);
      if (answer.status === status) return answer.body.toString() || "empty";
      this.failures.push(`${id}: ${answer.status} ${answer.body.toString()}`);
    } catch (error) {
      this.failures.push(`${id}: ${String(error)}`);
    }
    return undefined;
  }
}

test("a node stopped under load behind a balancer that looks at /readyz: no request fails, with each node in turn", async () => {
  await using cluster = await TestCluster.start({ config: { http: { drainMs: 1_000 } } });
  const balancer = new Balancer(cluster);
  const work = balancer.run();
  for (const id of cluster.ids) {
    await sleep(systemClock, 500);
    const before = balancer.answered.get(id) ?? 0;
    const stopped = cluster.process(id).stop(20_000);
    await sleep(systemClock, 300);
    const own = await cluster.http.request(cluster.url(id), "GET", "/readyz");
    assert.deepEqual([own.status, own.code], [503, "not_ready"]);
    assert.equal((await cluster.put(id, "own", id)).status, 204, "it still serves");
    assert.equal((await stopped).code, 0);
    assert.ok((balancer.answered.get(id) ?? 0) > before);
    cluster.restart(id);
    await cluster.untilReady();
  }
  balancer.stop();
  await work;
  assert.deepEqual(balancer.failures, []);
});
