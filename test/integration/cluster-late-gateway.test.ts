/**
 * One of two real gateways over the same objects is frozen with requests in it, and the node that sent them is lost.
 * The other nodes go on through the other gateway. The frozen one goes on, too, and does what it had accepted. No key
 * that was deleted comes back then, and what was acknowledged as stored stays (F24 to F27).
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestBucket } from "../harness/bucket.ts";
import { TestCluster } from "../harness/cluster.ts";
import type { Answer } from "../harness/http-client.ts";
import { OwnGateway } from "../harness/own-gateway.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { setStage } from "../harness/stage.ts";
import { StoreProxy } from "../harness/store-proxy.ts";
import { keysOwned } from "../harness/view-fixtures.ts";

const server = s3ServerFromEnvironment();
const deadlineMs = 2_000;
/** Longer than it takes to drop a node, to wait for F, and to flush. */
const lateEffectMs = 12_000;
const withinMs = 30_000;
const stored = { "weir-durability": "stored" };
const others = ["b", "c"];

/** Node a is the primary of all of them, and uses the second gateway. */
const keys = keysOwned({ abc: /^a/ }, 200);
/** So many flushes have to go well until a node sends all of a test at once. */
const warmUp = keys.slice(-120);

/** The keys of one test. */
class Scenario {
  /** The disk is busy with these, and the second gateway begins nothing else. */
  readonly fillers: readonly string[];
  /** Created in the frozen gateway, then deleted. */
  readonly created: readonly string[];
  /** The same, with another value in between. */
  readonly recreated: readonly string[];
  /** Deleted in the frozen gateway, then put anew. */
  readonly removed: readonly string[];
  /** Replaced in the frozen gateway, then again, then as they were before. */
  readonly replaced: readonly string[];

  constructor(index: number) {
    const group = (each: number): readonly string[] => keys.slice(15 * index + 3 * each, 15 * index + 3 * each + 3);
    this.fillers = group(0);
    this.created = group(1);
    this.recreated = group(2);
    this.removed = group(3);
    this.replaced = group(4);
  }

  /** What the frozen gateway has of node a. */
  get frozen(): Map<string, string | undefined> {
    return this.#states("old", undefined, "off");
  }

  /** In the end; undefined is a key that is not there. */
  get last(): Map<string, string | undefined> {
    return this.#states(undefined, "new", "on");
  }

  #states(created: string | undefined, removed: string | undefined, replaced: string): Map<string, string | undefined> {
    return new Map([
      ...[...this.created, ...this.recreated].map((key) => [key, created] as const),
      ...this.removed.map((key) => [key, removed] as const),
      ...this.replaced.map((key) => [key, replaced] as const),
    ]);
  }
}

type Stage = Awaited<ReturnType<typeof setUp>>;

async function setUp(stack: AsyncDisposableStack) {
  const gateway = stack.use(await OwnGateway.start(2));
  const bucket = stack.use(await TestBucket.create(gateway.server));
  const proxy = stack.use(await StoreProxy.start(gateway.secondEndpoint));
  const config = {
    flush: { delayMs: 10, deadlineMs, lateEffectMs, retryMaxMs: 500 },
    request: { deadlineMs: 25_000 },
  };
  const options = { ...bucket.clusterOptions(), endpoints: { a: proxy.url }, config };
  const cluster = stack.use(await TestCluster.start(options));
  // The last of them to stop in order would wait for L.
  stack.defer(async () => void (await Promise.all(cluster.ids.map(async (id) => await cluster.process(id).kill()))));
  return { gateway, bucket, proxy, cluster };
}

function done(answer: Answer, key: string): void {
  assert.equal(answer.status, 204, `${key}: ${answer.body.toString()}`);
}

async function put({ cluster }: Stage, id: string, some: readonly string[], value: string): Promise<void> {
  await Promise.all(some.map(async (key) => done(await cluster.put(id, key, value), key)));
}

async function remove({ cluster }: Stage, id: string, some: readonly string[]): Promise<void> {
  await Promise.all(some.map(async (key) => done(await cluster.remove(id, key), key)));
}

/** Each is in the bucket when its answer comes. */
async function putStored({ cluster, bucket }: Stage, id: string, some: readonly string[], value: string) {
  await Promise.all(
    some.map(async (key) => {
      done(await cluster.put(id, key, value, stored), key);
      assert.equal((await bucket.get(key))?.body.toString(), value, `${key} is said to be stored`);
    }),
  );
}

async function untilRead({ cluster }: Stage, id: string, some: readonly string[], value: string): Promise<void> {
  await cluster.until(withinMs, `${value} is acknowledged`, async () => {
    const answers = await Promise.all(some.map(async (key) => await cluster.get(id, key)));
    return answers.every(({ body }) => body.toString() === value);
  });
}

/** Node a has sent its first request for each key, and the disk is stuck. */
async function send(stage: Stage, { fillers, removed, replaced, frozen }: Scenario): Promise<void> {
  const { cluster, gateway, proxy, bucket } = stage;
  await put(stage, "b", [...removed, ...replaced, ...warmUp], "on");
  await cluster.untilFlushed();
  const count = (key: string, value: string | undefined): number =>
    proxy.count(value === undefined ? "DELETE" : "PUT", bucket.name, key);
  const before = new Map([...frozen].map(([key, value]) => [key, count(key, value)]));
  gateway.pauseDisk();
  await put(stage, "a", fillers, "filler");
  await sleep(systemClock, 100);
  await Promise.all(
    [...frozen].map(async ([key, value]) =>
      done(await (value === undefined ? cluster.remove("a", key) : cluster.put("a", key, value)), key),
    ),
  );
  const isSent = () => [...frozen].every(([key, value]) => count(key, value) > (before.get(key) as number));
  await cluster.until(deadlineMs, "each key's request was sent", () => Promise.resolve(isSent()));
}

async function untilGivenUp({ cluster }: Stage, { frozen }: Scenario): Promise<void> {
  const isGivenUp = async () => (await cluster.figures("a")).failingKeys >= frozen.size;
  await cluster.until(withinMs, "all requests are given up", isGivenUp);
}

/** Each key has two owners, and only its primary counts it as held. */
async function untilOnlyHeld({ cluster }: Stage, ids: readonly string[]): Promise<void> {
  await cluster.until(withinMs, "all is flushed that is not held back", async () => {
    const figures = await Promise.all(ids.map(async (id) => await cluster.figures(id)));
    const sum = (name: "dirtyKeys" | "heldKeys"): number => figures.reduce((total, each) => total + each[name], 0);
    return sum("dirtyKeys") <= 2 * sum("heldKeys");
  });
}

/** In the bucket, and through every node. */
async function assertLast({ cluster, bucket }: Stage, { last }: Scenario): Promise<void> {
  for (const [key, value] of last) {
    assert.equal((await bucket.get(key))?.body.toString(), value, `${key} in the bucket`);
    for (const id of cluster.ids) {
      const { status, body } = await cluster.get(id, key);
      assert.equal(status === 404 ? undefined : body.toString(), value, `${key} through ${id}`);
    }
  }
}

interface Loss {
  readonly what: string;
  /** Loses node a, and freezes the second gateway with what it was sent. */
  readonly lose: (stage: Stage, scenario: Scenario) => Promise<void>;
}

const losses: readonly Loss[] = [
  {
    what: "killed while its requests are under way",
    async lose({ gateway, cluster }) {
      await gateway.freezeSecond();
      await cluster.process("a").kill();
    },
  },
  {
    what: "killed while the disk is still stuck",
    async lose(stage, scenario) {
      const { gateway, cluster } = stage;
      await untilGivenUp(stage, scenario);
      await cluster.process("a").kill();
      // Keys of the others do not wait for the disk.
      await put(stage, "b", keysOwned({ abc: /^(?:bc|cb)/ }, 20), "meanwhile");
      await gateway.freezeSecond();
    },
  },
  {
    what: "suspended after it has given its requests up",
    async lose(stage, scenario) {
      await stage.gateway.freezeSecond();
      await untilGivenUp(stage, scenario);
      stage.cluster.process("a").pause();
    },
  },
  {
    what: "killed after it has gone on through the other gateway",
    async lose(stage, scenario) {
      await stage.gateway.freezeSecond();
      await untilGivenUp(stage, scenario);
      stage.proxy.redirect(stage.gateway.server.endpoint);
      await untilOnlyHeld(stage, stage.cluster.ids);
      await stage.cluster.process("a").kill();
    },
  },
];

if (typeof server === "string") test("cluster with two gateways", { skip: server });
else {
  describe("cluster with two gateways, of which one is frozen", () => {
    const getStage = setStage(setUp);
    for (const [index, { what, lose }] of losses.entries()) {
      test(`its node is ${what}: what the gateway does later changes nothing`, async () => {
        const stage = getStage();
        const scenario = new Scenario(index);
        const { created, recreated, removed, replaced } = scenario;
        const { cluster, gateway, proxy } = stage;
        proxy.redirect(gateway.secondEndpoint);
        await send(stage, scenario);
        const sentAt = systemClock.now();
        const writes: Promise<void>[] = [];
        try {
          await lose(stage, scenario);
          await remove(stage, "b", created);
          await put(stage, "c", recreated, "new");
          await putStored(stage, "b", replaced, "between");
          await untilOnlyHeld(stage, others);
          await remove(stage, "b", recreated);
          writes.push(putStored(stage, "b", removed, "new"), putStored(stage, "c", replaced, "on"));
          await untilRead(stage, "b", removed, "new");
          await untilRead(stage, "c", replaced, "on");
          await untilOnlyHeld(stage, others);
          const tookMs = systemClock.now() - sentAt;
          assert.ok(tookMs < lateEffectMs, `this machine is too slow: it may all be over after ${tookMs} ms`);
        } finally {
          gateway.resumeDisk();
          gateway.resumeSecond();
          if (cluster.process("a").isRunning) cluster.process("a").signal("SIGCONT");
          else cluster.restart("a");
        }
        await Promise.all(writes);
        await cluster.untilReady();
        await cluster.untilFlushed(withinMs);
        await assertLast(stage, scenario);
      });
    }
  });
}
