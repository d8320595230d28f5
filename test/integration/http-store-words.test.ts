/**
 * What the store says when it refuses something names the account, the role, the bucket and the prefix. Clients with
 * the right to values only are not told. The log is, and so are those who may watch the cluster.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import type { RawAnswer } from "../harness/raw-http.ts";
import { tokenOf } from "../harness/tokens.ts";

const timeout = hangMs;
const words =
  "PUT team/a: the store refused it: AccessDenied (HTTP 403): User: arn:aws:sts::123456789012:assumed-role/weir is not authorized to perform s3:PutObject on arn:aws:s3:::secret-bucket/team/a";
const secrets = /arn:|123456789012|secret-bucket|team\/|AccessDenied/;
const codes = ["store_refused", "store_unavailable", "store_throttled"] as const;
const old = JSON.stringify({ key: "a", extension: "txt", data: "YQ==" });

const requests: readonly (readonly [method: string, target: string, body?: string, headers?: readonly string[]])[] = [
  ["GET", "/kv/a"],
  ["HEAD", "/kv/a"],
  ["PUT", "/kv/a", "x"],
  ["PUT", "/kv/a", "x".repeat(100)],
  ["PUT", "/kv/a", "64\r\n".concat("x".repeat(100), "\r\n0\r\n\r\n"), ["Transfer-Encoding: chunked"]],
  ["DELETE", "/kv/a"],
  ["GET", "/kv/?prefix=a"],
  ["POST", "/put/", old],
  ["GET", "/get/a"],
];

async function send(host: HttpHost, token: string, request: (typeof requests)[number]): Promise<RawAnswer> {
  const [method, target, body, headers = []] = request;
  const all = [`Authorization: Bearer ${token}`, ...headers];
  if (headers.length === 0) return await host.request(method, target, all, body);
  await using connection = await host.connect();
  const head = [`${method} ${target} HTTP/1.1`, "Host: test", ...all].join("\r\n");
  return await connection.send(`${head}\r\n\r\n${body}`).answer();
}

describe("the store's words", { timeout }, () => {
  test("reach no client whose token is for values, on any route; its answer says what failed", async () => {
    const client = tokenOf("web", ["read", "write"]);
    await using host = await HttpHost.start({ maxValueBytes: 50, maxStreamBytes: 1_000 });
    host.access.setRules({ tokens: [client.rule] });
    for (const code of codes) {
      host.operations.failure = new OperatingError(code, words);
      for (const request of requests) {
        const answer = await send(host, client.token, request);
        const [method, target] = request;
        assert.equal(answer.status, 503, `${method} ${target}`);
        const text = `${JSON.stringify(answer.headers)}${answer.body.toString()}`;
        assert.doesNotMatch(text, secrets, `${method} ${target}`);
        if (method !== "HEAD") assert.match(text, /the object store/);
      }
    }
  });

  test("reach a client that may watch the cluster", async () => {
    const client = tokenOf("operator", ["read", "write", "monitor"]);
    await using host = await HttpHost.start();
    host.access.setRules({ tokens: [client.rule] });
    host.operations.failure = new OperatingError("store_refused", words);
    for (const target of ["/kv/a", "/get/a"]) {
      assert.match((await send(host, client.token, ["GET", target])).body.toString(), secrets);
    }
  });

  test("are in the log, once in a while", async () => {
    const client = tokenOf("web", ["read", "write"]);
    await using host = await HttpHost.start();
    host.access.setRules({ tokens: [client.rule] });
    host.operations.failure = new OperatingError("store_refused", words);
    for (let i = 0; i < 20; i++) await send(host, client.token, ["GET", "/kv/a"]);
    const lines = host.lines.filter(({ fields }) => fields?.["reason"] === words);
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields?.["code"]]),
      [["warn", "store_refused"]],
    );
  });

  test("do not hide that nothing was stored", async () => {
    const client = tokenOf("web", ["read", "write"]);
    await using host = await HttpHost.start();
    host.access.setRules({ tokens: [client.rule] });
    host.operations.failure = new OperatingError("store_refused", `${words}; nothing was stored`);
    const answer = await send(host, client.token, ["PUT", "/kv/a", "x"]);
    assert.match(answer.body.toString(), /; nothing was stored"/);
    assert.doesNotMatch(answer.body.toString(), secrets);
  });
});
