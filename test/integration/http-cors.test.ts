/**
 * Pages of other sites: by default they can do nothing, and those of configured origins read and write values. By hand,
 * and in a real browser where there is one.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import type { ValueInfo } from "../../src/core/entry.ts";
import type { ValueStream } from "../../src/core/operation.ts";
import { HttpHost } from "../harness/http-host.ts";
import type { RawAnswer } from "../harness/raw-http.ts";
import { tokenOf } from "../harness/tokens.ts";

const timeout = 60_000;
const app = "https://app.example.org";
const allowed = { cors: { origins: [app], maxAgeSeconds: 300 } };
const from = (origin: string): string[] => [`Origin: ${origin}`, "Sec-Fetch-Site: cross-site"];

function preflight(
  host: HttpHost,
  origin: string,
  target = "/kv/a",
  names = "authorization,x-weir-meta-a",
): Promise<RawAnswer> {
  const headers = [...from(origin), "Access-Control-Request-Method: PUT", `Access-Control-Request-Headers: ${names}`];
  return host.request("OPTIONS", target, headers);
}

describe("requests of another site's page", { timeout }, () => {
  test("without a setting: nothing is allowed, and no header speaks of it", async () => {
    await using host = await HttpHost.start();
    for (const answer of [await preflight(host, app), await host.request("GET", "/kv/a", from(app))]) {
      for (const name of Object.keys(answer.headers)) assert.doesNotMatch(name, /^(?:access-control|vary)/);
    }
    assert.equal((await host.request("PUT", "/kv/a", from(app), "x")).status, 403);
  });

  test("of an allowed origin: the preflight says what may be sent, and answers can be read, errors too", async () => {
    await using host = await HttpHost.start(allowed);
    const { status, headers } = await preflight(host, app);
    assert.equal(status, 204);
    assert.equal(headers["access-control-allow-origin"], app);
    assert.equal(headers["access-control-allow-methods"], "GET, HEAD, PUT, DELETE, OPTIONS");
    assert.equal(headers["access-control-allow-headers"], "authorization,x-weir-meta-a");
    assert.equal(headers["access-control-max-age"], "300");
    assert.equal((await host.request("PUT", "/kv/a", from(app), "x")).status, 204);
    for (const [target, expected] of [
      ["/kv/a", 200],
      ["/kv/missing", 404],
      ["/get/a", 200],
      ["/nowhere", 404],
    ] as const) {
      const answer = await host.request("GET", target, from(app));
      assert.equal(answer.status, expected, target);
      assert.equal(answer.headers["access-control-allow-origin"], app, target);
      assert.equal(answer.headers["access-control-expose-headers"], "*", target);
      assert.equal(answer.headers["vary"], "Origin", target);
    }
    const notModified = await host.request("GET", "/kv/a", [...from(app), "If-None-Match: *"]);
    assert.deepEqual([notModified.status, notModified.headers["vary"]], [304, "Origin"]);
  });

  test("of an allowed origin: a value that is streamed can be read, too", async () => {
    await using host = await HttpHost.start(allowed);
    await host.request("PUT", "/kv/a", from(app), "value");
    const { info } = host.operations.values.get("a") as { info: ValueInfo };
    const stream: ValueStream = Object.assign(Readable.from([Buffer.from("value")]), {
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    Object.assign(host.operations, {
      read: () => Promise.resolve({ kind: "stored", info }),
      open: () => Promise.resolve(stream),
    });
    const { status, headers, body } = await host.request("GET", "/kv/a", from(app));
    assert.deepEqual([status, body.toString(), headers["access-control-allow-origin"]], [200, "value", app]);
  });

  test("of any other origin, or one that only looks like it: nothing, though the answer still varies", async () => {
    await using host = await HttpHost.start(allowed);
    for (const origin of ["https://example.org", `${app}.evil.org`, "http://app.example.org", "null", `${app}:8443`]) {
      const answer = await preflight(host, origin);
      assert.equal(answer.headers["access-control-allow-origin"], undefined, origin);
      assert.equal(answer.headers["access-control-allow-methods"], undefined, origin);
      assert.equal(answer.headers["vary"], "Origin", origin);
      assert.equal((await host.request("PUT", "/kv/a", from(origin), "x")).status, 403, origin);
    }
    assert.equal(host.operations.values.size, 0);
  });

  test("of an allowed origin cannot change the cluster", async () => {
    await using host = await HttpHost.start(allowed);
    assert.equal((await host.request("POST", "/cluster/leave", from(app))).status, 403);
    assert.equal(host.node.leaves, 0);
  });

  test("of an allowed origin cannot look at the cluster without a token; a link to it can be followed", async () => {
    const { token, rule } = tokenOf("monitor", ["monitor"]);
    await using host = await HttpHost.start(allowed);
    const targets = ["/cluster", "/metrics", "/", "/cluster/refused/a"];
    for (const target of targets) {
      for (const method of ["GET", "HEAD"]) {
        assert.equal((await host.request(method, target, from(app))).status, 403, target);
        for (const own of ["Sec-Fetch-Site: cross-site", "Origin: http://localhost"]) {
          assert.notEqual((await host.request(method, target, [own])).status, 403, target);
        }
      }
    }
    host.access.setRules({ tokens: [rule] });
    for (const target of targets) {
      const answer = await host.request("GET", target, [...from(app), `Authorization: Bearer ${token}`]);
      assert.notEqual(answer.status, 403, target);
    }
  });

  test("a header's name that is none is not allowed back", async () => {
    await using host = await HttpHost.start(allowed);
    assert.equal((await preflight(host, app, "/kv/a", "a;b")).headers["access-control-allow-headers"], undefined);
  });

  test("of all origins, where that is set: the same answer for each", async () => {
    await using host = await HttpHost.start({ cors: { origins: ["*"], maxAgeSeconds: 0 } });
    const { headers } = await host.request("GET", "/kv/a", from(app));
    assert.deepEqual([headers["access-control-allow-origin"], headers["vary"]], ["*", undefined]);
  });
});

/** What the page does with the node; its last words are the page's content. */
const script = (node: string): string => `
  const words = [];
  const say = (name, value) => words.push(name + "=" + value);
  const run = async () => {
    const put = await fetch("${node}/kv/a", { method: "PUT", body: "hello", headers: { "x-weir-meta-owner": "ada", "weir-durability": "replicated" } });
    say("put", put.status + " " + put.headers.get("weir-durability") + " " + (put.headers.get("etag") !== null));
    const get = await fetch("${node}/kv/a", { headers: { range: "bytes=1-3" } });
    say("get", get.status + " " + await get.text() + " " + get.headers.get("content-range") + " " + get.headers.get("x-weir-meta-owner"));
    const missing = await fetch("${node}/kv/none");
    say("missing", missing.status + " " + (await missing.json()).code);
    const remove = await fetch("${node}/kv/a", { method: "DELETE" });
    say("delete", remove.status);
  };
  run().catch((error) => say("failed", error.name)).then(() => { document.body.textContent = words.join("; "); });
`;

const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
});

describe("a page in a browser", { timeout, skip: browser === undefined && "there is no Chromium here" }, () => {
  for (const isAllowed of [true, false]) {
    test(`whose origin is ${isAllowed ? "allowed: reads and writes values" : "not allowed: can do neither"}`, async () => {
      const pages = createServer((request, response) => {
        response.setHeader("Content-Type", "text/html");
        response.end(request.url === "/" ? `<body><script>${script(node)}</script></body>` : "");
      });
      await new Promise<void>((resolve) => void pages.listen(0, "127.0.0.1", resolve));
      // Another host by name, and so another site: not only another port.
      const page = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
      await using host = await HttpHost.start({ cors: { origins: isAllowed ? [page] : [app], maxAgeSeconds: 5 } });
      const node = `http://localhost:${host.port}`;
      const profile = mkdtempSync(join(tmpdir(), "weir-browser-"));
      const options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        `--user-data-dir=${profile}`,
      ];
      try {
        const { stdout } = await promisify(execFile)(browser as string, [
          ...options,
          "--virtual-time-budget=10000",
          "--dump-dom",
          page,
        ]);
        const words = /<body>(.*)<\/body>/s.exec(stdout)?.[1];
        assert.equal(
          words,
          isAllowed
            ? "put=204 replicated true; get=206 ell bytes 1-3/5 ada; missing=404 key_not_found; delete=204"
            : "failed=TypeError",
        );
        assert.equal(host.operations.lastPut !== undefined, isAllowed);
      } finally {
        pages.close();
        rmSync(profile, { recursive: true, force: true });
      }
    });
  }
});
