/**
 * More clients connect to a node than the system lets it have open files: it serves as many as there is room for, and
 * goes on.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { program } from "../harness/program.ts";

const flood = 1_500;

function limitedTo(openFiles: number): readonly string[] {
  return ["sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", process.execPath, program];
}

test("a node that more clients connect to than it may have files open goes on, with its journal and its store", async () => {
  await using cluster = await TestCluster.start({ program: limitedTo(1_000), config: { journal: "always" } });
  await cluster.process("a").printed('"openFiles":1000,"connections":');
  const port = Number(new URL(cluster.url("a")).port);
  const sockets: Socket[] = [];
  for (let n = 0; n < flood; n++) {
    const socket = connect(port, "127.0.0.1");
    // Refused or cut.
    socket.on("error", () => {});
    sockets.push(socket);
    if (n % 50 === 0) await once(socket, "connect");
  }
  const value = Buffer.alloc(1_000_000, "x");
  // Its journal begins new files, and a third of the keys are its own to flush.
  for (let n = 0; n < 100; n++) assert.equal((await cluster.put("b", `key ${n}`, value)).status, 204);
  await sleep(systemClock, 1_000);
  for (const socket of sockets) socket.destroy();
  await cluster.until(10_000, "it serves clients again", async () => {
    const answer = await cluster.put("a", "after", "the flood").catch(() => undefined);
    return answer?.status === 204;
  });
  assert.doesNotMatch(cluster.log(), /EMFILE|"level":"error"/);
});

test("a node that may have too few files open does not start, and says so", async () => {
  await assert.rejects(
    TestCluster.start({ nodes: 1, program: limitedTo(150) }),
    /may have 150 files and sockets open, and needs \d+ at least: raise its limit/,
  );
});
