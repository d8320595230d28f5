/**
 * All that an operator does to a cluster in its life, in one day, with TLS and tokens, over a bucket, under load:
 * secrets are changed, a node is killed, loses its disk, is replaced; the cluster grows, is upgraded node by node from
 * the sources to the packaged executable, shrinks, and stops. No request fails at a node that is not the one being hit,
 * and everything is in the bucket in the end.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { rights } from "../../src/access/grant.ts";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { BalancedClients } from "../harness/balanced-clients.ts";
import { TestBucket } from "../harness/bucket.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { TestCluster } from "../harness/cluster.ts";
import { builtCommit, builtExecutable } from "../harness/executable.ts";
import { noise } from "../harness/noise.ts";
import { s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";

const run = promisify(execFile);
const server = s3ServerFromEnvironment();

/** What a request may take while a loss is noticed and waited out, on a machine that is busy: it fails after 10 s. */
const failoverMs = 8_000;
/** What a node may take to stop before it is killed: much longer than `flush.stopMs`. */
const stopMs = 60_000;
/** A piece of the day without any trouble. */
const calmMs = 500;
/** Of each client: over TLS a request takes a millisecond of the processor, and the day is long. */
const thinkMs = 300;
/** Streamed to the store: it is over `buffer.maxValueBytes`. */
const largeBytes = 9 * 1024 ** 2;

const folder = mkdtempSync(join(tmpdir(), "weir-day-"));
after(() => rmSync(folder, { recursive: true }));

test("an operator's day: what is done in order fails no request, what fails is a pause at most, and nothing is lost", {
  skip: typeof server === "string" && server,
  timeout: 480_000,
}, async (t) => {
  assert.ok(typeof server !== "string");
  const operator = tokenOf("operator", rights);
  const yesterdays = tokenOf("yesterday", ["read", "write"], "photos/");
  const todays = tokenOf("today", ["read", "write"], "photos/");
  const authority = new CertificateAuthority(folder);
  const certificate = authority.issue();
  await using bucket = await TestBucket.create(server);
  const inBucket = bucket.clusterOptions();
  await using cluster = await TestCluster.start({
    ...inBucket,
    env: { ...inBucket.env, OLD_SECRET: "yesterday's, 16 bytes", NEW_SECRET: "today's, of 16 bytes" },
    token: operator.token,
    tls: { ca: readFileSync(authority.ca, "utf8") },
    config: {
      http: { drainMs: 1_000 },
      // On a machine that is busy with other work, a node may pause for longer than the usual 800 ms.
      peers: { suspectMs: 2_000, leaseMs: 2_000 },
      // Whatever happens, it happens to values that the store has not seen.
      flush: { delayMs: 3_000 },
      secret: "env:OLD_SECRET",
      tls: { ...certificate, ca: authority.ca },
      auth: { tokens: [operator.rule, yesterdays.rule] },
    },
  });
  const built = builtExecutable();
  // A test that fails meanwhile still waits for it.
  t.after(() => Promise.allSettled([built]));
  const large = noise(new SimRandom(seedOf(t)), largeBytes);
  assert.equal((await cluster.put("a", "photos/large", large)).headers["weir-durability"], "stored");

  await using clients = new BalancedClients(cluster, { prefix: "photos/", thinkMs });
  await clients.show(bearer(yesterdays.token));

  /** Makes a change, and waits for these nodes to say so, once more than they had. */
  const told = async (words: string, change: () => void, ids = cluster.ids): Promise<void> => {
    const times = (): number[] =>
      ids.map((id) => cluster.process(id).lines.filter((line) => line.includes(words)).length);
    const before = times();
    change();
    await cluster.until(60_000, words, () => Promise.resolve(times().every((count, n) => count > (before[n] ?? 0))));
  };
  /**
   * The loss of a node that has been in use until just now: the others' clients wait, and none of their requests fails.
   */
  const lose = async (id: string, what: string): Promise<void> => {
    await sleep(systemClock, calmMs);
    await clients.avoid(id);
    clients.slowestMs = 0;
    await cluster.process(id).kill();
    const others = cluster.ids.filter((each) => each !== id);
    await cluster.until(failoverMs, `${what}: the others go on`, async () => {
      const { settled, members } = await cluster.status(others[0] as string);
      return settled && members.every((member) => member.id !== id);
    });
    await sleep(systemClock, calmMs);
    clients.assertServed(what);
    assert.ok(clients.slowestMs > 500 && clients.slowestMs < failoverMs, `${what}: a pause of ${clients.slowestMs} ms`);
    t.diagnostic(`${what}: a pause of ${Math.round(clients.slowestMs)} ms`);
  };
  const back = async (what: string): Promise<void> => {
    await cluster.untilReady();
    await clients.avoid(undefined);
    await sleep(systemClock, calmMs);
    clients.assertServed(what);
  };

  // A client's token, the certificate, the nodes' secret.
  await told('"settings":"auth"', () =>
    cluster.configure({ auth: { tokens: [operator.rule, yesterdays.rule, todays.rule] } }),
  );
  await clients.show(bearer(todays.token));
  await sleep(systemClock, calmMs);
  await told('"settings":"auth"', () => cluster.configure({ auth: { tokens: [operator.rule, todays.rule] } }));
  assert.equal((await cluster.get("b", "photos/large", bearer(yesterdays.token))).status, 401);
  await told("the tls files have changed: new connections use them", () => {
    const renewed = authority.issue();
    copyFileSync(renewed.key, certificate.key);
    copyFileSync(renewed.cert, certificate.cert);
  });
  for (const secret of [["env:OLD_SECRET", "env:NEW_SECRET"], ["env:NEW_SECRET", "env:OLD_SECRET"], "env:NEW_SECRET"]) {
    await told('"settings":"secret"', () => cluster.configure({ secret }));
  }
  clients.assertServed("token, certificate and secret are changed");

  // Losses, each mended before the next.
  await lose("c", "a node is killed");
  cluster.restart("c");
  await back("it is started again");
  await lose("b", "a node is killed whose disk is lost");
  cluster.loseData("b");
  cluster.restart("b");
  await back("it is started on an empty disk");
  await lose("c", "a node is lost for good");
  cluster.listOnly(["a", "b"]);
  const replacement = await cluster.add();
  await back("another takes its place");

  // Growth.
  for (const size of [4, 5]) {
    await cluster.add();
    await cluster.untilReady();
    assert.equal((await cluster.status("a")).members.length, size);
  }
  await told("these nodes count from now on", () => cluster.configure({}), ["a", "b"]);
  await sleep(systemClock, calmMs);
  clients.assertServed("the cluster grows to five nodes");

  // The upgrade, from the sources to the executable.
  const executable = join(await built, "weir");
  for (const id of cluster.ids) {
    const node = cluster.process(id);
    const end = await node.stop(stopMs);
    assert.deepEqual(end, { code: 0, signal: null }, `${JSON.stringify(end)}\n${node.lines.slice(-20).join("\n")}`);
    cluster.restart(id, { program: [executable] });
    await cluster.process(id).printed(`+${builtCommit}"`);
    await cluster.untilReady();
    await sleep(systemClock, calmMs);
    clients.assertServed(`${id} is upgraded`);
  }

  // Back to three nodes: one by command, one by the file that all watch.
  const [byCommand, byFile] = cluster.ids.slice(-2) as [string, string];
  const left = cluster.process(byCommand).expectEnd();
  const leave = ["leave", "--config", cluster.configPath, "--node", byCommand];
  const env = { ...process.env, WEIR_TOKEN: operator.token };
  assert.match((await run(executable, leave, { env })).stdout, /has left the cluster/);
  assert.deepEqual(await left, { code: 0, signal: null });
  const removed = cluster.process(byFile).expectEnd();
  cluster.listOnly(["a", "b", replacement]);
  assert.deepEqual(await removed, { code: 0, signal: null });
  await cluster.untilReady();
  await sleep(systemClock, calmMs);
  clients.assertServed("the cluster shrinks to three nodes");

  for (const id of cluster.ids) {
    assert.ok((clients.answered.get(id) ?? 0) > 0, `${id} had requests`);
    assert.ok((await cluster.get(id, "photos/large")).body.equals(large), `the large value through ${id}`);
  }
  await clients.stop();
  clients.assertServed("the day");
  t.diagnostic(`${[...clients.answered.values()].reduce((sum, count) => sum + count, 0)} requests, none failed`);

  // The end: everything is in the bucket as it was acknowledged.
  for (const end of await cluster.stopAll()) assert.deepEqual(end, { code: 0, signal: null });
  for (const [key, value] of clients.acknowledged) {
    assert.equal((await bucket.get(key))?.body.toString(), value, key);
  }
  assert.ok((await bucket.get("photos/large"))?.body.equals(large));
});
