/**
 * `weir forget` on a terminal, over a view in a folder, with no node anywhere: it asks, and only the right answer
 * changes anything.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { runProgram } from "../../src/cli/client/run.ts";
import { createProgram } from "../../src/cli/program.ts";
import { Doubt } from "../../src/core/doubt.ts";
import { formatView, parseView, type View, type ViewMember, viewName } from "../../src/core/view.ts";
import { firstView, joinedView, settledView } from "../../src/core/view-changes.ts";
import { FileStore } from "../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { program as usualProgram } from "../harness/program.ts";
import { clusterStatus, memberStatus } from "../harness/status-fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-forget-"));
after(() => rmSync(folder, { recursive: true }));

const options = { deadlineMs: 5_000 };
const parameters = { clusterId: "c1", replicas: 2, leaseMs: 1_000, flushDeadlineMs: 10_000, ringVersion: 1 } as const;

function memberOf(id: string, disk: number): ViewMember {
  // Nothing listens there.
  return { id, folder: `${id}-${disk}`, incarnation: `${id}-${disk}`, url: "http://127.0.0.1:1", weight: 1 };
}

/** a, b and c, of which b and c are back on empty disks. */
function viewInDoubt(): View {
  const settle = (view: View): View =>
    settledView(view, { lost: new Doubt(view).views, forgotten: [] }, systemRandom.id());
  let view = settle(firstView(memberOf("a", 1), parameters, systemRandom.id()));
  for (const id of ["b", "c"]) view = settle(joinedView(view, memberOf(id, 1), systemRandom.id()));
  for (const id of ["b", "c"]) view = joinedView(view, memberOf(id, 2), systemRandom.id());
  return settle(view);
}

async function openStore(): Promise<FileStore> {
  const store = new FileStore({ path: join(folder, "store") }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  return store;
}

async function storedView(): Promise<View | undefined> {
  await using store = await openStore();
  const result = await store.read(viewName, 1_000_000, options);
  return result.kind === "found" ? parseView(result.blob.body) : undefined;
}

/** Runs the command on a terminal on which `typed` is typed. */
async function forget(args: readonly string[], typed: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const output = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") =>
    new PassThrough().on("data", (chunk: Buffer) => {
      output[name] += chunk.toString();
    });
  const configPath = join(folder, "cluster.json");
  const node = { id: "a", url: "http://127.0.0.1:7070" };
  const store = { type: "file", path: "store" };
  writeFileSync(configPath, JSON.stringify({ cluster: "c", secret: "env:NOT_SET", store, nodes: [node] }));
  stdin.end(typed);
  const program = createProgram({ env: {}, stdin, stdout: sink("stdout"), stderr: sink("stderr") });
  const code = await runProgram(program, ["node", "weir", "forget", ...args, "--config", configPath]);
  return { code, ...output };
}

test("weir forget changes nothing where there is no view, or when anything but the node's id is typed", async () => {
  assert.equal((await forget(["b"], "b\n")).code, 1);
  assert.equal(await storedView(), undefined);

  const before = viewInDoubt();
  {
    await using store = await openStore();
    await store.write(viewName, { body: formatView(before), headers: {} }, { kind: "absent" }, options);
  }
  for (const typed of ["yes\n", "c\n", "\n", ""]) {
    const { code, stdout, stderr } = await forget(["b"], typed);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^What only b had on a data folder that is gone is given up\.\nAbout \d+\.\d % of the keys stay in doubt/,
    );
    assert.match(stderr, /Type b to go on: .*nothing was changed/s);
  }
  assert.deepEqual(await storedView(), before);
});

test("weir forget, with the node's id typed, gives up what only that node had, and the last one is told as the loss", async () => {
  const before = (await storedView()) as View;
  const first = await forget(["b"], "b\n");
  assert.equal(first.code, 0, first.stderr);
  const between = (await storedView()) as View;
  assert.equal(between.epoch, before.epoch + 1);
  assert.deepEqual(between.members, before.members);
  assert.deepEqual(new Doubt(between).awaited, ["c"]);

  const second = await forget(["c"], "c\n");
  assert.match(second.stdout, /For about \d+\.\d % of the keys nobody else has .*: THAT IS LOST\./);
  assert.match(second.stdout, /c is forgotten\. The nodes that run go on by view \d+ within seconds\./);
  assert.equal(new Doubt((await storedView()) as View).any, false);
});

test("weir forget asks a node once more when the operator has confirmed: it may only have been paused", async () => {
  let asked = 0;
  // The first request is never answered, as by a process that is suspended.
  const server = createServer((_request, response) => {
    asked += 1;
    if (asked > 1) response.end(JSON.stringify(clusterStatus([memberStatus("b")], { self: "b" })));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const last = (await storedView()) as View;
  const before = { ...last, members: last.members.map((each) => (each.id === "b" ? { ...each, url } : each)) };
  {
    await using store = await openStore();
    await store.write(viewName, { body: formatView(before), headers: {} }, { kind: "always" }, options);
  }
  const { code, stderr } = await forget(["b", "--force"], "b\n");
  server.closeAllConnections();
  server.close();
  assert.equal(code, 1, stderr);
  assert.equal(asked, 2);
  assert.deepEqual(await storedView(), before);
});

test("weir forget does what it says also when nobody reads what it prints before", async () => {
  const own = mkdtempSync(join(tmpdir(), "weir-forget-"));
  after(() => rmSync(own, { recursive: true }));
  await using store = new FileStore({ path: join(own, "store") }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const before = viewInDoubt();
  await store.write(viewName, { body: formatView(before), headers: {} }, { kind: "absent" }, options);
  const config = join(own, "cluster.json");
  const node = { id: "a", url: "http://127.0.0.1:7070" };
  const content = { cluster: "c", secret: "env:NOT_SET", store: { type: "file", path: "store" }, nodes: [node] };
  writeFileSync(config, JSON.stringify(content));
  const child = spawn(process.execPath, [usualProgram, "forget", "b", "--yes", "--config", config], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  const stderr = child.stderr.toArray();
  assert.deepEqual(await once(child, "exit"), [0, null], Buffer.concat(await stderr).toString());
  const result = await store.read(viewName, 1_000_000, options);
  assert.ok(result.kind === "found");
  assert.equal(parseView(result.blob.body).epoch, before.epoch + 1);
});
