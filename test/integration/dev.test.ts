/** `weir dev` as a process: the quick start works as it is printed, and no node outlives it, however it ends. */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { promisify } from "node:util";

const main = join(import.meta.dirname, "../../src/main.ts");

/** Milliseconds for nodes to be gone whose parent was killed: more than the 10 s that they give themselves to leave in order. */
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
  const child = spawn(process.execPath, [main, "dev", "--nodes", "2", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"] },
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
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "close");
    }
    // None is left unless the test has found just that.
    for (const pid of await nodePids(folder)) process.kill(pid, "SIGKILL");
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

/** The first node's address, as it is printed. */
function firstUrl(dev: Dev): string {
  return /^ {2}a {2}(http:\S+)$/m.exec(dev.output())?.[1] ?? assert.fail("no address is printed");
}

async function put(dev: Dev, key: string, value: string): Promise<number> {
  return (await fetch(`${firstUrl(dev)}/kv/${key}`, { method: "PUT", body: value })).status;
}

async function get(dev: Dev, key: string): Promise<string> {
  return await (await fetch(`${firstUrl(dev)}/kv/${key}`)).text();
}

async function assertNoNodes(folder: string): Promise<void> {
  const deadline = performance.now() + goneMs;
  // Nobody tells when a process that is no child of ours has ended, so ask.
  while ((await nodePids(folder)).length > 0) assert.ok(performance.now() < deadline, "nodes are left");
}

test("weir dev brings up a cluster whose printed commands work, and stops whole on SIGTERM", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  const commands = dev.output().match(/^ {2}(?:echo|curl|cat) .*$/gm) ?? [];
  assert.equal(commands.length, 3);
  const [put, get, look] = commands as [string, string, string];
  const run = promisify(execFile);
  const shell = async (command: string): Promise<string> =>
    (await run("sh", ["-c", command], { cwd: dev.folder })).stdout;
  await shell(put);
  assert.equal(await shell(get), "hello\n");
  assert.match(look, /^ {2}cat \.weir-dev\/store\/greeting$/);
  const status = await run(process.execPath, [main, "status", "--config", ".weir-dev/cluster.json"], {
    cwd: dev.folder,
  });
  assert.match(status.stdout, /May I stop a node\? /);

  dev.process.kill("SIGTERM");
  assert.deepEqual(await once(dev.process, "close"), [0, null]);
  await assertNoNodes(dev.folder);
  assert.equal(readFileSync(join(dev.folder, ".weir-dev/store/greeting"), "utf8"), "hello\n");
  assert.equal(existsSync(join(dev.folder, ".weir-dev/dev.pid")), false);
});

test("weir dev takes a signal that comes twice at once for one, as npm passes Ctrl-C on", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  dev.process.kill("SIGINT");
  await dev.printed("stopping;");
  dev.process.kill("SIGINT");
  assert.deepEqual(await once(dev.process, "close"), [0, null]);
});

test("weir dev that is killed leaves no node behind", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  assert.equal((await nodePids(dev.folder)).length, 2);
  dev.process.kill("SIGKILL");
  await once(dev.process, "close");
  await assertNoNodes(dev.folder);
});

test("a node that dies is named, and weir dev stops the others and exits with 1", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  const [pid] = await nodePids(dev.folder);
  process.kill(pid as number, "SIGKILL");
  assert.deepEqual(await once(dev.process, "close"), [1, null]);
  assert.match(dev.output(), /node [ab] was ended by SIGKILL; stopping the others/);
  await assertNoNodes(dev.folder);
});

test("weir dev with all its nodes killed comes up again with fewer, which have every value", async (t) => {
  const dev = startDev(t, ["--nodes", "3"]);
  await dev.printed("Ctrl-C stops all");
  const keys = Array.from({ length: 30 }, (_, index) => `key/${index}`);
  await Promise.all(keys.map(async (key) => assert.equal(await put(dev, key, `value of ${key}`), 204)));
  for (const pid of await nodePids(dev.folder)) process.kill(pid, "SIGKILL");
  await once(dev.process, "close");

  const again = startDev(t, ["--nodes", "1"], dev.folder);
  await again.printed("b, c of the last run may have values that are nowhere else");
  await again.printed("Ctrl-C stops all");
  assert.equal((await nodePids(dev.folder)).length, 1);
  for (const key of keys) assert.equal(await get(again, key), `value of ${key}`);
  again.process.kill("SIGTERM");
  assert.deepEqual(await once(again.process, "close"), [0, null]);
  assert.equal(readFileSync(join(dev.folder, ".weir-dev/store/key/7"), "utf8"), "value of key/7");

  const third = startDev(t, ["--nodes", "2"], dev.folder);
  await third.printed("Ctrl-C stops all");
  assert.doesNotMatch(third.output(), /of the last run/);
  assert.equal(await get(third, "key/7"), "value of key/7");
});

test("weir dev over the store of other nodes, whose journals it does not have, refuses and names them", async (t) => {
  const dev = startDev(t, ["--store", "shared"]);
  await dev.printed("Ctrl-C stops all");
  const other = startDev(t, ["--store", "shared", "--dir", "other"], dev.folder);
  assert.deepEqual(await once(other.process, "close"), [1, null]);
  assert.match(other.output(), /shared belongs to a cluster of other nodes: a \(http:.*weir forget/);
  assert.equal(dev.process.exitCode, null);
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

test("a second weir dev in the same folder is refused", async (t) => {
  const dev = startDev(t);
  await dev.printed("Ctrl-C stops all");
  const second = promisify(execFile)(process.execPath, [main, "dev", "--nodes", "1"], { cwd: dev.folder });
  await assert.rejects(second, {
    code: 1,
    stderr: new RegExp(`another weir dev \\(process ${dev.process.pid}\\) uses`),
  });
});
