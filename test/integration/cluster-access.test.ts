/** Tokens over a cluster of real processes: changed while it runs, and used by the command line. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { rights } from "../../src/access/grant.ts";
import { TestCluster } from "../harness/cluster.ts";
import { type Outcome, weir } from "../harness/command.ts";
import { RawConnection, rawRequest } from "../harness/raw-http.ts";
import { SteadyWrites } from "../harness/steady-writes.ts";
import { bearer, type TestToken, tokenOf } from "../harness/tokens.ts";

const timeout = 90_000;

const operator = tokenOf("operator", rights);

async function guardedCluster(...others: readonly TestToken[]): Promise<TestCluster> {
  const tokens = [operator, ...others].map(({ rule }) => rule);
  return await TestCluster.start({ nodes: 2, config: { auth: { tokens } }, token: operator.token });
}

test("a token is changed by a new cluster.json, without a restart and without a refused request", {
  timeout,
}, async () => {
  const [old, next] = [tokenOf("old", ["read", "write"]), tokenOf("new", ["read", "write"])];
  await using cluster = await guardedCluster(old);
  let inUse = old;
  await using writes = new SteadyWrites((index) =>
    cluster.put(cluster.ids[index % 2] as string, "k", String(index), bearer(inUse.token)),
  );
  const isTaken = async ({ token }: TestToken): Promise<boolean> => {
    const answers = await Promise.all(cluster.ids.map((id) => cluster.get(id, "k", bearer(token))));
    return answers.every(({ status }) => status !== 401);
  };
  cluster.configure({ auth: { tokens: [operator.rule, old.rule, next.rule] } });
  await cluster.until(20_000, "the new token is taken by all", () => isTaken(next));
  assert.equal(await isTaken(old), true);
  inUse = next;
  // What was begun with the old one has ended then.
  const until = writes.sent + 10;
  await cluster.until(20_000, "the client goes on", async () => writes.sent > until);
  cluster.configure({ auth: { tokens: [operator.rule, next.rule] } });
  await cluster.until(20_000, "the old token is refused by all", async () => {
    const answers = await Promise.all(cluster.ids.map((id) => cluster.get(id, "k", bearer(old.token))));
    return answers.every(({ status, code }) => status === 401 && code === "unauthorized");
  });
  await writes.stop();
  assert.equal(writes.failed, 0);
  assert.ok(writes.sent > 10);
});

test("commands show the token of a file or of the environment, and say what to do without one", {
  timeout,
}, async () => {
  const reader = tokenOf("reader", ["read"], "photos/");
  await using cluster = await guardedCluster(reader);
  const file = join(cluster.folder, "token.txt");
  writeFileSync(file, `${operator.token}\n`);
  const url = cluster.url("a");
  const run = (args: readonly string[], env: Record<string, string> = {}, input = ""): Promise<Outcome> =>
    weir([...args, "--url", url], { env, input });

  assert.equal((await run(["put", "photos/cat", "--token-file", file], {}, "meow")).code, 0);
  const got = await run(["get", "photos/cat"], { WEIR_TOKEN: reader.token });
  assert.deepEqual([got.code, got.stdout], [0, "meow"]);
  // The file is the nearer of the two.
  assert.equal((await run(["status", "--token-file", file], { WEIR_TOKEN: "wrong" })).code, 0);

  const refused = [
    [await run(["get", "photos/cat"]), /Authorization is missing.*\n.*--token-file FILE or in WEIR_TOKEN/],
    [await run(["get", "photos/cat"], { WEIR_TOKEN: "wrong" }), /the token is not one of this cluster's/],
    [await run(["get", "videos/cat"], { WEIR_TOKEN: reader.token }), /"reader" is for keys .*"photos\/"/],
    [await run(["rm", "photos/cat"], { WEIR_TOKEN: reader.token }), /needs the right write/],
    [await run(["status"], { WEIR_TOKEN: reader.token }), /needs the right monitor/],
    [await run(["leave"], { WEIR_TOKEN: reader.token }), /needs the right monitor/],
    [await run(["get", "x", "--token-file", join(cluster.folder, "none")]), /can't read .*none: there is no such file/],
    [await run(["get", "x", "--token-file", cluster.configPath]), /cluster.json does not hold a token/],
  ] as const;
  for (const [outcome, expected] of refused) {
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, expected);
    assert.equal(`${outcome.stdout}${outcome.stderr}`.includes(reader.token), false);
  }
});

test("a node that runs is not forgotten because it refuses to say who it is", { timeout }, async () => {
  await using cluster = await guardedCluster();
  const env = { WEIR_TEST_SECRET: "only the nodes need it" };
  const forget = ["forget", "a", "--config", cluster.configPath, "--force", "--yes"];
  const blind = await weir(forget, { env });
  assert.equal(blind.code, 1);
  assert.match(blind.stderr, /Authorization is missing/);
  const seeing = await weir(forget, { env: { ...env, WEIR_TOKEN: operator.token } });
  assert.equal(seeing.code, 1);
  assert.match(seeing.stderr, /a runs: it answers at/);
  assert.equal((await cluster.status("b")).members.length, 2);
});

test("weir token makes tokens that the nodes take, each another one, and shows them once", { timeout }, async () => {
  await using cluster = await guardedCluster();
  const made = await weir(["token", "--name", "ci", "--allow", "read,write", "--prefix", "ci/", "--json"]);
  const { token, entry } = JSON.parse(made.stdout) as { token: string; entry: TestToken["rule"] };
  assert.match(token, /^weir_[\w-]{43}$/);
  assert.equal(JSON.stringify(entry).includes(token), false);
  cluster.configure({ auth: { tokens: [operator.rule, entry] } });
  await cluster.until(20_000, "the token is taken", async () => {
    return (await cluster.put("b", "ci/x", "1", bearer(token))).status === 204;
  });
  assert.equal((await cluster.put("b", "x", "1", bearer(token))).status, 403);

  const words = await weir(["token", "--name", "prometheus", "--allow", "monitor"]);
  const other = /weir_[\w-]{43}/.exec(words.stdout)?.[0] as string;
  assert.notEqual(other, token);
  assert.equal(words.stdout.split(other).length, 2);
  assert.match(words.stderr, /\{"name":"prometheus","hash":"sha256:[0-9a-f]{64}","allow":\["monitor"\]\}/);
  for (const args of [["--name", "a b"], ["--name", "a", "--allow", "all"], ["--name", "a", "--prefix", ""], []]) {
    assert.notEqual((await weir(["token", ...args])).code, 0, args.join(" "));
  }
});

test("a change of the log's level counts at once, in all parts of a node", { timeout }, async () => {
  await using cluster = await TestCluster.start({ nodes: 1 });
  const node = cluster.process("a");
  assert.equal(cluster.log().includes('"level":"debug"'), false);
  cluster.configure({ log: { level: "debug", format: "json" } });
  await node.printed('"settings":"log.level"');
  const call = ["Connection: Upgrade", "Upgrade: weir-peer/1"];
  await cluster.until(20_000, "a call of a peer that says nothing is told at debug", async () => {
    await using connection = await RawConnection.open(Number(new URL(cluster.url("a")).port));
    await connection.send(rawRequest("GET", "/peer", call)).answer();
    return cluster.log().includes("a peer's call came to nothing");
  });
});
