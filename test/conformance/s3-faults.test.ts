/**
 * The S3 store while its server is stopped, killed and back: a real one of this test's own, started by
 * `test/harness/s3-server.sh` in a temporary folder, since the one that other tests share must live.
 */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { isOperatingError } from "../../src/base/errors.ts";
import type { WriteCondition } from "../../src/store/blob-store.ts";
import { S3Store } from "../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { freshBucket, type S3Server, s3ServerFromEnvironment } from "../harness/s3-server.ts";

const run = promisify(execFile);
const script = path.join(import.meta.dirname, "../harness/s3-server.sh");
const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const content = { body: Buffer.from("x"), headers: {}, version: "c.k.1.1" };
const upload = { headers: {}, token: "t", id: "u", parts: ["p"], size: 1 };
const environment = s3ServerFromEnvironment();

/** Two ports in a row that nobody has now, below those that the system gives out. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 5_000);
    const servers = await Promise.all([port, port + 1].map(listenOn));
    for (const server of servers) server?.close();
    if (servers.every((server) => server !== undefined)) return port;
  }
}

async function listenOn(port: number) {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}

describe("S3Store", { skip: typeof environment === "string" ? environment : false }, () => {
  let folder: string;
  let server: S3Server;
  let store: S3Store;
  let gateway: number;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "weir-s3-faults-"));
    const port = await freePort();
    await run(script, ["start", folder, String(port)]);
    server = {
      endpoint: `http://127.0.0.1:${port}`,
      accessKeyId: "test",
      secretAccessKey: "testtest1234",
      region: "us-east-1",
    };
    gateway = Number(await readFile(path.join(folder, "run/rgw.pid"), "utf8"));
    store = new S3Store(await freshBucket(server), { clock: systemClock, random: systemRandom });
    await store.probe(options);
  });

  after(async () => {
    await store[Symbol.asyncDispose]();
    await run(script, ["stop", folder]);
    await rm(folder, { recursive: true, force: true });
  });

  async function unavailableWithin(ms: number, work: () => Promise<unknown>): Promise<void> {
    const start = systemClock.now();
    await assert.rejects(work(), (error) => {
      assert(isOperatingError(error, "store_unavailable"), String(error));
      return true;
    });
    assert(systemClock.now() - start < ms, `it took ${systemClock.now() - start} ms`);
  }

  test("is unavailable at the deadline while the server is stopped, and what was given up never takes effect", async () => {
    const tag = (await store.write("hang", content, always, options)) as { tag: string };
    process.kill(gateway, "SIGSTOP");
    try {
      const soon = { deadlineMs: 2_000 };
      await Promise.all([
        unavailableWithin(2_500, () => store.read("hang", 10, soon)),
        unavailableWithin(2_500, () => store.stat("hang", soon)),
        unavailableWithin(2_500, () => store.write("late", content, always, soon)),
        unavailableWithin(2_500, () => store.remove("hang", always, soon)),
      ]);
    } finally {
      process.kill(gateway, "SIGCONT");
    }
    // The server finds the requests in its sockets now. Those that it got to read are too late for their signature.
    assert.equal((await store.stat("hang", options))?.tag, tag.tag);
    assert.equal(await store.stat("late", options), undefined);
  });

  test("is unavailable while the server is gone, also on connections that were kept, and goes on once it is back", async () => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => store.write(`many/${i}`, content, always, options)));
    process.kill(gateway, "SIGKILL");
    await closed(Number(new URL(server.endpoint).port));
    for (const change of [
      () => store.write("gone", content, always, options),
      () => store.remove("many/1", always, options),
      () => store.completeUpload("gone", upload, always, options),
    ]) {
      await unavailableWithin(1_000, change);
      await assert.rejects(change(), { neverSent: true });
    }
    await unavailableWithin(1_000, () => store.read("many/1", 10, options));
    const log = openSync(path.join(folder, "log/rgw.out"), "a");
    const again = spawn("radosgw", ["-f", "-n", "client.rgw", "-c", path.join(folder, "ceph.conf")], {
      stdio: ["ignore", log, log],
    });
    try {
      await opened(Number(new URL(server.endpoint).port));
      assert.equal((await store.write("back", content, always, options)).kind, "written");
      assert.equal((await store.read("many/1", 10, options)).kind, "found");
    } finally {
      again.kill("SIGKILL");
      await once(again, "exit");
    }
  });
});

/** Waits until nobody listens on the port. */
async function closed(port: number): Promise<void> {
  while (await listens(port)) await pause();
}

async function opened(port: number): Promise<void> {
  const end = systemClock.now() + 20_000;
  while (!(await listens(port))) {
    assert(systemClock.now() < end, "the server is back within 20 s");
    await pause();
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(20, resolve);
  });
}
