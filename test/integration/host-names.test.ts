/** A node without tokens answers to the names that its configuration gives it, and takes others without a restart. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ComposedNodes } from "../harness/composed-node.ts";
import { hangMs } from "../harness/patience.ts";
import { RawConnection } from "../harness/raw-http.ts";

const timeout = hangMs;

test("a node with auth none is called by its address, its url's host, and http.hosts as they are at the moment", {
  timeout,
}, async () => {
  await using nodes = await ComposedNodes.make(1);
  const node = await nodes.ready("a", nodes.config({ http: { drainMs: 0, finishMs: 200, hosts: ["lb.example"] } }));
  const port = Number(new URL(node.url).port);
  const ask = async (name: string): Promise<number> => {
    await using connection = await RawConnection.open(port);
    return (await connection.send(`GET /kv/a HTTP/1.1\r\nHost: ${name}\r\n\r\n`).answer()).status;
  };
  for (const name of ["127.0.0.1", "lb.example:80", "localhost"]) assert.equal(await ask(name), 404, name);
  for (const name of ["evil.example", "next.example"]) assert.equal(await ask(name), 403, name);
  node.reconfigure(nodes.config({ http: { drainMs: 0, finishMs: 200, hosts: ["next.example"] } }));
  assert.deepEqual([await ask("next.example"), await ask("lb.example")], [404, 403]);
});
