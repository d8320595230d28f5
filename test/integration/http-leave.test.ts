/** A node that is asked to leave by HTTP, and how its server lets go of clients while it does. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

const timeout = hangMs;

describe("POST /cluster/leave", { timeout }, () => {
  test("has the node leave, and says so before it has", async () => {
    await using host = await HttpHost.start();
    for (const count of [1, 2]) {
      const answer = await host.request("POST", "/cluster/leave", count === 2 ? ["Content-Length: 0"] : []);
      assert.equal(answer.status, 202);
      assert.deepEqual(JSON.parse(answer.body.toString()), { node: "a", leaving: true });
      assert.equal(host.node.leaves, count);
    }
  });

  test("is refused from a page of another site, whichever way its browser tells", async () => {
    await using host = await HttpHost.start();
    const foreign = [
      ["Sec-Fetch-Site: cross-site"],
      ["Sec-Fetch-Site: same-site"],
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"],
      ["Origin: http://evil.example"],
      ["Origin: null"],
      ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"],
    ];
    for (const headers of foreign) {
      assertProblem(await host.request("POST", "/cluster/leave", headers), 403, "cross_site_request");
    }
    assert.equal(host.node.leaves, 0);
    for (const headers of [["Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: none"], ["Origin: http://localhost"]]) {
      assert.equal((await host.request("POST", "/cluster/leave", headers)).status, 202, headers.join());
    }
  });

  test("is refused with a body, and the node stays", async () => {
    await using host = await HttpHost.start();
    assertProblem(await host.request("POST", "/cluster/leave", ["Content-Type: text/plain"], "x"), 400, "body_invalid");
    assert.equal(host.node.leaves, 0);
  });
});

describe("a server that finishes", { timeout }, () => {
  test("goes on serving, new connections and upgrades too, but ends each connection with its next answer", async () => {
    await using host = await HttpHost.start(
      {},
      { upgradeProtocol: "test", onUpgrade: (_request, socket) => void socket.end("HTTP/1.1 101 Hi\r\n\r\n") },
    );
    await host.request("PUT", "/kv/a", [], "x");
    await using kept = await host.connect();
    assert.equal((await kept.send(rawRequest("GET", "/kv/a")).answer()).headers["connection"], "keep-alive");
    void host.server.finish();
    for (const connection of [kept, await host.connect()]) {
      await using each = connection;
      const answer = await each.send(rawRequest("GET", "/kv/a")).answer();
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["connection"], "close");
      assert.equal(await each.rest(), "");
    }
    const socket = connect(host.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 101 /);
    socket.destroy();
  });
});
