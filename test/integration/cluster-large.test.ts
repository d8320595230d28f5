/**
 * Values that are too large to be buffered: in and out through any node, in order with the small ones of their key, and
 * in constant memory (L11, L14).
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { setStage } from "../harness/stage.ts";

const mebibyte = 1024 ** 2;
const size = 12 * mebibyte + 345;
const large = pattern(size, 1);
const other = pattern(size, 2);

describe("large values", () => {
  const stage = setStage(async (stack) => ({
    cluster: stack.use(
      await TestCluster.start({ config: { buffer: { maxValueBytes: mebibyte }, large: { partBytes: 5 * mebibyte } } }),
    ),
  }));

  test("a large value is in the store when its put is answered, and is read from every node, whole and in part", async () => {
    const { cluster } = stage();
    for (const [index, id] of cluster.ids.entries()) {
      const key = `whole/${id}`;
      const put = await cluster.put(id, key, large, { "content-type": "video/x", "x-weir-meta-a": "b" });
      assert.equal(put.status, 204, put.body.toString());
      assert.equal(put.headers["weir-durability"], "stored");
      assert.equal(put.headers["etag"], `"${md5(large)}"`);
      assert(large.equals(await readFile(join(cluster.storeFolder, key))));
      const reader = cluster.ids[(index + 1) % 3] as string;
      const get = await cluster.get(reader, key);
      assert.equal(get.status, 200);
      assert.equal(get.headers["etag"], put.headers["etag"]);
      assert.equal(get.headers["content-type"], "video/x");
      assert.equal(get.headers["x-weir-meta-a"], "b");
      assert.equal(get.headers["weir-upload"], undefined);
      assert(get.body.equals(large));
      const part = await cluster.get(reader, key, { range: `bytes=${5 * mebibyte - 1}-${5 * mebibyte + 1}` });
      assert.equal(part.status, 206);
      assert.equal(part.headers["content-range"], `bytes ${5 * mebibyte - 1}-${5 * mebibyte + 1}/${size}`);
      assert(part.body.equals(large.subarray(5 * mebibyte - 1, 5 * mebibyte + 2)));
      const last = await cluster.get(reader, key, { range: "bytes=-5" });
      assert(last.body.equals(large.subarray(size - 5)));
      const head = await cluster.http.request(cluster.url(reader), "HEAD", `/kv/${key}`);
      assert.equal(head.headers["content-length"], String(size));
      const etag = put.headers["etag"] as string;
      assert.equal((await cluster.get(reader, key, { "if-none-match": etag })).status, 304);
      assert.equal((await cluster.get(reader, key, { "if-match": '"x"' })).status, 412);
      assert.equal((await cluster.get(reader, key, { range: `bytes=${size}-` })).status, 416);
    }
  });

  test("large and small values of a key, and its removal, replace each other in order", async () => {
    const { cluster } = stage();
    for (const [round, id] of [...cluster.ids, ...cluster.ids].entries()) {
      const values = [large, Buffer.from(`small ${round}`), other, undefined, large, Buffer.from("last")];
      for (const [step, value] of values.entries()) {
        const writer = cluster.ids[(round + step) % 3] as string;
        const answer =
          value === undefined ? await cluster.remove(writer, "turns") : await cluster.put(writer, "turns", value);
        assert.equal(answer.status, 204, answer.body.toString());
        const read = await cluster.get(id, "turns");
        if (value === undefined) assert.equal(read.status, 404);
        else assert(read.body.equals(value), `round ${round}, step ${step}: ${read.status} ${read.body.length}`);
      }
    }
    await cluster.untilFlushed();
    assert.equal((await cluster.get("a", "turns")).body.toString(), "last");
  });

  test("conditions on large values are judged like on any other, before and after the body", async () => {
    const { cluster } = stage();
    const first = await cluster.put("a", "cond", large, { "if-none-match": "*" });
    assert.equal(first.status, 204, first.body.toString());
    assert.equal((await cluster.put("b", "cond", other, { "if-none-match": "*" })).status, 412);
    assert.equal((await cluster.put("b", "cond", other, { "if-match": '"x"' })).status, 412);
    const etag = first.headers["etag"] as string;
    assert.equal((await cluster.put("c", "cond", other, { "if-match": etag })).status, 204);
    assert((await cluster.get("a", "cond")).body.equals(other));
    // Of many that create it one does.
    const answers = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((each) =>
        cluster.put(cluster.ids[each % 3] as string, "once", pattern(size, each), { "if-none-match": "*" }),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status).sort((a, b) => a - b),
      [204, 412, 412, 412, 412, 412],
    );
    const winner = answers.findIndex(({ status }) => status === 204);
    assert((await cluster.get("b", "once")).body.equals(pattern(size, winner)));
  });

  test("a body whose length nobody knows is buffered as long as it is small, and streamed from there on", async () => {
    const { cluster } = stage();
    const url = cluster.url("b");
    for (const length of [0, 1, mebibyte, mebibyte + 1, size]) {
      const body = large.subarray(0, length);
      const { status, headers } = await chunked(`${url}/kv/unknown`, body);
      assert.equal(status, 204);
      assert.equal(headers["weir-durability"], length > mebibyte ? "stored" : "replicated");
      assert((await cluster.get("c", "unknown")).body.equals(body), `${length} bytes`);
    }
  });

  test("a client that goes away in the middle has stored nothing, and leaves no parts behind", async () => {
    const { cluster } = stage();
    const uploads = join(cluster.storeFolder, ".weir/store/uploads");
    const request = http.request(`${cluster.url("a")}/kv/gone`, {
      method: "PUT",
      headers: { "content-length": String(size) },
    });
    request.on("error", () => undefined);
    request.write(large.subarray(0, 8 * mebibyte));
    await cluster.until(20_000, "an upload is begun", async () => (await readdir(uploads)).length > 0);
    await sleep(systemClock, 100);
    request.destroy();
    await cluster.until(20_000, "the upload is aborted", async () => (await readdir(uploads)).length === 0);
    assert.equal((await cluster.get("b", "gone")).status, 404);
  });

  test("what is read of a value that is replaced all the time, large and small by turns, is of one value", async () => {
    const { cluster } = stage();
    const lengths = [mebibyte + 7, 2 * mebibyte, 900];
    const etags = new Map<string, number>();
    const put = async (n: number): Promise<void> => {
      const value = Buffer.alloc(lengths[n % 3] as number, n + 1);
      etags.set(`"${md5(value)}"`, n + 1);
      const answer = await cluster.put(cluster.ids[n % 2] as string, "turning", value);
      assert.equal(answer.status, 204, answer.body.toString());
    };
    await put(0);
    let isOver = false;
    const counts: Record<number, number> = {};
    const reading = cluster.ids.flatMap((id) =>
      ["bytes=100-", "bytes=700-800", "bytes=-500"].map(async (range) => {
        while (!isOver) {
          // A value that is replaced before its end has come is cut: then there is no answer, rather than a wrong one.
          const part = await cluster.get(id, "turning", { range }).catch(() => undefined);
          counts[part?.status ?? 0] = (counts[part?.status ?? 0] ?? 0) + 1;
          if (part === undefined) continue;
          assert.equal(part.status, 206, part.body.toString());
          const mark = etags.get(part.headers["etag"] as string) as number;
          assert.equal(part.headers["content-length"], String(part.body.length));
          assert.ok(part.body.equals(Buffer.alloc(part.body.length, mark)), `${range} of ${mark}`);
          await sleep(systemClock, 5);
        }
      }),
    );
    // Clients that go away in the middle of what they read.
    const leaving = (async () => {
      while (!isOver) {
        const abort = new AbortController();
        const { body } = await fetch(`${cluster.url("c")}/kv/turning`, { signal: abort.signal });
        await body?.getReader().read();
        abort.abort();
      }
    })();
    try {
      for (let n = 1; n <= 100; n++) await put(n);
    } finally {
      isOver = true;
      await Promise.all([...reading, leaving]);
    }
    assert.ok((counts[206] as number) > 100, JSON.stringify(counts));
    // Nothing is left open of the store's files, beside its locks.
    const locks = join(cluster.storeFolder, ".weir/store/locks");
    const pids = cluster.ids.map((id) => cluster.process(id).pid);
    await cluster.until(20_000, "no file of the store is open", async () => {
      const open = await Promise.all(pids.map(async (pid) => await filesOf(pid)));
      return !open.flat().some((file) => file.startsWith(cluster.storeFolder) && !file.startsWith(locks));
    });
  });

  test("a value of 192 MiB goes in and out within 64 MiB of memory", async () => {
    const { cluster } = stage();
    const { pid } = cluster.process("a");
    const url = `${cluster.url("a")}/kv/film`;
    const idleBytes = residentBytes(pid);
    let mostBytes = 0;
    const timer = setInterval(() => {
      mostBytes = Math.max(mostBytes, residentBytes(pid));
    }, 10);
    try {
      assert.equal(await sendPieces(url, other.subarray(0, mebibyte), 192), 204);
      const { body } = await fetch(url);
      const digest = createHash("md5");
      for await (const chunk of body as ReadableStream<Uint8Array>) digest.update(chunk);
      const expected = createHash("md5");
      for (let count = 0; count < 192; count++) expected.update(other.subarray(0, mebibyte));
      assert.equal(digest.digest("hex"), expected.digest("hex"));
    } finally {
      clearInterval(timer);
    }
    const aboveBytes = mostBytes - idleBytes;
    assert.ok(aboveBytes < 64 * mebibyte, `${Math.round(aboveBytes / mebibyte)} MiB above the idle node`);
  });

  test("a value over the limit is refused before it is sent", async () => {
    const { cluster } = stage();
    const status = await new Promise((resolve, reject) => {
      const request = http.request(`${cluster.url("a")}/kv/huge`, {
        method: "PUT",
        headers: { "content-length": String(2 ** 46), expect: "100-continue" },
      });
      request.on("continue", () => reject(new Error("it was told to go on")));
      request.on("response", ({ statusCode }) => resolve(statusCode));
      request.on("error", reject);
      request.flushHeaders();
    });
    assert.equal(status, 413);
  });

  test("the command line streams a large file in and out", async () => {
    const { cluster } = stage();
    const file = join(cluster.folder, "film");
    await writeFile(file, other);
    const env = { WEIR_URL: cluster.url("c") };
    const put = await weir(["put", "cli/film", file], { env });
    assert.equal(put.code, 0, put.stderr);
    const get = await weir(["get", "cli/film", "-o", `${file}.back`], { env });
    assert.equal(get.code, 0, get.stderr);
    assert(other.equals(await readFile(`${file}.back`)));
  });

  test("the loss of a node that takes a large value leaves the key as it was, and the others go on", async () => {
    const { cluster } = stage();
    assert.equal((await cluster.put("a", "lost", large)).status, 204);
    const request = http.request(`${cluster.url("c")}/kv/lost`, {
      method: "PUT",
      headers: { "content-length": String(size) },
    });
    const failed = new Promise((resolve) => request.on("error", resolve));
    request.write(other.subarray(0, 8 * mebibyte));
    await sleep(systemClock, 200);
    await cluster.process("c").kill();
    await failed;
    assert((await cluster.get("a", "lost")).body.equals(large));
    const put = await cluster.put("b", "lost", other);
    assert.equal(put.status, 204, put.body.toString());
    assert((await cluster.get("a", "lost")).body.equals(other));
    cluster.restart("c");
    await cluster.untilReady();
    assert((await cluster.get("c", "lost")).body.equals(other));
  });

  test("large objects that others put into the store are served as they are, and the old API says where to read them", async () => {
    const { cluster } = stage();
    await mkdir(join(cluster.storeFolder, "others"));
    await writeFile(join(cluster.storeFolder, "others/film"), large);
    const get = await cluster.get("c", "others/film");
    assert.equal(get.status, 200);
    assert(get.body.equals(large));
    const old = await cluster.http.request(cluster.url("a"), "GET", "/get/others/film");
    assert.equal(old.status, 501);
    assert.match(old.body.toString(), /read it with GET \/kv\//);
    // It has been replaced behind the cluster's back, which has known its tag since.
    await writeFile(join(cluster.storeFolder, "others/film"), other);
    assert((await cluster.get("b", "others/film")).body.equals(other));
  });
});

function pattern(length: number, mark: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + (i >> 8) + (i >> 16) * mark) & 0xff;
  return bytes;
}

/** The files that a process has open. */
async function filesOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  return await Promise.all((await readdir(folder)).map(async (fd) => await readlink(join(folder, fd)).catch(() => "")));
}

/** The resident memory of a process. */
function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
}

/** Puts a value that is `count` times the piece; the answer's status. */
async function sendPieces(url: string, piece: Buffer, count: number): Promise<number | undefined> {
  const request = http.request(url, { method: "PUT", headers: { "content-length": String(count * piece.length) } });
  const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
  for (let sent = 0; sent < count; sent++) if (!request.write(piece)) await once(request, "drain");
  request.end();
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}

function chunked(url: string, body: Buffer): Promise<{ status: number; headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "PUT", headers: { "transfer-encoding": "chunked" } });
    request.on("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode as number, headers: response.headers });
    });
    request.on("error", reject);
    for (let offset = 0; offset < body.length; offset += 100_000)
      request.write(body.subarray(offset, offset + 100_000));
    request.end();
  });
}
