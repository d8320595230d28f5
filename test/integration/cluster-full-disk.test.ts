/**
 * A node whose disk is full, as a small file system that something else fills: under load, with what restarts a process
 * at once. No request fails at the other nodes, which are not kept in view changes, and the node says what is wrong.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { BalancedClients } from "../harness/balanced-clients.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";

const mebibyte = 1024 ** 2;
const diskBytes = 64 * mebibyte;
const restartMs = 500;
const watchedMs = 4_000;

/** Why no file system can be mounted here. */
const noMount: string | false = ((): string | false => {
  const folder = mkdtempSync(join(tmpdir(), "weir-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "weir-test", folder]).status === 0;
  if (isMounted) execFileSync("umount", [folder]);
  rmdirSync(folder);
  return isMounted ? false : "only root may mount a file system, and not everywhere";
})();

/** A small file system of its own under a folder. */
class SmallDisk implements Disposable {
  readonly path: string;

  constructor(path: string) {
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "weir-test", path]);
    this.path = path;
  }

  /** Something else takes all that is left. */
  fill(): void {
    const file = openSync(join(this.path, "filler"), "w");
    const block = Buffer.alloc(mebibyte);
    try {
      for (let bytes = block.length; bytes >= 4_096; ) {
        try {
          writeSync(file, block, 0, bytes);
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
          bytes /= 2;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.path, "filler"));
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", this.path]);
  }
}

/** Starts the node again whenever its process has ended, as systemd does. */
class Supervisor implements AsyncDisposable {
  starts = 0;
  #isOn = true;
  readonly #ended: Promise<void>;

  constructor(cluster: TestCluster, id: string) {
    this.#ended = this.#watch(cluster, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOn = false;
    await this.#ended;
  }

  async #watch(cluster: TestCluster, id: string): Promise<void> {
    while (this.#isOn) {
      if (!cluster.process(id).isRunning) {
        cluster
          .process(id)
          .expectEnd()
          .catch(() => undefined);
        await sleep(systemClock, restartMs);
        cluster.restart(id);
        this.starts += 1;
      }
      await sleep(systemClock, 50);
    }
  }
}

test("a full disk costs the other nodes one loss and no failed request, and its node is back once there is room", {
  skip: noMount,
  timeout: 120_000,
}, async (t) => {
  await using cluster = await TestCluster.start({ config: { flush: { delayMs: 200 } } });
  await cluster.process("c").kill();
  cluster.loseData("c");
  using disk = new SmallDisk(join(cluster.folder, "weir-data", "c"));
  cluster.restart("c");
  await cluster.untilReady();
  await using clients = new BalancedClients(cluster);
  await clients.avoid("c");
  const epoch = async (): Promise<number> => (await cluster.status("a")).epoch;
  /** Changes of the view while the work is done. */
  const changesDuring = async (work: () => Promise<unknown>): Promise<number> => {
    const before = await epoch();
    await work();
    return (await epoch()) - before;
  };
  const trouble = async (): Promise<string | undefined> => (await cluster.status("c").catch(() => undefined))?.trouble;
  const isLost = async (): Promise<boolean> => (await cluster.status("a")).members.length === 2;

  await using supervisor = new Supervisor(cluster, "c");
  const lost = await changesDuring(async () => {
    disk.fill();
    await cluster.until(20_000, "c is out", async () => (await trouble()) !== undefined && (await isLost()));
    await sleep(systemClock, watchedMs);
  });
  t.diagnostic(`${lost} view changes with a full disk, ${supervisor.starts} starts`);
  assert.ok(lost <= 2, `${lost} view changes`);
  clients.assertServed("a disk fills up");
  assert.match((await trouble()) ?? "", /is full \(ENOSPC.*make room there/);
  const { stdout } = await weir(["status", "--url", cluster.url("c")]);
  assert.match(stdout, /c takes no part in the cluster: the disk of the data folder .* is full/);

  const health = await weir(["health", "--url", cluster.url("c")]);
  assert.deepEqual([health.code, health.stderr], [0, ""]);
  assert.match(health.stdout, /is alive: the disk of this node's data folder does not work or is full/);
  const elsewhere = await weir(["status", "--url", cluster.url("a")]);
  assert.match(elsewhere.stdout, /Not in the cluster: c, .* if it runs, its log and \/readyz say what it waits for/);

  // Who restarts it by hand, too, does not bring it into the view: it tries the disk out first.
  const restarted = await changesDuring(async () => {
    for (let n = 0; n < 2; n++) {
      await cluster.process("c").kill();
      await sleep(systemClock, 1_500);
    }
    await cluster.until(20_000, "c says so again", async () => (await trouble()) !== undefined);
  });
  assert.equal(restarted, 0, `${restarted} view changes by restarts`);
  assert.match((await trouble()) ?? "", /is full \(.* are free, 16 MiB are needed\)/);
  clients.assertServed("its node is restarted");

  const back = await changesDuring(async () => {
    disk.free();
    await cluster.untilReady();
    assert.equal(await isLost(), false);
  });
  assert.ok(back <= 2, `${back} view changes`);
  clients.assertServed("its node is back");
});
