/**
 * The secret of a cluster of real processes: changed while it runs, refused to strangers, and, like all other secrets,
 * never shown.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { rights } from "../../src/access/grant.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { NodeProcess } from "../harness/node-process.ts";
import { ownPorts } from "../harness/own-ports.ts";
import { RawConnection, rawRequest } from "../harness/raw-http.ts";
import { SteadyWrites } from "../harness/steady-writes.ts";
import { bearer, tokenOf } from "../harness/tokens.ts";

const timeout = 120_000;

test("the cluster's secret is changed on nodes that run, one file after the other, without a failed write", {
  timeout,
}, async () => {
  const env = { OLD_SECRET: "the older secret, 16+", NEW_SECRET: "the newer secret, 16+" };
  await using cluster = await TestCluster.start({ nodes: 3, env, config: { secret: "env:OLD_SECRET" } });
  await using writes = new SteadyWrites((index) => cluster.put("a", `k${index % 50}`, String(index)));
  const lists = [["env:OLD_SECRET", "env:NEW_SECRET"], ["env:NEW_SECRET", "env:OLD_SECRET"], "env:NEW_SECRET"] as const;
  for (const [step, secret] of lists.entries()) {
    cluster.configure({ secret });
    await cluster.until(20_000, "all nodes have the list", async () => {
      const told = cluster
        .log()
        .match(/these settings count from now on","?[^\n]*"settings":"secret"|"settings":"secret"/g);
      return (told?.length ?? 0) >= 3 * (step + 1);
    });
  }
  // New links are made with the newer one.
  const again = await cluster.process("c").stop(15_000);
  assert.equal(again.code, 0);
  await cluster.until(20_000, "there were writes meanwhile", () => Promise.resolve(writes.sent > 20));
  await writes.stop();
  cluster.restart("c");
  await cluster.untilReady();
  assert.equal(writes.failed, 0);
  assert.equal((await cluster.get("c", "k0")).status, 200);
  assert.doesNotMatch(cluster.log(), /do not have the same cluster secret/);
  for (const secret of Object.values(env)) assert.equal(cluster.log().includes(secret), false);
});

test("a node with another secret, or of another cluster, is let into none, and both ends' logs say why", {
  timeout,
}, async () => {
  await using cluster = await TestCluster.start({ nodes: 2 });
  const before = await cluster.status("a");
  const strangers = [
    { changes: {}, secret: "of another cluster", told: "do not have the same cluster secret" },
    { changes: { cluster: "other" }, secret: undefined, told: 'is of the cluster \\"other\\"' },
  ];
  for (const [index, { changes, secret, told }] of strangers.entries()) {
    const [port] = await ownPorts(1);
    const nodes = cluster.ids.map((id) => ({ id, url: cluster.url(id) }));
    const stranger = { id: `x${index}`, url: `http://127.0.0.1:${port}` };
    const store = { type: "file", path: `store-${index}` };
    const configPath = cluster.writeOther(`stranger-${index}.json`, { ...changes, store, nodes: [...nodes, stranger] });
    const env = { WEIR_TEST_SECRET: secret ?? cluster.secret };
    const process = new NodeProcess({ id: stranger.id, configPath, env });
    try {
      await process.printed(told);
      await cluster.process("a").printed(told);
    } finally {
      await process.kill();
    }
    assert.equal(process.lines.join("\n").includes("of another cluster"), false);
  }
  const after = await cluster.status("a");
  assert.deepEqual(
    after.members.map(({ id }) => id),
    before.members.map(({ id }) => id),
  );
});

test("no secret is in what nodes log, answer, write and are called with, nor in what commands print", {
  timeout,
}, async () => {
  const operator = tokenOf("operator", rights);
  const reader = tokenOf("reader", ["read"], "photos/");
  const secret = "SECRET-of-the-nodes-0123456789";
  const spare = "SECRET-spare-of-the-nodes-98765";
  await using cluster = await TestCluster.start({
    nodes: 2,
    env: { NODES_SECRET: secret, SPARE_SECRET: spare },
    config: {
      secret: ["env:NODES_SECRET", "env:SPARE_SECRET"],
      auth: { tokens: [operator.rule, reader.rule] },
      log: { level: "debug" },
    },
    token: operator.token,
  });
  const authority = new CertificateAuthority(join(cluster.folder, "tls"));
  const files = authority.issue();
  const privateKey = readFileSync(files.key, "utf8").split("\n")[1] as string;
  const tokenFile = join(cluster.folder, "token.txt");
  writeFileSync(tokenFile, operator.token);
  const hidden = { secret, spare, operator: operator.token, reader: reader.token, privateKey };
  const seen: string[] = [];

  const paths = ["/cluster", "/metrics", "/readyz", "/kv/", "/kv/photos/x", "/get/videos/x", "/nowhere"];
  for (const id of cluster.ids) {
    for (const path of paths) {
      for (const headers of [{}, bearer(reader.token), bearer(`${operator.token}x`), { authorization: reader.token }]) {
        const answer = await cluster.http.request(cluster.url(id), "GET", path, { headers });
        seen.push(JSON.stringify(answer.headers), answer.body.toString());
      }
    }
    await cluster.put(id, "photos/x", "v", { "x-weir-meta-owner": "ada" });
    // What can't be parsed, and a call of a peer that ends in nothing.
    for (const request of [
      `GET /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${operator.token}\r\nbad header\r\n\r\n`,
      rawRequest("GET", `/kv/${operator.token}/../x`, [`Authorization: Bearer ${operator.token}`, "Range: x"]),
      rawRequest("GET", "/peer", ["Connection: Upgrade", "Upgrade: weir-peer/1"]),
    ]) {
      await using connection = await RawConnection.open(Number(new URL(cluster.url(id)).port));
      connection.send(request).socket.end();
      await connection.rest();
    }
  }
  const env = { NODES_SECRET: secret, SPARE_SECRET: spare };
  const tls = { ...files, key: files.cert };
  const wrong = cluster.writeOther("wrong.json", {
    tls,
    nodes: [{ id: "a", url: "https://127.0.0.1:7999" }],
    replicas: 0,
  });
  const misplaced = cluster.writeOther("misplaced.json", {
    secret,
    auth: { tokens: [{ ...reader.rule, hash: reader.token }] },
  });
  for (const args of [
    ["check", cluster.configPath],
    ["check", cluster.configPath, "--json"],
    ["check", wrong],
    ["check", misplaced],
    ["status", "--config", cluster.configPath, "--token-file", tokenFile, "--json"],
    ["get", "photos/x", "--config", cluster.configPath, "--token-file", files.key],
    ["get", "none", "--config", cluster.configPath, "--token-file", tokenFile],
  ]) {
    const { stdout, stderr } = await weir(args, { env });
    seen.push(stdout, stderr);
  }
  // A change that is refused, and one that counts.
  cluster.configure({ secret, auth: "none" });
  await cluster.process("a").printed("has changed and is wrong");
  cluster.configure({ secret: ["env:SPARE_SECRET"], auth: { tokens: [operator.rule] } });
  await cluster.process("a").printed('"settings":"auth, secret"');
  for (const id of cluster.ids) seen.push(readFileSync(`/proc/${cluster.process(id).pid}/cmdline`, "utf8"));
  seen.push(cluster.log());

  const text = seen.join("\n");
  assert.ok(text.length > 10_000);
  for (const [name, value] of Object.entries(hidden)) assert.equal(text.includes(value), false, name);
});
