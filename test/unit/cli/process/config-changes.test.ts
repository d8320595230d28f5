/** A cluster.json that changes while a node runs: what takes effect, what has to wait, and what is ignored. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigReload } from "../../../../src/cli/process/config-reload.ts";
import { type Config, parseConfig } from "../../../../src/config/config.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";

const env = { WEIR_SECRET: "0123456789abcdef", OTHER_SECRET: "fedcba9876543210" };
const a = { id: "a", url: "http://127.0.0.1:7070" };
const b = { id: "b", url: "http://127.0.0.1:7071" };
const c = { id: "c", url: "http://127.0.0.1:7072" };
const file = { cluster: "photos", secret: "env:WEIR_SECRET", store: { type: "file", path: "store" }, nodes: [a, b] };

function textOf(changes: Readonly<Record<string, unknown>>): string {
  // Small enough for any machine's memory.
  const buffer = { dirtyBytes: 20_000_000, cacheBytes: 0 };
  return JSON.stringify({ ...file, buffer, ...changes });
}

/** Node a as it runs, with what it was told. */
function running(changes: Readonly<Record<string, unknown>> = {}) {
  const config: Config = parseConfig(textOf(changes), {
    fileName: "cluster.json",
    folder: process.cwd(),
    env,
    memoryBytes: 1024 ** 3,
    purpose: "member",
  });
  const log = new RecordedLog();
  const clock = new ManualClock();
  const reconfigured: { auth: Config["auth"]; level: string }[] = [];
  const calls: (readonly string[] | "leave")[] = [];
  const target = {
    reconfigure({ nodes, auth, log: { level } }: Config) {
      reconfigured.push({ auth, level });
      calls.push(nodes.map(({ id, url }) => `${id} ${url}`));
    },
    leave: () => void calls.push("leave"),
  };
  const reload = new ConfigReload({ path: "cluster.json", env, running: config, node: "a", target, clock, log });
  return {
    reload,
    log,
    clock,
    calls,
    reconfigured,
    change: (next: Readonly<Record<string, unknown>>) => reload.onChange(textOf(next)),
  };
}

test("a node that is added, removed or moved counts at once, and is named in the log", () => {
  const { log, calls, change } = running();
  change({ nodes: [a, b, c] });
  change({ nodes: [a, { ...b, url: "http://127.0.0.1:8080" }, c] });
  change({ nodes: [a, c] });
  assert.deepEqual(calls, [
    ["a http://127.0.0.1:7070", "b http://127.0.0.1:7071", "c http://127.0.0.1:7072"],
    ["a http://127.0.0.1:7070", "b http://127.0.0.1:8080", "c http://127.0.0.1:7072"],
    ["a http://127.0.0.1:7070", "c http://127.0.0.1:7072"],
  ]);
  assert.deepEqual(
    log.lines.map(({ fields }) => [fields?.["added"], fields?.["removed"], fields?.["moved"]]),
    [
      [["c"], [], []],
      [[], [], ["b"]],
      [[], ["b"], []],
    ],
  );
});

test("a node that is at another url itself has to be started again for that, and nobody is told that it moved", () => {
  const { log, calls, change } = running();
  change({ nodes: [{ ...a, url: "http://127.0.0.1:8080" }, b] });
  assert.deepEqual(calls, []);
  assert.deepEqual(
    log.lines.filter(({ level }) => level === "warn").map(({ fields }) => fields?.["settings"]),
    ["nodes.a.url"],
  );
});

test("a file that is only written anew, in other words, changes nothing", () => {
  const { log, calls, change } = running();
  change({ replicas: 2 });
  assert.deepEqual(calls, []);
  assert.deepEqual(log.messages("warn"), []);
  assert.match(log.messages("info").join(), /nothing that can change while the node runs has changed/);
});

test("settings that need a restart are told in one line, once, and again when they change further", () => {
  const { log, calls, change } = running();
  const settings = { flush: { delayMs: 7 }, request: { limit: 7 }, nodes: [{ ...a, weight: 2 }, b] };
  change(settings);
  change({ ...settings, nodes: [...settings.nodes, c] });
  change({ ...settings, log: { format: "json" } });
  change({});
  const warned = log.lines.filter(({ level }) => level === "warn").map(({ fields }) => fields?.["settings"]);
  assert.deepEqual(warned, [
    "flush.delayMs, request.limit, nodes.a.weight",
    "flush.delayMs, request.limit, log.format, nodes.a.weight",
  ]);
  assert.equal(calls.length, 2);
});

test("settings that the first node has fixed for all are told apart: a restart of one node changes nothing", () => {
  const { log, change } = running();
  change({ replicas: 3, peers: { leaseMs: 2_000 }, flush: { delayMs: 7, deadlineMs: 9_000 } });
  const told = log.lines
    .filter(({ level }) => level === "warn")
    .map(({ message, fields }) => [message, fields?.["settings"]]);
  assert.deepEqual(told, [
    ["these settings have changed and take effect when the node is started again", "flush.delayMs"],
    [
      "these settings have changed and take effect once all nodes have left and are started again",
      "replicas, flush.deadlineMs, peers.leaseMs",
    ],
  ]);
});

test("another store is told apart: nobody is asked to restart nodes one by one with it", () => {
  const { log, change } = running();
  change({ store: { type: "file", path: "elsewhere" } });
  const [line, ...more] = log.lines.filter(({ level }) => level === "warn");
  assert.match(String(line?.message), /the store has changed in the configuration.*stop all nodes in order/);
  assert.deepEqual([line?.fields?.["settings"], more], ["store.path", []]);
});

test("tokens and the log's level count at once, and the log names them", () => {
  const { log, reconfigured, change } = running();
  const auth = { tokens: [{ name: "a", hash: `sha256:${"1".repeat(64)}`, allow: ["read"] }] };
  change({ auth });
  change({ auth, log: { level: "debug" } });
  change({ auth: "none", log: { level: "debug" } });
  const known = { ...auth, s3Keys: [] };
  assert.deepEqual(reconfigured, [
    { auth: known, level: "info" },
    { auth: known, level: "debug" },
    { auth: "none", level: "debug" },
  ]);
  const told = log.lines.map(({ level, fields }) => [level, fields?.["settings"]]);
  assert.deepEqual(told, [
    ["info", "auth"],
    ["info", "log.level"],
    ["info", "auth"],
  ]);
});

test("a secret whose reference is the same and whose value is not counts at once, and is not shown", () => {
  const { reload, log } = running();
  const changed = new ConfigReload({
    path: "cluster.json",
    env: { ...env, WEIR_SECRET: "another secret of 16" },
    running: parseConfig(textOf({}), {
      fileName: "f",
      folder: process.cwd(),
      env,
      memoryBytes: 1024 ** 3,
      purpose: "member",
    }),
    node: "a",
    target: {
      reconfigure: ({ secret }) => assert.equal(secret[0]?.reveal(), "another secret of 16"),
      leave: () => assert.fail(),
    },
    clock: new ManualClock(),
    log,
  });
  changed.onChange(textOf({}));
  assert.equal(log.lines[0]?.fields?.["settings"], "secret");
  assert.ok(!JSON.stringify(log.lines).includes("another secret"));
  reload.onChange(textOf({}));
  assert.equal(log.messages("info").length, 2);
  assert.deepEqual(log.messages("warn"), []);
});

test("a file with mistakes is ignored with all of them in the log, and the next right one counts", () => {
  const { reload, log, clock, calls, change } = running();
  change({ nodes: [a, { id: "B", url: "x" }], replicas: 0 });
  clock.advance(5_000);
  reload.onChange('{"cluster": ');
  clock.advance(5_000);
  assert.deepEqual(calls, []);
  assert.equal(log.messages("error").length, 2);
  const message = log.lines[0]?.fields?.["reason"] as string;
  for (const path of ["nodes[1].id: ", "nodes[1].url: ", "replicas: "]) assert.ok(message.includes(path), message);
  change({ nodes: [a, b, c] });
  assert.equal(calls.length, 1);
});

test("a file that is empty, half or away while it is written is told only if it stays so, and without a stack", () => {
  const { reload, log, clock, calls, change } = running();
  reload.onChange("");
  clock.advance(200);
  reload.onChange('{"cluster": ');
  clock.advance(200);
  reload.onUnreadable(new Error("ENOENT"));
  clock.advance(200);
  change({ nodes: [a, b, c] });
  clock.advance(5_000);
  assert.deepEqual([log.messages("error"), calls.length, clock.idle], [[], 1, true]);
  reload.onUnreadable(new Error("ENOENT"));
  clock.advance(5_000);
  assert.equal(log.messages("error").length, 1);
  assert.deepEqual(log.lines.at(-1)?.fields, { reason: "ENOENT" });
  reload.onChange("");
  reload[Symbol.dispose]();
  assert.equal(clock.idle, true);
});

test("the file of another cluster is ignored, whatever nodes it has", () => {
  const { log, calls, change } = running();
  change({ cluster: "videos", nodes: [c] });
  assert.deepEqual(calls, []);
  assert.match(log.messages("error").join(), /another cluster/);
});

test("a node whose own entry is removed leaves, once, and heeds no further change", () => {
  const { log, calls, change } = running();
  change({ nodes: [b, c] });
  change({ nodes: [b] });
  change({ nodes: [a, b] });
  assert.deepEqual(calls, ["leave"]);
  assert.match(log.messages("warn").join(), /no longer in the configuration: it leaves the cluster/);
});

const tokens = { tokens: [{ name: "a", hash: `sha256:${"1".repeat(64)}`, allow: ["read"] }] };

for (const [what, exposed, safe] of [
  ["listens where other hosts reach it", { listen: { host: "0.0.0.0" } }, {}],
  ["listens there and is to have none", { listen: { host: "0.0.0.0" } }, { auth: "none" }],
  ["has a url of another host", { nodes: [{ ...a, url: "http://10.0.0.1:7070" }, b] }, {}],
  ["lets pages of all origins in", { http: { cors: { origins: ["*"] } } }, { auth: "none" }],
] as const) {
  test(`a node that ${what} keeps its tokens when a file without them needs a restart to be safe`, () => {
    const { log, reconfigured, change } = running({ ...exposed, auth: tokens });
    assert.equal(change({ ...safe, log: { level: "debug" } }), true);
    assert.deepEqual(reconfigured, [{ auth: { ...tokens, s3Keys: [] }, level: "debug" }]);
    assert.match(log.messages("error").join(), /keeps the auth that it had until it is started again/);
    // Other tokens are no danger.
    change({ ...exposed, auth: { tokens: [{ ...tokens.tokens[0], name: "b" }] } });
    assert.match(JSON.stringify(reconfigured[1]), /"name":"b"/);
  });
}

test("a file with a mistake is not taken, and each mistake is told once, however often it is read", () => {
  const { log, clock, change, reload } = running();
  const told = (): number => log.messages("error").length;
  for (let look = 0; look < 3; look++) {
    assert.equal(change({ secret: "env:NOT_YET" }), false);
    clock.advance(5_000);
  }
  assert.equal(told(), 1);
  change({ secret: "env:NOR_THIS" });
  clock.advance(5_000);
  assert.equal(told(), 2);
  assert.equal(change({ secret: "env:OTHER_SECRET" }), true);
  change({ secret: "env:NOR_THIS" });
  clock.advance(5_000);
  assert.equal(told(), 3, "it is a mistake anew");
  reload.tellAgain();
  change({ secret: "env:NOR_THIS" });
  clock.advance(5_000);
  assert.equal(told(), 4, "an operator has asked");
});

test("a mistake is told where the file is looked at again and again within a second", () => {
  const { log, clock, change } = running();
  for (let look = 0; look < 15; look++) {
    change({ secret: "env:NOT_YET" });
    clock.advance(100);
  }
  assert.equal(log.messages("error").length, 1);
});

test("a node that other hosts reach takes auth none from a file that exposes it, too", () => {
  const exposed = { listen: { host: "0.0.0.0" } };
  const { log, reconfigured, change } = running({ ...exposed, auth: tokens });
  change({ ...exposed, auth: "none" });
  change({ auth: "none", log: { level: "debug" } });
  assert.deepEqual(reconfigured, [
    { auth: "none", level: "info" },
    { auth: "none", level: "debug" },
  ]);
  assert.deepEqual(log.messages("error"), [], "what is in force already is no danger of the newer file");
});
