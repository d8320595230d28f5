/**
 * Nodes are stopped one after the other while clients of all kinds, broken ones among them, open connections without a
 * pause: each stops in order, whatever a connection was just doing, a handshake of TLS included.
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { TestCluster } from "../harness/cluster.ts";
import { drawPieces } from "../harness/fuzz-requests.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";

const stops = 8;
/** Connections at a time: some more than are served. */
const clients = 60;
const served = 50;
/** A client waits for so many milliseconds at most before it goes, answered or not. */
const patienceMs = 300;
const stopMs = 20_000;

const folder = mkdtempSync(join(tmpdir(), "weir-stops-"));
after(() => rmSync(folder, { recursive: true }));
const authority = new CertificateAuthority(folder);
const certificate = authority.issue();
const ca = readFileSync(authority.ca, "utf8");

/** Sends its pieces, from the first moment or once it is let in, and goes. */
async function visit(port: number, random: SimRandom): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  // Nobody listens, or nobody any more.
  socket.on("error", () => {});
  socket.resume();
  const send = async (): Promise<void> => {
    for (const piece of drawPieces(random)) {
      socket.write(piece);
      await sleep(systemClock, random.pick([0, 0, 10]));
    }
    await sleep(systemClock, random.whole(0, patienceMs / 2));
    if (random.chance(0.7)) socket.end();
    else socket.destroy();
  };
  if (random.chance(0.7)) void send();
  else socket.once("secureConnect", () => void send());
  const patience = setTimeout(() => socket.destroy(), patienceMs);
  await closed;
  clearTimeout(patience);
}

test("nodes that are stopped amid a storm of connections stop in order", { timeout: 180_000 }, async (t) => {
  const random = new SimRandom(seedOf(t));
  await using cluster = await TestCluster.start({
    tls: { ca },
    config: { tls: { ...certificate, ca: authority.ca }, http: { connections: served } },
  });
  const ports = cluster.ids.map((id) => Number(new URL(cluster.url(id)).port));
  let goesOn = true;
  let visits = 0;
  const storm = Array.from({ length: clients }, async (_, n) => {
    const own = random.fork(`client ${n}`);
    for (; goesOn; visits++) {
      await visit(own.pick(ports), own);
      // A node that is down refuses at once.
      await sleep(systemClock, own.whole(0, 40));
    }
  });
  try {
    for (let n = 0; n < stops; n++) {
      const id = random.pick(cluster.ids);
      await sleep(systemClock, random.whole(0, patienceMs));
      const node = cluster.process(id);
      const end = await node.stop(stopMs);
      assert.deepEqual(end, { code: 0, signal: null }, node.lines.slice(-20).join("\n"));
      cluster.restart(id);
      await cluster.untilReady();
    }
  } finally {
    goesOn = false;
    await Promise.all(storm);
  }
  t.diagnostic(`${visits} connections`);
  assert.doesNotMatch(cluster.log(), /"level":"error"/);
});

test("a node that is stopped as soon as it listens ends, and is no member", { timeout: 120_000 }, async () => {
  await using cluster = await TestCluster.start();
  for (const afterMs of [0, 20, 40, 60, 80, 120, 160]) {
    const end = await cluster.process("c").stop(stopMs);
    assert.deepEqual(end, { code: 0, signal: null }, cluster.process("c").lines.slice(-10).join("\n"));
    cluster.restart("c");
    await cluster.process("c").printed('"listening"');
    await sleep(systemClock, afterMs);
  }
  assert.deepEqual(await cluster.process("c").stop(stopMs), { code: 0, signal: null });
  await cluster.until(stopMs, "the others go on", async () => {
    const { settled, members } = await cluster.status("a");
    return settled && members.length === 2;
  });
});
