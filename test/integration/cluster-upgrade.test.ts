/**
 * Nodes of two releases beside each other: what a rolling upgrade rests on, and what stops one that can't be done so.
 */

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { protocolVersion } from "../../src/network/link-handshake.ts";
import { systemClock } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";

const root = join(import.meta.dirname, "..", "..");

/** The program as a release that speaks the next version of the link's protocol; the rest of it is the same. */
const folder = mkdtempSync(join(tmpdir(), "weir-upgrade-"));
after(() => rmSync(folder, { recursive: true }));
const handshakePath = join(folder, "src", "network", "link-handshake.ts");
for (const name of ["src", "package.json"]) cpSync(join(root, name), join(folder, name), { recursive: true });
symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
const declared = `protocolVersion = ${protocolVersion};`;
const handshake = readFileSync(handshakePath, "utf8");
assert.ok(handshake.includes(declared));
writeFileSync(handshakePath, handshake.replace(declared, `protocolVersion = ${protocolVersion + 1};`));
// What is compiled of it is of no use to other tests.
const compiled = `NODE_COMPILE_CACHE=${join(folder, "compiled")}`;
const nextRelease = ["env", compiled, process.execPath, join(folder, "src", "main.ts")];

test("a node whose release speaks another protocol is kept out in plain words at both ends, while the others go on", async () => {
  await using cluster = await TestCluster.start({ nodes: 2 });
  assert.equal((await cluster.put("a", "before", "1")).status, 204);
  const { epoch } = await cluster.status("a");
  const id = await cluster.add({ program: nextRelease });
  const words = `speaks version ${protocolVersion} of the peer protocol, the other version ${protocolVersion + 1}`;
  const reversed = `speaks version ${protocolVersion + 1} of the peer protocol, the other version ${protocolVersion}`;
  await cluster.until(20_000, "both ends say why", () => {
    const says = (node: string): boolean =>
      cluster.process(node).lines.some((line) => line.includes(words) || line.includes(reversed));
    return Promise.resolve(says("a") && says("b") && says(id));
  });
  await cluster.process(id).printed("waiting to join the cluster");
  const readiness = await cluster.http.request(cluster.url(id), "GET", "/readyz");
  assert.equal(readiness.status, 503);
  // It lives, so nobody should restart it; it is only not to be sent requests.
  assert.equal((await weir(["health", "--url", cluster.url(id)])).code, 0);
  const notReady = await weir(["health", "--ready", "--url", cluster.url(id)]);
  assert.equal(notReady.code, 1);
  assert.match(notReady.stderr, /has not joined the cluster yet/);
  // Neither in the view nor in the way: nothing has changed for the others.
  for (let round = 0; round < 20; round++) {
    assert.equal((await cluster.put("b", `key-${round}`, "2")).status, 204);
    await sleep(systemClock, 50);
  }
  assert.equal((await cluster.status("a")).epoch, epoch);
  assert.equal((await cluster.get("a", "before")).body.toString(), "1");
  // With the release of the others it joins.
  assert.equal((await cluster.process(id).stop(15_000)).code, 0);
  cluster.listOnly(cluster.ids);
  cluster.restart(id);
  await cluster.untilReady();
});

describe("an upgrade", { concurrency: 2 }, () => {
  test("to another protocol goes by stopping all nodes in order and starting them anew, and loses nothing", async () => {
    await using cluster = await TestCluster.start({ nodes: 2, config: { flush: { delayMs: 3_600_000 } } });
    for (let index = 0; index < 20; index++) {
      assert.equal((await cluster.put("a", `key-${index}`, `value-${index}`)).status, 204);
    }
    for (const { code } of await cluster.stopAll()) assert.equal(code, 0);
    for (const id of cluster.ids) cluster.restart(id, { program: nextRelease });
    await cluster.untilReady();
    for (let index = 0; index < 20; index++) {
      assert.equal((await cluster.get("b", `key-${index}`)).body.toString(), `value-${index}`);
    }
  });

  test("goes on after a loss of power, too: all nodes start with the other protocol over their journals, and nothing is lost", async () => {
    await using cluster = await TestCluster.start({ nodes: 2, config: { flush: { delayMs: 3_600_000 } } });
    for (let index = 0; index < 20; index++) {
      assert.equal((await cluster.put("a", `key-${index}`, `value-${index}`)).status, 204);
    }
    await Promise.all(cluster.ids.map(async (id) => await cluster.process(id).kill()));
    for (const id of cluster.ids) cluster.restart(id, { program: nextRelease });
    await cluster.untilReady();
    for (let index = 0; index < 20; index++) {
      assert.equal((await cluster.get("b", `key-${index}`)).body.toString(), `value-${index}`);
    }
  });
});
