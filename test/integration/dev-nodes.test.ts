/**
 * The nodes of `weir dev` as processes that end in all ways; small programs stand for them, since only their ends and
 * `/readyz` matter.
 */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DevNodes } from "../../src/cli/dev/dev-nodes.ts";
import { systemClock } from "../../src/system.ts";
import { ownPorts } from "../harness/own-ports.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

/** Serves while the file is there, and leaves on SIGUSR2; without the file it can't start. */
const program = `
  const [port, file, stopMs = 0] = process.argv.slice(1);
  if (!require("node:fs").existsSync(file)) {
    console.error("it can't start");
    process.exit(3);
  }
  for (const signal of ["SIGTERM", "SIGUSR2"]) process.on(signal, () => setTimeout(() => process.exit(0), Number(stopMs)));
  process.on("disconnect", () => process.exit(0));
  require("node:http").createServer((request, response) => response.end("ok")).listen(port, "127.0.0.1");
`;

interface Stage {
  readonly nodes: DevNodes;
  readonly file: string;
  readonly news: readonly string[];
  readonly lines: readonly string[];
  readonly kill: (id: string, signal: NodeJS.Signals) => void;
  /** Resolves once `count` sentences were told. */
  readonly told: (count: number) => Promise<void>;
}

async function startNodes(t: TestContext, stopMs = 0): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "weir-dev-nodes-"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  const ports = await ownPorts(2);
  const news: string[] = [];
  const lines: string[] = [];
  const tell = { told: (): void => undefined };
  const nodes = new DevNodes({
    nodes: ports.map((port, index) => ({ id: index === 0 ? "a" : "b", port })),
    specOf: (id) => {
      const port = String(ports[id === "a" ? 0 : 1]);
      return {
        name: id,
        program: process.execPath,
        arguments: ["-e", program, port, file, id === "b" ? String(stopMs) : "0"],
        env: {},
      };
    },
    clock: systemClock,
    onLine: (id, line) => lines.push(`${id} ${line}`),
    onNews: (text) => {
      news.push(text);
      tell.told();
    },
    restartMs: 20,
    flushDeadlineMs: 10_000,
  });
  t.after(async () => {
    await nodes.stop(5_000);
    if (existsSync(folder)) rmSync(folder, { recursive: true });
  });
  return {
    nodes,
    file,
    news,
    lines,
    kill: (id, signal) => process.kill(nodes.pidOf(id) as number, signal),
    told: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (news.length >= count) resolve();
        };
        tell.told = look;
        look();
      }),
  };
}

test("dev nodes: one that is killed is started again, each time", { timeout }, async (t) => {
  const { nodes, news, kill, told } = await startNodes(t);
  await nodes.allReady();
  nodes.keepRunning();
  for (let round = 1; round <= 4; round++) {
    const pid = nodes.pidOf("b");
    kill("b", "SIGKILL");
    await told(2 * round);
    assert.notEqual(nodes.pidOf("b"), pid);
    assert.deepEqual(news.slice(-2), [
      "node b was ended by SIGKILL; it is started again in 0.02 s",
      `node b is back, and serves (process ${nodes.pidOf("b")})`,
    ]);
  }
  assert.deepEqual(await nodes.stop(5_000), []);
});

test("dev nodes: one that can't start three times in a row ends the whole, with why", { timeout }, async (t) => {
  const { nodes, file, lines, news, kill } = await startNodes(t);
  await nodes.allReady();
  nodes.keepRunning();
  rmSync(file);
  kill("a", "SIGKILL");
  assert.deepEqual(await nodes.ended, {
    kind: "failed",
    text: "node a ended with exit code 3: it could not be started, 3 times in a row",
  });
  assert.deepEqual(lines, ["a it can't start", "a it can't start", "a it can't start"]);
  assert.equal(news.length, 3);
});

test("dev nodes: while they come up, the end of any one ends the whole", { timeout }, async (t) => {
  const { nodes, kill } = await startNodes(t);
  kill("b", "SIGKILL");
  assert.deepEqual(await nodes.ended, { kind: "failed", text: "node b was ended by SIGKILL" });
});

test("dev nodes: those that have left stay away, and when all have, there is nothing to run", {
  timeout,
}, async (t) => {
  const { nodes, news, kill, told } = await startNodes(t);
  await nodes.allReady();
  nodes.keepRunning();
  kill("a", "SIGUSR2");
  await told(1);
  kill("b", "SIGUSR2");
  assert.deepEqual(await nodes.ended, { kind: "left" });
  assert.deepEqual(
    news,
    ["a", "b"].map((id) => `node ${id} has left the cluster, and is not started again`),
  );
});

test("nodes that take their time to stop: who it is, and why, is told meanwhile", { timeout }, async (t) => {
  const { nodes, news } = await startNodes(t, 2_500);
  await nodes.allReady();
  assert.deepEqual(await nodes.stop(10_000), []);
  assert.equal(news.length, 1, news.join());
  assert.match(news[0] ?? "", /^still waiting for b: .* wait up to 10 s, .*Ctrl-C again/);
});
