/**
 * weir as process 1 of a container, where the kernel ignores signals without a handler: it ends on SIGTERM from the
 * first moment on.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { hangMs } from "../harness/patience.ts";
import { program, sourceProgram } from "../harness/program.ts";
import { within } from "../harness/within.ts";

const unshare = ["--pid", "--fork", "--kill-child"];
const mayUnshare = spawnSync("unshare", [...unshare, "true"]).status === 0;
const skip = mayUnshare ? false : "needs the right to make a namespace of processes";

test("weir as process 1 ends on SIGTERM before anything has asked for signals", { skip, timeout: hangMs }, async () => {
  // A server that never answers: the command waits for it, and has no handler of its own.
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const server = createServer(() => resolve()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const env = { ...process.env, WEIR_URL: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
  const child = spawn("unshare", [...unshare, process.execPath, program, "get", "k"], { env, stdio: "ignore" });
  const ended = once(child, "exit");
  try {
    await within(asked, 30_000);
    const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim());
    process.kill(pid, "SIGTERM");
    assert.deepEqual(await within(ended, 5_000), [143, null]);
  } finally {
    child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  }
});

test("the program hears signals before it loads anything else", () => {
  const [first] = readFileSync(sourceProgram, "utf8").matchAll(/^import .*$/gm);
  assert.equal(first?.[0], 'import "./cli/process/early-signals.ts";');
});
