/**
 * A node that is sent what a hostile or broken client might send, for some seconds (WEIR_FUZZ_SECONDS for longer): it
 * answers or closes each connection in time, never with 500, never ends, and holds no more memory or handles
 * afterwards.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { ByteReader, MalformedError } from "../../src/base/codec.ts";
import { readAnswer, readNotice, readRequest } from "../../src/network/message-codec.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { drawPieces, noise } from "../harness/fuzz-requests.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";

const seconds = Number(process.env["WEIR_FUZZ_SECONDS"] ?? 8);
const connections = 12;
/** Longer than a handshake or a body that does not come may take under the settings below. */
const answerMs = 10_000;
const mebibyte = 1024 ** 2;

const config = {
  replicas: 1,
  http: { headersTimeoutMs: 2_000, bodyTimeoutMs: 1_500, keepAliveMs: 1_000 },
  // The runtime does not tell the end of a connection whose request asks for an upgrade that it does not get: a body
  // ends by its time.
  large: { idleMs: 1_500 },
  peers: { handshakeMs: 1_000 },
  buffer: { dirtyBytes: 32 * mebibyte, cacheBytes: 8 * mebibyte, maxValueBytes: mebibyte },
};

/** Sends the pieces and then its end; what came back until the node closed the connection. */
async function exchange(port: number, pieces: readonly Buffer[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, answerMs);
  // A reset is an end like any other.
  socket.on("error", () => {});
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  socket.end();
  await closed;
  clearTimeout(timer);
  assert.equal(isLate, false, `neither answered nor closed: ${show(pieces)}`);
  return Buffer.concat(chunks).toString("latin1");
}

/** For every kind of request to have come. */
const leastConnections = 1_000;

const residentBytes = (pid: number): number => Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;

/** Sockets that the process has open. The store's files are opened as they are needed, and stay. */
function sockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      // Closed since.
      return "";
    }
  });
  return targets.filter((target) => target.startsWith("socket:")).length;
}

test(`a node that is sent nonsense for ${seconds} s answers or closes, and is none the worse`, async (t) => {
  const random = new SimRandom(seedOf(t));
  await using cluster = await TestCluster.start({ nodes: 1, config });
  const port = Number(new URL(cluster.url("a")).port);
  const { pid } = cluster.process("a");
  const statuses = new Map<string, number>();
  let sent = 0;
  const run = async (forMs: number, least = 0): Promise<void> => {
    const endAt = systemClock.now() + forMs;
    await Promise.all(
      Array.from({ length: connections }, async (_, n) => {
        const own = random.fork(`${forMs} ${n}`);
        while (systemClock.now() < endAt || sent < least) {
          const pieces = drawPieces(own);
          const text = await exchange(port, pieces);
          sent++;
          assert.ok(text === "" || text.startsWith("HTTP/1.1 "), `${show(pieces)}: ${text.slice(0, 200)}`);
          for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
            statuses.set(status as string, (statuses.get(status as string) ?? 0) + 1);
            assert.notEqual(status, "500", show(pieces));
          }
        }
      }),
    );
  };
  await run(2_000);
  await sleep(systemClock, 1_500);
  const before = { bytes: residentBytes(pid), sockets: sockets(pid) };
  await run(seconds * 1_000, leastConnections);
  await cluster.until(20_000, "connections are closed", () => Promise.resolve(sockets(pid) <= before.sockets));
  const growth = residentBytes(pid) - before.bytes;
  t.diagnostic(
    `${sent} connections; statuses ${JSON.stringify(Object.fromEntries([...statuses].toSorted(([a], [b]) => Number(a) - Number(b))))}; memory +${Math.round(growth / mebibyte)} MiB`,
  );
  assert.ok(growth < 150 * mebibyte, `the node has grown by ${growth} bytes`);
  for (const status of ["200", "204", "400", "404", "405", "412", "431", "501"])
    assert.ok(statuses.has(status), status);
  assert.equal((await cluster.put("a", "after", "all")).status, 204);
  assert.equal((await cluster.get("a", "after")).body.toString(), "all");
  assert.doesNotMatch(cluster.log(), /because of a bug|AssertionError/);
});

test("bytes that are no message of a peer are malformed, and nothing else", (t) => {
  const random = new SimRandom(seedOf(t));
  const readers = [readRequest, readAnswer, readNotice];
  for (let n = 0; n < 30_000; n++) {
    const head = Buffer.concat([
      Buffer.from([random.pick([1, 2, 3, 4, 5, 6, 7, 8, 9, 32, 33, 34, 35, 37, 38, 39, 64, 200])]),
      noise(random, random.whole(0, 60)),
    ]);
    const payload = random.chance(0.5) ? Buffer.alloc(0) : noise(random, 5);
    for (const read of readers) {
      try {
        const reader = new ByteReader();
        reader.reset(head, 0, head.length);
        read(reader, payload);
      } catch (error) {
        assert.ok(error instanceof MalformedError, `${head.toString("hex")}: ${String(error)}`);
      }
    }
  }
});

function show(pieces: readonly Buffer[]): string {
  return JSON.stringify(Buffer.concat(pieces).toString("latin1").slice(0, 500));
}
