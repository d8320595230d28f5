/** `weir health`, as a health check runs it. */

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";

test("weir health tells an answering node from one that is suspended or ended, and only --ready asks whether it serves", async () => {
  await using cluster = await TestCluster.start({ nodes: 1 });
  const own = ["health", "--config", cluster.configPath];
  // Without --node: the entry whose url names an address of this host. No secret is needed.
  assert.deepEqual(await weir(own), { code: 0, stdout: `${cluster.url("a")} is alive\n`, stderr: "" });
  assert.deepEqual(await weir(["health", "--ready", "--url", cluster.url("a")]), {
    code: 0,
    stdout: `${cluster.url("a")} is ready\n`,
    stderr: "",
  });

  for (const [more, state] of [
    [[], "alive"],
    [["--ready"], "ready"],
  ] as const) {
    const { code, stdout } = await weir([...own, ...more, "--json"]);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { url: cluster.url("a"), state });
  }

  cluster.process("a").signal("SIGSTOP");
  const suspended = await weir(own);
  cluster.process("a").signal("SIGCONT");
  assert.equal(suspended.code, 1);
  assert.match(suspended.stderr, /no answer from/);

  await cluster.process("a").stop(10_000);
  const ended = await weir(own);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /nothing listens there/);
});

test("weir health asks the node of this host where it listens, not another one and not its outer address", async () => {
  await using cluster = await TestCluster.start({ nodes: 1 });
  const port = Number(new URL(cluster.url("a")).port);
  const path = join(cluster.folder, "mapped.json");
  const nodes = [
    { id: "a", url: "http://weir-a.example:80" },
    { id: "b", url: cluster.url("a") },
  ];
  const file = { cluster: "test", secret: "env:NOT_SET", store: { type: "file", path: "s" }, auth: "none", nodes };
  for (const host of ["0.0.0.0", "::"]) {
    writeFileSync(path, JSON.stringify({ ...file, listen: { host, port } }));
    assert.equal((await weir(["health", "--config", path], { env: { WEIR_NODE: "a" } })).code, 0, host);
  }
  writeFileSync(path, JSON.stringify({ ...file, listen: { host: "127.0.0.1", port: 1 } }));
  const { code, stderr } = await weir(["health", "--config", path, "--node", "a"]);
  assert.equal(code, 1);
  assert.match(stderr, /http:\/\/127\.0\.0\.1:1: nothing listens there/);
});

test("weir health reaches a node whose configuration has become wrong, with which it could not start again", async () => {
  await using cluster = await TestCluster.start({ nodes: 1 });
  const url = cluster.url("a");
  const right = JSON.parse(readFileSync(cluster.configPath, "utf8")) as object;
  const own = ["health", "--ready", "--config", cluster.configPath];

  writeFileSync(cluster.configPath, JSON.stringify({ ...right, replicas: "two" }));
  const wrong = await weir(own);
  assert.deepEqual([wrong.code, wrong.stdout], [0, `${url} is ready\n`]);
  assert.match(wrong.stderr, /replicas/);
  assert.ok(wrong.stderr.endsWith(`The node is asked at ${url} all the same.\n`), wrong.stderr);

  const withoutConfig = { env: { WEIR_URL: url } };
  writeFileSync(cluster.configPath, '{ "cluster": "te');
  const broken = await weir(own, withoutConfig);
  assert.deepEqual([broken.code, broken.stdout], [0, `${url} is ready\n`]);
  assert.match(broken.stderr, /is not JSON/);

  rmSync(cluster.configPath);
  const gone = await weir([...own, "--node", "a"], withoutConfig);
  assert.deepEqual([gone.code, gone.stdout], [0, `${url} is ready\n`]);
  assert.match(gone.stderr, /there is no such file/);

  writeFileSync(cluster.configPath, JSON.stringify({ ...right, nodes: [{ id: "a", url: "7070" }] }));
  assert.equal((await weir(own, withoutConfig)).code, 0);
  await cluster.process("a").stop(10_000);
  assert.equal((await weir(own, withoutConfig)).code, 1);
});
