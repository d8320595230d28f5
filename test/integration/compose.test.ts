/**
 * A node as `compose.ts` puts it together, in this process: what a part tells reaches the part that has to know it, and
 * what is configured is what runs.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile, readdir, readFile, rename } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { inspect } from "node:util";
import { queryObjects } from "node:v8";
import { sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { type View, viewName } from "../../src/core/view.ts";
import { Ledger } from "../../src/journal/ledger.ts";
import { Member } from "../../src/member/member.ts";
import { UploadSweep } from "../../src/s3/uploads/upload-sweep.ts";
import { FileStore } from "../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { ComposedNodes } from "../harness/composed-node.ts";
import { HttpClient } from "../harness/http-client.ts";
import { hangMs, patienceMs } from "../harness/patience.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";
import { TracedFiles } from "../harness/traced-files.ts";
import { within } from "../harness/within.ts";

const timeout = 3 * hangMs;
const stored = { "weir-durability": "stored" };

/** The error's code if the promise rejects; "nothing" if it does not within the time. */
async function codeOf(failed: Promise<never>, withinMs: number): Promise<string> {
  const code = failed.catch((error: unknown) => (isOperatingError(error) ? error.code : String(error)));
  return await within(code, withinMs);
}

test("a node whose journal has failed takes no part any more, says why, and has acknowledged nothing since", {
  timeout,
}, async () => {
  await using files = await TracedFiles.make();
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ request: { deadlineMs: 4_000 } }));
  assert.equal((await nodes.http.request(node.url, "PUT", "/kv/before", { body: "1" })).status, 204);
  files.failing = /^datasync .*\.wal$/;
  const status = nodes.http.request(node.url, "PUT", "/kv/after", { body: "2" }).then(
    (answer) => answer.status,
    () => "nothing",
  );
  await nodes
    .until("it takes no part", async () => (await nodes.status(node)).trouble !== undefined)
    .catch(() => {
      assert.fail("the node goes on without a journal");
    });
  assert.notEqual(await within(status, 200), 204);
  assert.match((await nodes.status(node)).trouble ?? "", /data\/a failed \(EIO: datasync .*check the disk/);
  const answered = async (path: string) => await nodes.http.request(node.url, "GET", path);
  assert.match((await answered("/readyz")).body.toString(), /the disk of this node's data folder does not work/);
  const health = await answered("/healthz");
  assert.deepEqual([health.status, /"alive":true,"trouble":"the disk/.test(health.body.toString())], [200, true]);
  assert.match((await answered("/metrics")).body.toString(), /^weir_journal_failed 1$/m);
  // A supervisor that restarted it would have it join at once.
  assert.equal(await codeOf(node.failed, 200), "nothing");
});

test("a node whose journal has failed keeps nothing of its member in memory: the next one reads all of it again", {
  timeout,
}, async () => {
  await using files = await TracedFiles.make();
  await using nodes = await ComposedNodes.make(1);
  const held = (): number => queryObjects(Member, { format: "count" }) + queryObjects(Ledger, { format: "count" });
  const before = held();
  const node = await nodes.ready("a", nodes.config({ request: { deadlineMs: 4_000 } }));
  assert.equal(held(), before + 2);
  files.failing = /^datasync .*\.wal$/;
  nodes.http.request(node.url, "PUT", "/kv/k", { body: "1" }).catch(() => undefined);
  await nodes.until("it takes no part", async () => (await nodes.status(node)).trouble !== undefined);
  const { body } = await nodes.http.request(node.url, "GET", "/metrics");
  assert.match(body.toString(), /^weir_journal_disk_bytes [1-9]/m);
  // An error has its stack's objects until the stack is written down, as a process does in its log.
  const writeDown = (): unknown => inspect(nodes.logs.get("a")?.lines, { depth: 8 });
  await nodes.until(
    "its member and its journal are let go",
    async () => {
      // To count objects all garbage is collected: that is not for every few milliseconds.
      await sleep(systemClock, 300);
      return writeDown() !== "" && held() <= before;
    },
    patienceMs(5_000),
  );
});

test("a node whose disk does not work when it starts takes no part before it works", { timeout }, async () => {
  await using files = await TracedFiles.make();
  await using nodes = await ComposedNodes.make(1);
  files.failing = /^datasync .*trial$/;
  const node = await nodes.start("a");
  await nodes.until(
    "it tries again",
    () =>
      (nodes.logs
        .get("a")
        ?.messages("error")
        .filter((words) => words.includes("tries it again")).length ?? 0) >= 2,
  );
  assert.match((await nodes.status(node)).trouble ?? "", /data\/a failed \(EIO: datasync/);
  assert.equal(await nodes.isReady(node), false);
  files.failing = undefined;
  await nodes.until("it has joined", () => nodes.isReady(node));
  assert.equal((await nodes.status(node)).trouble, undefined);
  assert.ok(!(await readdir(join(nodes.folder, "data/a"))).includes("trial"), "the trial leaves nothing behind");
});

test("a node whose data folder is away when it tries it again waits for that folder, and makes no other", {
  timeout,
}, async () => {
  await using files = await TracedFiles.make();
  await using nodes = await ComposedNodes.make(1);
  const folder = join(nodes.folder, "data/a");
  const name = async (): Promise<string> => await readFile(join(folder, "folder"), "utf8");
  files.failing = /^datasync .*trial$/;
  const node = await nodes.start("a");
  const before = await name();
  // It stands for the file system that is unmounted, to be mended.
  await rename(folder, join(nodes.folder, "away"));
  files.failing = undefined;
  await nodes.until("it misses the folder", async () => /mounted/.test((await nodes.status(node)).trouble ?? ""));
  assert.match((await nodes.status(node)).trouble ?? "", /data\/a is not the one that this process had/);
  assert.deepEqual(await readdir(join(nodes.folder, "data")), []);
  await rename(join(nodes.folder, "away"), folder);
  await nodes.until("it has joined", () => nodes.isReady(node));
  assert.equal(await name(), before);
});

test("a node's streams leave time to small requests, its clients' and those that come by other nodes", {
  timeout,
}, async (t) => {
  await using nodes = await ComposedNodes.make(2);
  const config = nodes.config({
    buffer: { dirtyBytes: 20_000_000, cacheBytes: 0, maxValueBytes: 100_000 },
    // Both are in one process, which may pause on a loaded machine.
    peers: { suspectMs: 3_000, leaseMs: 3_000 },
  });
  const [a, b] = await Promise.all([nodes.ready("a", config), nodes.ready("b", config)]);
  let looks = 0;
  const own = performance.eventLoopUtilization.bind(performance);
  t.mock.method(performance, "eventLoopUtilization", (since?: Parameters<typeof own>[0]) => {
    if (since !== undefined) looks++;
    return own(since);
  });
  const put = async (node: { readonly url: string }, key: string, body: string | Buffer): Promise<void> => {
    assert.equal((await nodes.http.request(node.url, "PUT", `/kv/${key}`, { body })).status, 204);
  };
  const large = Buffer.alloc(4_000_000);
  await sleep(systemClock, 100);
  // Some pings come meanwhile. On a loaded machine a few streams may all miss the moments after them.
  const endsAt = systemClock.now() + 600;
  for (let streams = 0; streams < 20 || systemClock.now() < endsAt; streams++) await put(b, "large", large);
  assert.equal(looks, 0, "nothing else is asked for");

  // With two nodes, each write of the one is one of the other.
  for (const [who, asked] of [
    ["another node", a],
    ["a client", b],
  ] as const) {
    looks = 0;
    let isOver = false;
    const small = (async () => {
      for (let n = 0; !isOver; n++) await put(asked, `small-${n % 10}`, "x");
    })();
    // On a loaded machine the small ones may be far between.
    for (let tries = 0; tries < 20 && looks === 0; tries++) await put(b, "large", large);
    isOver = true;
    await small;
    assert.ok(looks > 0, `${who} asks`);
    await sleep(systemClock, 100);
  }
});

test("a node whose data folder is another's does not start", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  await nodes.ready("a");
  const config = nodes.config({ nodes: [{ id: "a", url: "http://127.0.0.1:9" }] });
  await assert.rejects(nodes.start("a", config), /another process uses the data folder .*The setting "data" chooses/);
});

test("a node writes its journal into its data folder and its values into the store, and counts both", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a");
  const put = await nodes.http.request(node.url, "PUT", "/kv/photos/cat", { body: "meow", headers: stored });
  assert.equal(put.status, 204);
  assert.equal(await readFile(join(nodes.folder, "store/photos/cat"), "utf8"), "meow");
  const written = await readdir(join(nodes.folder, "data/a"));
  assert.ok(
    written.some((name) => name.endsWith(".wal")),
    `the data folder has ${written.join()}`,
  );
  const metrics = (await nodes.http.request(node.url, "GET", "/metrics")).body.toString();
  const value = (name: string): number =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(metrics)?.[1]);
  assert.match(metrics, /^weir_store_requests_total\{[^}]*operation="write"[^}]*\} [1-9]/m);
  assert.ok(value("weir_journal_disk_bytes") > 0, "the journal is not counted");
});

test("a node without a journal makes no data folder", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ journal: "off" }));
  assert.equal((await nodes.http.request(node.url, "PUT", "/kv/k", { body: "1" })).status, 204);
  assert.ok(!(await readdir(nodes.folder)).includes("data"));
});

test("a node that is started again on its folders has what it held, and its ports and folders are free in between", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  // Nothing gets to the store before the stop but by it.
  const config = nodes.config({ flush: { delayMs: 60_000, stopMs: 1_000 } });
  const first = await nodes.ready("a", config);
  assert.equal((await nodes.http.request(first.url, "PUT", "/kv/k", { body: "kept" })).status, 204);
  await nodes.stop(first);
  const second = await nodes.ready("a", config);
  assert.equal((await nodes.http.request(second.url, "GET", "/kv/k")).body.toString(), "kept");
});

test("a node that can't listen lets its data folder go", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const config = nodes.config();
  const blocker = createServer().listen(Number(new URL(config.nodes[0]?.url ?? "").port), "127.0.0.1");
  await assert.rejects(nodes.start("a", config));
  await new Promise((resolve) => blocker.close(resolve));
  await nodes.ready("a", config);
});

test("a node tells the cluster its own zone, weight and address", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const [own] = nodes.config().nodes;
  const node = await nodes.ready("a", nodes.config({ nodes: [{ ...own, zone: "north", weight: 3 }] }));
  const [member] = (await nodes.status(node)).members;
  assert.deepEqual([member?.id, member?.url, member?.zone, member?.weight], ["a", own?.url, "north", 3]);
});

test("tokens that change count at once, the old ones no more", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const [old, next] = [tokenOf("old", ["read", "write"]), tokenOf("next", ["read", "write"])];
  const withToken = (rule: object) => nodes.config({ auth: { tokens: [rule] } });
  const node = await nodes.ready("a", withToken(old.rule));
  const statuses = async (): Promise<number[]> => {
    const answers = [old, next].map(({ token }) =>
      nodes.http.request(node.url, "PUT", "/kv/k", { body: "1", headers: bearer(token) }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [204, 401]);
  node.reconfigure(withToken(next.rule));
  assert.deepEqual(await statuses(), [401, 204]);
});

test("buckets that change count at once, the old ones no more", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const withBucket = (name: string) => nodes.config({ s3: { buckets: [{ name, prefix: "" }] } });
  const node = await nodes.ready("a", withBucket("old"));
  // Where no token is needed, no signature is looked at.
  const headers = { authorization: "AWS4-HMAC-SHA256 ..." };
  const statuses = async (): Promise<number[]> => {
    const answers = ["old", "next"].map((name) =>
      nodes.http.request(node.url, "PUT", `/${name}/k`, { body: "1", headers }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [200, 404]);
  assert.deepEqual(await statuses(), [200, 404], "with what is remembered");
  node.reconfigure(withBucket("next"));
  assert.deepEqual(await statuses(), [404, 200]);
});

test("secrets and nodes that change count at once: two nodes that knew nothing of each other are one cluster", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(2);
  const both = nodes.config({ secret: "env:OTHER" });
  const [ownA] = both.nodes;
  const a = await nodes.ready("a", nodes.config({ nodes: [ownA] }));
  const b = await nodes.start("b", both);
  await sleep(systemClock, 300);
  assert.equal((await nodes.status(a)).members.length, 1, "a node with another secret is let in");
  // Both its secret and the list of its nodes.
  a.reconfigure(both);
  await nodes.until("a and b are one cluster", async () => (await nodes.status(a)).members.length === 2);
  await nodes.until("b is ready", () => nodes.isReady(b));
  const put = await nodes.http.request(b.url, "PUT", "/kv/k", { body: "1" });
  assert.equal(put.status, 204);
  assert.equal((await nodes.http.request(a.url, "GET", "/kv/k")).body.toString(), "1");
});

test("a node that is told to leave is ready no more, leaves, and says that it has ended", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ http: { drainMs: 1_500, finishMs: 200 } }));
  await nodes.http.request(node.url, "PUT", "/kv/k", { body: "1" });
  node.leave();
  assert.equal(await nodes.isReady(node), false, "load balancers are told first");
  assert.match(await within(node.ended, 8_000), /has left the cluster/);
  assert.equal(await readFile(join(nodes.folder, "store/k"), "utf8"), "1");
});

test("a node that leaves serves as before at first, and sends clients of kept connections away before it goes", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const drainMs = 5_000;
  const node = await nodes.ready("a", nodes.config({ http: { drainMs } }));
  const path = "/kv/k";
  // A read waits for no disk, which may take longer than the part of drainMs in which clients are sent away.
  const connectionOf = async (): Promise<string | undefined> => {
    const answer = await nodes.http.request(node.url, "GET", path);
    assert.equal(answer.status, 200, "it sends nobody away while it still serves");
    return answer.headers["connection"];
  };
  assert.equal((await nodes.http.request(node.url, "PUT", path, { body: "1" })).status, 204);
  const beganAt = systemClock.now();
  node.leave();
  const put = await nodes.http.request(node.url, "PUT", path, { body: "2" });
  assert.equal(put.status, 204, "it serves as before");
  assert.notEqual(put.headers["connection"], "close");
  await nodes.until("clients are sent away", async () => (await connectionOf()) === "close");
  const toldMs = systemClock.now() - beganAt;
  assert.ok(toldMs > drainMs / 2, `they are sent away after ${toldMs} ms`);
  assert.ok(toldMs < drainMs, `it sends nobody away while it still serves: ${toldMs} ms`);
});

test("a node that an operator asks to leave over HTTP ends", { timeout }, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a");
  const answer = await nodes.http.request(node.url, "POST", "/cluster/leave");
  assert.ok(answer.status < 300, answer.body.toString());
  assert.match(await within(node.ended, 5_000), /has left the cluster/);
});

test("a node learns from the view that another process has joined as itself, and can't go on", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const config = nodes.config();
  const node = await nodes.ready("a", config);
  assert.ok(config.store.type === "file");
  await using store = new FileStore(config.store, { clock: systemClock, random: systemRandom });
  const options = { deadlineMs: 5_000 };
  await nodes.until("its view is settled", async () => (await nodes.status(node)).settled);
  const found = await store.read(viewName, 1_000_000, options);
  assert.ok(found.kind === "found");
  const { body, headers, version, tag } = found.blob;
  const view = JSON.parse(body.toString()) as View;
  const members = view.members.map((member) => ({ ...member, incarnation: systemRandom.id() }));
  const next = { ...view, epoch: view.epoch + 1, settled: false, members, proposal: systemRandom.id() };
  const content = { body: Buffer.from(JSON.stringify(next)), headers, ...(version !== undefined && { version }) };
  assert.equal((await store.write(viewName, content, { kind: "unchanged", tag }, options)).kind, "written");
  assert.equal(await codeOf(node.failed, 5_000), "shutting_down", "it goes on although it was replaced");
});

test("a certificate that is renewed is shown to clients, and its end is told, without a restart", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const authority = new CertificateAuthority(join(nodes.folder, "authority"));
  const first = authority.issue({ days: 20 });
  const [own] = nodes.config().nodes;
  const url = own?.url.replace("http:", "https:") ?? "";
  const config = nodes.config({ nodes: [{ ...own, url }], tls: { ...first, ca: authority.ca } });
  const node = await nodes.start("a", config);
  await using https = new HttpClient({ tls: { ca: await readFile(authority.ca, "utf8") } });
  const shown = async (): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const told = async (): Promise<string | undefined> =>
    /^weir_tls_certificate_expiry_timestamp_seconds (\S+)$/m.exec(
      (await https.request(node.url, "GET", "/metrics")).body.toString(),
    )?.[1];
  const [before, toldBefore] = [await shown(), await told()];
  assert.ok(toldBefore !== undefined);
  const second = authority.issue({ days: 10 });
  await copyFile(second.key, first.key);
  await copyFile(second.cert, first.cert);
  await nodes.until("the new certificate is shown", async () => (await shown()) !== before);
  assert.notEqual(await told(), toldBefore, "the end of the old certificate is told");
});

test("a node looks for what is left of old multipart uploads, an hour or two after its start and again", { timeout }, async (t) => {
  const hourMs = 3_600_000;
  const late: (() => void)[] = [];
  const after = systemClock.after.bind(systemClock);
  t.mock.method(systemClock, "after", (ms: number, callback: () => void) => {
    if (ms < hourMs || ms >= 2 * hourMs) return after(ms, callback);
    late.push(callback);
    return { cancel: () => undefined };
  });
  const { mock } = t.mock.method(UploadSweep.prototype, "sweep");
  await using nodes = await ComposedNodes.make(1);
  await nodes.ready("a", nodes.config());
  for (const sweeps of [1, 2]) {
    for (const callback of late.splice(0)) callback();
    assert.equal(mock.callCount(), sweeps);
    assert.equal(await mock.calls.at(-1)?.result, 0);
    await nodes.until("it waits for the next time", async () => late.length > 0);
  }
}); // biome-ignore format: a long name
