/** The dashboard of real nodes: who gets to see it, and that it tells of a node that is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { HttpHost } from "../harness/http-host.ts";
import { tokenOf } from "../harness/tokens.ts";

const timeout = 90_000;

const basic = (name: string, password: string): string[] => [
  `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
];

test("a browser is asked for a token, which is taken as a password for the dashboard and for nothing else", {
  timeout,
}, async () => {
  const [watcher, reader] = [tokenOf("watcher", ["monitor"]), tokenOf("reader", ["read"])];
  await using host = await HttpHost.start();
  host.access.setRules({ tokens: [watcher.rule, reader.rule] });
  const asked = await host.request("GET", "/");
  assert.equal(asked.status, 401);
  assert.match(
    asked.headers["www-authenticate"] ?? "",
    /Bearer realm="weir".*Basic realm="weir: .*", charset="UTF-8"/s,
  );
  for (const name of ["", "somebody"]) {
    const shown = await host.request("GET", "/", basic(name, watcher.token));
    assert.deepEqual([shown.status, shown.body.toString()], [200, "<p>up"]);
    assert.equal(shown.headers["content-security-policy"], "default-src 'none'");
    assert.equal(shown.headers["cache-control"], "no-store");
  }
  const { status, body } = await host.request("HEAD", "/", [`Authorization: Bearer ${watcher.token}`]);
  assert.deepEqual([status, body.length], [200, 0]);
  // A browser asks for another password after a 401 only.
  const lacking = await host.request("GET", "/", basic("x", reader.token));
  assert.equal(lacking.status, 401);
  assert.match(lacking.body.toString(), /needs the right monitor, which the token \\"reader\\" does not have/);
  assert.match(lacking.headers["www-authenticate"] ?? "", /Basic/);
  assert.equal((await host.request("GET", "/", [`Authorization: Bearer ${reader.token}`])).status, 403);
  assert.equal((await host.request("GET", "/", basic("x", "wrong"))).status, 401);
  for (const target of ["/cluster", "/metrics", "/kv/k"]) {
    const refused = await host.request("GET", target, basic("x", watcher.token));
    assert.equal(refused.status, 401, target);
    assert.doesNotMatch(refused.headers["www-authenticate"] ?? "", /Basic/);
  }
  assert.equal((await host.request("POST", "/", basic("x", watcher.token))).status, 405);
});

test("it shows the nodes, and in plain words that one is lost", { timeout }, async () => {
  await using cluster = await TestCluster.start({ nodes: 3 });
  const page = async (): Promise<string> => {
    const { status, headers, body } = await cluster.http.request(cluster.url("a"), "GET", "/");
    assert.deepEqual([status, headers["content-type"]], [200, "text/html; charset=utf-8"]);
    return body.toString();
  };
  await cluster.until(20_000, "all is well", async () => /All is well.*a has joined/s.test(await page()));
  const well = await page();
  for (const id of cluster.ids) assert.ok(well.includes(`<a href="${cluster.url(id)}" rel="noreferrer">${id}</a>`), id);
  await cluster.process("c").kill();
  await cluster.until(20_000, "it is told", async () => {
    const text = await page();
    return text.includes("Not in the cluster: c") && text.includes("c left, or was lost");
  });
  cluster.restart("c");
  await cluster.until(20_000, "all is well again", async () => (await page()).includes("All is well"));
});
