/** Who is let in: tokens and their rights on each route, and what browsers are misled to send. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rights } from "../../src/access/grant.ts";
import { formatToken } from "../../src/access/token.ts";
import type { Need } from "../../src/http/server/route.ts";
import { assertMessage, assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { type RawAnswer, rawRequest } from "../harness/raw-http.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { type TestToken, tokenOf } from "../harness/tokens.ts";

const timeout = hangMs;

const bearer = (token: string): string[] => [`Authorization: Bearer ${token}`];

async function guarded(...tokens: readonly TestToken[]): Promise<HttpHost> {
  const host = await HttpHost.start();
  host.access.setRules({ tokens: tokens.map(({ rule }) => rule) });
  return host;
}

/** Every method of every route, with what it needs. */
function everyRequest(host: HttpHost): { method: string; target: string; need: Need; isOld: boolean }[] {
  return host.routes.flatMap(([path, route]) =>
    Object.entries(route.needs).map(([method, need]) => ({
      method,
      target: route.kind === "key" ? `${path}some/key` : path,
      need,
      isOld: route.refuse !== undefined,
    })),
  );
}

function assertRefused(answer: RawAnswer, isOld: boolean, isHead: boolean, status: 401 | 403): void {
  assert.equal(answer.status, status);
  if (isHead) return;
  if (isOld) assertMessage(answer, status);
  else assertProblem(answer, status, status === 401 ? "unauthorized" : "forbidden");
}

describe("a route", { timeout }, () => {
  test("is served to nobody without a token, unless it is a probe", async () => {
    await using host = await guarded(tokenOf("a", rights));
    const open: string[] = [];
    for (const { method, target, need, isOld } of everyRequest(host)) {
      if (need === "open") {
        open.push(`${method} ${target}`);
        assert.notEqual((await host.request(method, target)).status, 401);
        continue;
      }
      for (const headers of [[], bearer(formatToken(Buffer.alloc(32, 1)))]) {
        const answer = await host.request(method, target, headers);
        assertRefused(answer, isOld, method === "HEAD", 401);
        const challenge = 'Bearer realm="weir"';
        const expected = headers.length === 0 ? challenge : `${challenge}, error="invalid_token"`;
        // Browsers are asked for a token with the dashboard, and with nothing else.
        const [found, more] = (answer.headers["www-authenticate"] ?? "").split(",Basic ");
        assert.deepEqual([found, more !== undefined], [expected, target === "/"]);
      }
    }
    assert.deepEqual(open, ["GET /healthz", "HEAD /healthz", "GET /readyz", "HEAD /readyz"]);
    assert.equal(host.node.leaves, 0);
    assert.equal(host.operations.calls, 0);
  });

  test("is served with the right that it needs, and refused with all others", async () => {
    const full = tokenOf("full", rights);
    await using host = await guarded(full);
    for (const { method, target, need, isOld } of everyRequest(host)) {
      if (need === "open") continue;
      // Those who may change the cluster may look at it, too.
      const enough = need === "monitor" ? ["monitor", "admin"] : [need];
      const only = tokenOf("only", [need]);
      const others = tokenOf(
        "others",
        rights.filter((right) => !enough.includes(right)),
      );
      host.access.setRules({ tokens: [only.rule, others.rule] });
      assertRefused(await host.request(method, target, bearer(others.token)), isOld, method === "HEAD", 403);
      const { status } = await host.request(method, target, bearer(only.token));
      assert.ok(status !== 401 && status !== 403, `${method} ${target}: ${status}`);
      if (need !== "monitor") continue;
      const admin = tokenOf("admin", ["admin"]);
      host.access.setRules({ tokens: [admin.rule] });
      assert.notEqual((await host.request(method, target, bearer(admin.token))).status, 403);
    }
  });

  test("is served to tokens from the moment that the rules name them until they do not", async () => {
    const [first, second] = [tokenOf("first", ["write"]), tokenOf("second", ["write"])];
    await using host = await guarded(first);
    await using connection = await host.connect();
    const put = async ({ token }: TestToken): Promise<number> =>
      (await connection.send(rawRequest("PUT", "/kv/a", bearer(token), "x")).answer()).status;
    assert.equal(await put(first), 204);
    host.access.setRules({ tokens: [first.rule, second.rule] });
    assert.deepEqual([await put(first), await put(second)], [204, 204]);
    host.access.setRules({ tokens: [second.rule] });
    assert.equal((await host.request("PUT", "/kv/a", bearer(first.token), "x")).status, 401);
    assert.equal(await put(second), 204);
  });
});

describe("a token with a prefix", { timeout }, () => {
  test("is for keys that begin with it, however they are written, on both APIs", async () => {
    const { token, rule } = tokenOf("photos", ["read", "write"], "photos/ä");
    await using host = await guarded({ token, rule });
    const old = (key: string): Buffer => Buffer.from(JSON.stringify({ key, extension: "txt", data: "eA==" }));
    const within = ["photos/%C3%A4", "photos%2F%c3%a4%2F..%2Fb", "photos/%C3%A4/../../b"];
    for (const key of within) {
      assert.equal((await host.request("PUT", `/kv/${key}`, bearer(token), "x")).status, 204, key);
      assert.equal((await host.request("GET", `/kv/${key}`, bearer(token))).status, 200, key);
      assert.equal((await host.request("GET", `/get/${key}`, bearer(token))).status, 200, key);
    }
    assert.equal((await host.request("POST", "/put/", bearer(token), old("photos/äb"))).status, 200);
    assert.equal((await host.request("GET", "/kv/?prefix=photos%2F%C3%A4", bearer(token))).status, 200);
    for (const query of ["", "?", "?prefix=", "?prefix=photos/", "?prefix=videos", "?after=photos/%C3%A4"]) {
      assertProblem(await host.request("GET", `/kv/${query}`, bearer(token)), 403, "forbidden");
    }
    const puts = host.operations.calls;
    for (const key of ["photos", "photos/", "photos/a", "other", "/photos/%C3%A4", "Photos/%C3%A4", "%2e%2e/photos"]) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        assertProblem(await host.request(method, `/kv/${key}`, bearer(token)), 403, "forbidden");
      }
      assert.match(assertMessage(await host.request("GET", `/get/${key}`, bearer(token)), 403), /"photos\/ä"/);
      const put = await host.request("POST", "/put/", bearer(token), old(decodeURIComponent(key)));
      assertMessage(put, 403);
    }
    assert.equal(host.operations.calls, puts);
  });
});

describe("a refusal", { timeout }, () => {
  test("comes before the body, whether the client waits for it or has begun to send", async () => {
    const { token, rule } = tokenOf("reader", ["read"]);
    await using host = await guarded({ token, rule });
    for (const [headers, code] of [
      [[], "unauthorized"],
      [bearer(token), "forbidden"],
    ] as const) {
      for (const extra of [["Expect: 100-continue"], []]) {
        await using connection = await host.connect();
        const all = [...headers, ...extra, "Content-Length: 1000000"];
        const head = `PUT /kv/a HTTP/1.1\r\nHost: a\r\n${all.join("\r\n")}\r\n\r\n`;
        assertProblem(await connection.send(head).answer(), code === "forbidden" ? 403 : 401, code);
      }
    }
    assert.equal(host.operations.calls, 0);
  });

  test("names the token's holder and right, and nothing of the token", async () => {
    const { token, rule } = tokenOf("reader", ["read"]);
    await using host = await guarded({ token, rule });
    const { detail } = assertProblem(await host.request("DELETE", "/kv/a", bearer(token)), 403, "forbidden");
    assert.equal(detail, 'this needs the right write, which the token "reader" does not have');
    assert.equal(JSON.stringify([host.lines, host.debugLines]).includes(token), false);
  });
});

test("access: tokens of any length and bytes, cut, doubled or in great number, let nobody in and break nothing", {
  timeout,
}, async (context) => {
  const { token, rule } = tokenOf("a", rights);
  await using host = await guarded({ token, rule });
  const random = new SimRandom(seedOf(context));
  const bytes = (length: number): string =>
    Buffer.from(Array.from({ length }, () => random.whole(0x21, 0x7e))).toString("latin1");
  const hostile = [
    "",
    "Bearer",
    "Bearer ",
    `Bearer  ${token}x`,
    token,
    `Basic ${Buffer.from(`weir:${token}`).toString("base64")}`,
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token},Bearer ${token}`,
    `Bearer ${token.toUpperCase()}`,
    `Bearer ${rule.hash}`,
    `Bearer ${token}\t`,
    `Bearer\t${token}`,
    `Bearer "${token}"`,
    "Bearer __proto__",
    "Bearer constructor",
    `Bearer ${"x".repeat(12_000)}`,
    `Bearer ${"=".repeat(12_000)}`,
    `Bearer ${" ".repeat(12_000)}x y`,
    ...Array.from({ length: 500 }, () => `Bearer ${bytes(random.whole(1, 300))}`),
    ...Array.from({ length: 100 }, () => bytes(random.whole(0, 2_000))),
    // Bytes above ASCII are allowed in a header's value.
    ...Array.from({ length: 100 }, () => `Bearer ${"\x80\xff".repeat(random.whole(1, 100))}${token}`),
  ];
  await using connection = await host.connect();
  for (const value of hostile) {
    // A tab or a space at an end is no part of the value (RFC 9110, section 5.5).
    const isToken = value.trimEnd() === `Bearer ${token}`;
    const answer = await connection.send(rawRequest("GET", "/kv/a", [`Authorization: ${value}`])).answer();
    assert.equal(answer.status, isToken ? 404 : 401, JSON.stringify(value));
  }
  for (const count of [2, 200]) {
    const many = Array.from({ length: count }, () => `Authorization: Bearer ${token}`);
    assertProblem(await host.request("GET", "/kv/a", many), 400, "header_invalid");
  }
  assert.equal((await host.request("GET", "/kv/a", [`authorization: bEARER ${token}`])).status, 404);
});

describe("what a browser sends for a page of another site", { timeout }, () => {
  const foreign = [["Sec-Fetch-Site: cross-site"], ["Sec-Fetch-Site: same-site"], ["Origin: http://evil.example"]];

  test("is refused when it would change something, on every route", async () => {
    await using host = await HttpHost.start();
    for (const { method, target, isOld } of everyRequest(host)) {
      if (method === "GET" || method === "HEAD") continue;
      for (const headers of foreign) {
        const answer = await host.request(method, target, ["Content-Type: text/plain", ...headers]);
        if (isOld) assertMessage(answer, 403);
        else assertProblem(answer, 403, "cross_site_request");
      }
    }
    assert.equal(host.operations.calls, 0);
    assert.equal(host.node.leaves, 0);
  });

  test("is no page of the node's own site where it is a value, whatever type the value is said to have", async () => {
    await using host = await HttpHost.start();
    for (const type of ["text/html", "image/svg+xml", "nonsense"]) {
      await host.request("PUT", "/kv/page", [`Content-Type: ${type}`], "<script>fetch('/cluster')</script>");
      for (const method of ["GET", "HEAD"]) {
        const { headers } = await host.request(method, "/kv/page");
        assert.equal(headers["content-security-policy"], "sandbox");
        assert.equal(headers["x-content-type-options"], "nosniff");
      }
    }
    // Without one of its own it is data, which browsers do not open.
    await host.request("PUT", "/kv/page", [], "<script>fetch('/cluster')</script>");
    const { headers } = await host.request("GET", "/kv/page");
    assert.equal(headers["content-type"], "application/octet-stream");
    // What such a page sends comes from no site.
    const answer = await host.request("POST", "/cluster/leave", ["Origin: null"]);
    assertProblem(answer, 403, "cross_site_request");
  });

  test("is refused under any name but this host's, while only this host is to be served", async () => {
    await using host = await HttpHost.start();
    host.access.setRules("loopback");
    const ask = async (name: string, target: string): Promise<RawAnswer> => {
      await using connection = await host.connect();
      return await connection.send(`GET ${target} HTTP/1.1\r\nHost: ${name}\r\n\r\n`).answer();
    };
    for (const name of [
      "evil.example",
      "evil.example:7070",
      "127.0.0.1.evil.example",
      "10.0.0.1",
      "localhost.evil",
      "",
    ]) {
      assertProblem(await ask(name, "/kv/a"), 403, "cross_site_request");
      assertProblem(await ask(name, "/cluster"), 403, "cross_site_request");
      assert.equal((await ask(name, "/healthz")).status, 200);
    }
    for (const name of ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "127.1.2.3", "[::1]:7070"]) {
      assert.equal((await ask(name, "/kv/a")).status, 404, name);
    }
  });

  test("is refused without tokens under a name that is not known for the cluster, which may resolve to anything", async () => {
    await using host = await HttpHost.start();
    host.access.setRules({ names: ["weir-a", "Weir.Example.org"] });
    const ask = async (name: string, request: string): Promise<RawAnswer> => {
      await using connection = await host.connect();
      return await connection.send(`${request} HTTP/1.1\r\nHost: ${name}\r\n\r\n`).answer();
    };
    const strangers = [
      "evil.example",
      "evil.example:7070",
      "10.0.0.1.evil.example",
      "weir-a.evil",
      "a:b:c",
      "[evil]",
      "",
    ];
    for (const name of strangers) {
      for (const request of [
        "GET /kv/a",
        "GET /",
        "GET /cluster",
        "PUT /kv/a",
        "DELETE /kv/a",
        "POST /cluster/leave",
      ]) {
        assertProblem(await ask(name, request), 403, "cross_site_request");
      }
      assert.equal((await ask(name, "GET /healthz")).status, 200);
    }
    assert.equal(host.operations.calls + host.node.leaves, 0);
    const known = [
      "weir-a",
      "WEIR-A:7070",
      "weir.example.org.",
      "10.0.0.1:7070",
      "[fe80::1]:7070",
      "localhost:1",
      "::1",
    ];
    for (const name of known) assert.equal((await ask(name, "GET /kv/a")).status, 404, name);
    // These rules, too, count until others take their place.
    host.access.setRules({ names: ["evil.example"] });
    assert.equal((await ask("evil.example", "GET /kv/a")).status, 404);
    assertProblem(await ask("weir-a", "GET /kv/a"), 403, "cross_site_request");
  });

  test("is served under any name to a token", async () => {
    const { token, rule } = tokenOf("a", rights);
    await using host = await guarded({ token, rule });
    await using connection = await host.connect();
    const head = `GET /kv/a HTTP/1.1\r\nHost: any.example\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    assert.equal((await connection.send(head).answer()).status, 404);
  });
});
