/** `weir dev` as a process: the quick start works as it is printed, and no node outlives it, however it ends. */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { after, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { sleep } from "../../src/base/clock.ts";
import { printWelcome } from "../../src/cli/dev/dev-welcome.ts";
import { systemClock } from "../../src/system.ts";
import { compileCache } from "../harness/command.ts";
import { program } from "../harness/program.ts";

/**
 * Milliseconds for nodes to be gone whose parent was killed: more than the 10 s that they give themselves to leave in
 * order.
 */
const goneMs = 15_000;

interface Dev {
  readonly process: ChildProcess;
  readonly folder: string;
  /** All that it has printed. */
  readonly output: () => string;
  /** Resolves once it has printed `text`; rejects if it ends before. */
  readonly printed: (text: string) => Promise<void>;
}

const folders: string[] = [];

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "weir-dev-"));
  folders.push(folder);
  return folder;
}

/** Starts a small cluster on free ports in `folder`; ended after the test. */
function startDev(t: TestContext, args: readonly string[] = [], folder = freshFolder()): Dev {
  const child = spawn(process.execPath, [program, "dev", "--nodes", "2", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...compileCache },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      for (const listener of listeners) listener();
    });
  }
  t.after(async () => {
    // At once: stopping in order takes up to ten seconds after a loss, and is tested where it is the matter.
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    killAll(await nodePids(folder));
  });
  return {
    process: child,
    folder,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (output.includes(text)) {
            listeners.delete(look);
            resolve();
          }
        };
        listeners.add(look);
        child.once("close", () => reject(new Error(`it ended:\n${output}`)));
        look();
      }),
  };
}

/** Process ids of the nodes: those whose command line names the folder's configuration. */
async function nodePids(folder: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,args="]);
  const lines = stdout.split("\n").filter((line) => line.includes(join(folder, ".weir-dev", "cluster.json")));
  return lines.map((line) => Number.parseInt(line, 10));
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself since it was seen.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** Where the node serves, as it is printed. */
function urlOf(dev: Dev, node: string): string {
  const found = new RegExp(`^ {2}${node} {2}(http:\\S+)$`, "m").exec(dev.output());
  return found?.[1] ?? assert.fail("no address is printed");
}

async function put(dev: Dev, key: string, value: string): Promise<number> {
  return (await fetch(`${urlOf(dev, "a")}/kv/${key}`, { method: "PUT", body: value })).status;
}

async function get(dev: Dev, key: string, node = "a"): Promise<string> {
  return await (await fetch(`${urlOf(dev, node)}/kv/${key}`)).text();
}

async function assertNoNodes(folder: string): Promise<void> {
  const deadline = performance.now() + goneMs;
  // Nobody tells when a process that is no child of ours has ended, so ask.
  while ((await nodePids(folder)).length > 0) {
    assert.ok(performance.now() < deadline, "nodes are left");
    await sleep(systemClock, 50);
  }
}

const keys = Array.from({ length: 30 }, (_, index) => `key/${index}`);

async function putAll(dev: Dev): Promise<void> {
  await Promise.all(keys.map(async (key) => assert.equal(await put(dev, key, `value of ${key}`), 204)));
}

async function assertAll(dev: Dev, node: string): Promise<void> {
  await Promise.all(keys.map(async (key) => assert.equal(await get(dev, key, node), `value of ${key}`)));
}

test("weir dev brings up a cluster whose printed commands work, and stops whole on SIGTERM", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  const commands = dev.output().match(/^ {2}(?:echo|curl|cat|kill) .*$/gm) ?? [];
  assert.equal(commands.length, 4);
  const [putIt, getIt, look] = commands as [string, string, string, string];
  const run = promisify(execFile);
  const shell = async (command: string): Promise<string> =>
    (await run("sh", ["-c", command], { cwd: dev.folder })).stdout;
  await shell(putIt);
  assert.equal(await shell(getIt), "hello\n");
  assert.match(look, /^ {2}cat \.weir-dev\/store\/greeting$/);
  const status = await run(process.execPath, [program, "status", "--config", ".weir-dev/cluster.json"], {
    cwd: dev.folder,
  });
  assert.match(status.stdout, /May I stop it\? /);

  dev.process.kill("SIGTERM");
  assert.deepEqual(await once(dev.process, "close"), [0, null]);
  await assertNoNodes(dev.folder);
  assert.equal(readFileSync(join(dev.folder, ".weir-dev/store/greeting"), "utf8"), "hello\n");
  assert.equal(existsSync(join(dev.folder, ".weir-dev/dev.pid")), false);

  const again = startDev(t, ["--nodes", "1"], dev.folder);
  await again.printed("Ctrl-C stops all");
  assert.doesNotMatch(again.output(), /of the last run/);
  assert.equal(await get(again, "greeting"), "hello\n");
});

test("the commands that weir dev prints work for a folder whose name a shell would take apart", () => {
  const stdout = new PassThrough();
  const terminal = { env: {}, stdin: process.stdin, stdout, stderr: process.stderr };
  const nodes = [{ id: "a", port: 7070 }];
  printWelcome({ nodes, storeUrl: undefined, folder: resolve("my dir's"), pidOf: () => 1 }, terminal);
  assert.match(stdout.read(stdout.readableLength).toString(), /^ {2}cat 'my dir'\\''s\/store\/greeting'$/m);
});

test("weir dev that is killed leaves no node behind", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  assert.equal((await nodePids(dev.folder)).length, 2);
  dev.process.kill("SIGKILL");
  await once(dev.process, "close");
  await assertNoNodes(dev.folder);
});

test("a node that is killed as weir dev says is missed by nobody, and comes back; so do all, if all are killed", async (t) => {
  const dev = startDev(t, ["--nodes", "3"]);
  await dev.printed("Ctrl-C stops all");
  await putAll(dev);
  const hint = /^ {2}kill -9 \d+ .*$/m.exec(dev.output())?.[0] ?? assert.fail("nothing to kill is printed");
  assert.match(hint, /# node c; the others go on, and it comes back$/);
  const killedAt = performance.now();
  await promisify(execFile)("sh", ["-c", hint]);
  await assertAll(dev, "a");
  await assertAll(dev, "b");
  const tookMs = Math.round(performance.now() - killedAt);
  t.diagnostic(`all ${keys.length} keys were read through a and b within ${tookMs} ms`);
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  assert.match(dev.output(), /node c was ended by SIGKILL; it is started again in 3 s/);
  await dev.printed("node c is back, and serves");
  await assertAll(dev, "c");

  killAll(await nodePids(dev.folder));
  for (const node of ["a", "b"]) await dev.printed(`node ${node} is back, and serves`);
  await assertAll(dev, "a");
  assert.equal(dev.process.exitCode, null);
});

test("weir dev that is killed with all its nodes comes up again with fewer, which have every value", async (t) => {
  const dev = startDev(t, ["--nodes", "3"]);
  await dev.printed("Ctrl-C stops all");
  await putAll(dev);
  killAll(await nodePids(dev.folder));
  // Before it notices, or it would start them again.
  dev.process.kill("SIGKILL");
  await once(dev.process, "close");

  const again = startDev(t, ["--nodes", "1"], dev.folder);
  await again.printed("b, c of the last run may have values that are nowhere else");
  await again.printed("Ctrl-C stops all");
  assert.equal((await nodePids(dev.folder)).length, 1);
  await assertAll(again, "a");
});

test("weir dev is alone in its folder and on its store, and takes a signal that comes twice at once for one, as npm passes Ctrl-C on", async (t) => {
  const dev = startDev(t, ["--store", "shared"]);
  await dev.printed("Ctrl-C stops all");
  const other = startDev(t, ["--store", "shared", "--dir", "other"], dev.folder);
  const otherEnd = once(other.process, "close");
  const second = promisify(execFile)(process.execPath, [program, "dev", "--nodes", "1"], { cwd: dev.folder });
  await assert.rejects(second, {
    code: 1,
    stderr: new RegExp(`another weir dev \\(process ${dev.process.pid}\\) uses`),
  });
  assert.deepEqual(await otherEnd, [1, null]);
  assert.match(other.output(), /shared belongs to a cluster of other nodes: a \(http:.*weir forget/);
  assert.equal(dev.process.exitCode, null);

  dev.process.kill("SIGINT");
  await dev.printed("stopping;");
  dev.process.kill("SIGINT");
  assert.deepEqual(await once(dev.process, "close"), [0, null]);
});

test("weir dev whose nodes had to be killed at its end says which, and fails", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  const pids = await nodePids(dev.folder);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  dev.process.kill("SIGTERM");
  await dev.printed("stopping;");
  killAll(pids);
  assert.deepEqual(await once(dev.process, "close"), [1, null]);
  for (const node of ["a", "b"])
    assert.match(dev.output(), new RegExp(`^weir: node ${node} was ended by SIGKILL$`, "m"));
});

test("weir dev whose output is read no more stops its nodes in order, and has not failed", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  await putAll(dev);
  dev.process.stdout?.destroy();
  const closed = once(dev.process, "close");
  // It notices when it has news. Then it stops all of them, and who waits for this one may hear no more.
  await Promise.allSettled([promisify(execFile)(process.execPath, [program, "leave", "--url", urlOf(dev, "b")])]);
  assert.deepEqual(await closed, [0, null]);
  assert.doesNotMatch(dev.output(), /^weir: /m);
  assert.deepEqual(await nodePids(dev.folder), []);
  for (const key of keys) {
    assert.equal(readFileSync(join(dev.folder, ".weir-dev/store", key), "utf8"), `value of ${key}`);
  }
});

test("weir dev refuses a port that is in use and says which", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const dev = startDev(t, ["--port", String(port)]);
  assert.deepEqual(await once(dev.process, "close"), [1, null]);
  assert.match(dev.output(), new RegExp(`port ${port} is in use; choose another first port with --port`));
});
