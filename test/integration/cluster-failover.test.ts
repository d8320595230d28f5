/**
 * A node is lost, hangs, or is restarted, while clients of the others are at work: they see a pause and no error, and
 * nothing that was acknowledged is missing or old. All nodes at once are lost: nothing that was acknowledged is.
 * Nothing is flushed meanwhile where it could help.
 */

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { noise } from "../harness/noise.ts";
import { RecordedClients } from "../harness/recorded-clients.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { setStage } from "../harness/stage.ts";

/**
 * Milliseconds within which every key has to answer again: promised are 3 s, of a machine that is not busy with other
 * tests.
 */
const failoverMs = 5_000;

/** Of the clients that go on all the time: enough requests to notice whatever there is, and time for the nodes. */
const thinkMs = 30;

/** So many that each pair of nodes owns some. */
const held = Array.from({ length: 48 }, (_, n) => `held/${n}`);

async function putAll(cluster: TestCluster, ids: readonly string[], round: string): Promise<void> {
  await Promise.all(
    held.map(async (key, n) => {
      const answer = await cluster.put(ids[n % ids.length] as string, key, `${key} ${round}`);
      assert.equal(answer.status, 204, `${key}: ${answer.body.toString()}`);
    }),
  );
}

async function assertAll(cluster: TestCluster, ids: readonly string[], round: string): Promise<void> {
  await Promise.all(
    ids.flatMap((id) =>
      held.map(async (key) => {
        const answer = await cluster.get(id, key);
        assert.equal(answer.body.toString(), `${key} ${round}`, `${answer.status} through ${id}`);
      }),
    ),
  );
}

/** Asks nodes all the time whether they are ready: they are, whatever happens to another. */
class Balancer implements AsyncDisposable {
  readonly complaints: string[] = [];
  asked = 0;
  #isOver = false;
  readonly #work: Promise<unknown>;

  constructor(cluster: TestCluster, ids: readonly string[]) {
    this.#work = Promise.all(
      ids.map(async (id) => {
        while (!this.#isOver) {
          const { status, body } = await cluster.http.request(cluster.url(id), "GET", "/readyz");
          this.asked++;
          if (status !== 200) this.complaints.push(`${id}: ${body.toString()}`);
          await sleep(systemClock, 20);
        }
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }
}

describe("cluster of three of which one node is lost while clients use the others", () => {
  const others = ["a", "b"];
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config: neverFlush })) }));

  /** Loses c by `lose` and has it back by `bringBack`, under load. */
  async function survive(
    t: TestContext,
    name: string,
    lose: (cluster: TestCluster) => Promise<void>,
    bringBack: (cluster: TestCluster) => Promise<void>,
  ): Promise<void> {
    const { cluster } = stage();
    await putAll(cluster, cluster.ids, `before ${name}`);
    const keys = Array.from({ length: 12 }, (_, n) => `${name}/${n}`);
    const clients = new RecordedClients({ cluster, keys, random: new SimRandom(seedOf(t)), faults: false, thinkMs });
    clients.useOnly(others);
    await clients.during(6, async () => {
      await cluster.until(10_000, "the clients are at work", () => Promise.resolve(clients.answered > 300));
      const healthyMs = clients.takeSlowestMs();
      const lostAt = performance.now();
      await using balancer = new Balancer(cluster, others);
      await lose(cluster);
      await assertAll(cluster, others, `before ${name}`);
      const readMs = Math.round(performance.now() - lostAt);
      await putAll(cluster, others, `after ${name}`);
      const writtenMs = Math.round(performance.now() - lostAt);
      const pauseMs = clients.takeSlowestMs();
      t.diagnostic(
        `every key was read ${readMs} ms after the loss, and written after ${writtenMs} ms; ` +
          `the slowest operation of a client took ${pauseMs} ms (${healthyMs} ms before)`,
      );
      assert.ok(writtenMs < failoverMs, `${writtenMs} ms`);
      await bringBack(cluster);
      await cluster.untilReady();
      await cluster.until(10_000, "the nodes are asked often", () => Promise.resolve(balancer.asked > 100));
      assert.deepEqual(balancer.complaints, []);
      await assertAll(cluster, cluster.ids, `after ${name}`);
    });
    for (const id of cluster.ids) await clients.readAll(id);
    assert.deepEqual(clients.violations(), []);
    t.diagnostic(`${clients.answered} operations, none failed`);
  }

  test("a node that is killed is missed by no client, nothing that it had is lost, and it comes back", async (t) => {
    await survive(
      t,
      "kill",
      async (cluster) => await cluster.process("c").kill(),
      async (cluster) => {
        assert.deepEqual(
          (await cluster.status("a")).members.map(({ id }) => id),
          others,
        );
        cluster.restart("c");
      },
    );
  });

  test("a node that hangs for five seconds is missed by no client, and gives no old value when it goes on", async (t) => {
    await survive(
      t,
      "pause",
      (cluster) => {
        cluster.process("c").pause();
        return Promise.resolve();
      },
      async (cluster) => {
        // They lie in its socket until it goes on, and were sent after the newer values were acknowledged.
        const asked = held.map(async (key) => await cluster.get("c", key));
        await sleep(systemClock, 5_000);
        cluster.process("c").signal("SIGCONT");
        for (const answer of await Promise.all(asked)) {
          if (answer.status === 200) assert.match(answer.body.toString(), / after /);
          else assert.equal(answer.status, 503);
        }
        await cluster.process("c").printed("the others have gone on without this node");
      },
    );
  });
});

describe("cluster of three that is stopped and started node by node", () => {
  // For a fifth of that a client that comes is told to go elsewhere, and the others go with it.
  const config = { http: { drainMs: 2_500 } };
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config })) }));

  test("no request fails of clients that go elsewhere when a node closes their connection", async (t) => {
    const { cluster } = stage();
    const keys = Array.from({ length: 12 }, (_, n) => `rolling/${n}`);
    const clients = new RecordedClients({ cluster, keys, random: new SimRandom(seedOf(t)), faults: false, thinkMs });
    await clients.during(6, async () => {
      for (const id of cluster.ids) {
        const before = clients.answered;
        await cluster.until(10_000, "the clients are at work", () => Promise.resolve(clients.answered > before + 200));
        assert.deepEqual(await cluster.process(id).stop(15_000), { code: 0, signal: null });
        cluster.restart(id);
        await cluster.untilReady();
        clients.useOnly(cluster.ids);
      }
    });
    const [first, ...rest] = await Promise.all(cluster.ids.map(async (id) => await clients.readAll(id)));
    for (const other of rest) assert.deepEqual(other, first);
    assert.deepEqual(clients.violations(), []);
    t.diagnostic(`${clients.answered} operations, none failed; the slowest took ${clients.takeSlowestMs()} ms`);
  });
});

describe("cluster of which all nodes are killed at once", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config: neverFlush })) }));

  test("every value that was acknowledged under load is there after the start, byte for byte", async (t) => {
    const { cluster } = stage();
    const random = new SimRandom(seedOf(t));
    const acknowledged = new Map<string, Buffer>();
    let isDone = false;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; !isDone; n++) {
        const key = `power/${writer}/${n}`;
        const value = noise(random, random.whole(0, n % 10 === 0 ? 300_000 : 3_000));
        const answer = await cluster.put(cluster.ids[n % 3] as string, key, value).catch(() => undefined);
        if (answer?.status === 204) acknowledged.set(key, value);
      }
    };
    const writers = Promise.all(Array.from({ length: 8 }, async (_, writer) => await write(writer)));
    await cluster.until(20_000, "hundreds are written", () => Promise.resolve(acknowledged.size > 800));
    await Promise.all(cluster.ids.map(async (id) => await cluster.process(id).kill()));
    isDone = true;
    await writers;

    const startedAt = performance.now();
    for (const id of cluster.ids) cluster.restart(id);
    await cluster.untilReady();
    t.diagnostic(`all three serve ${Math.round(performance.now() - startedAt)} ms after the start`);
    for (const [key, value] of acknowledged) {
      const { status, body } = await cluster.get(random.pick(cluster.ids), key);
      assert.equal(status, 200, key);
      assert.ok(body.equals(value), key);
    }
    t.diagnostic(`${acknowledged.size} values were acknowledged, and are there`);
  });
});
