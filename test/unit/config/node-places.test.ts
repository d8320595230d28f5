/** What a wrong cluster.json still tells of where nodes listen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { placesDespiteMistakes } from "../../../src/config/node-places.ts";

const nodes = [{ id: "a", url: "https://weir-a:7070" }];

test("a file that is wrong elsewhere tells where its nodes listen, and their certificates", () => {
  const file = {
    cluster: "Not a Name",
    replicas: "two",
    unknown: 1,
    nodes: [{ ...nodes[0], weight: -1 }, { id: "b" }, "c"],
    listen: { port: 7171 },
    tls: { cert: "cert.pem", key: "key.pem", ca: "/etc/ca.pem" },
  };
  assert.deepEqual(placesDespiteMistakes(JSON.stringify(file), "/etc/weir"), {
    nodes,
    listen: { port: 7171 },
    tls: { cert: "/etc/weir/cert.pem", key: "/etc/weir/key.pem", ca: "/etc/ca.pem", warnDays: 14 },
  });
});

test("parts that are wrong themselves count as not there", () => {
  const file = { nodes, listen: { port: "7171" }, tls: { certificate: "cert.pem" } };
  assert.deepEqual(placesDespiteMistakes(JSON.stringify(file), "/"), { nodes, listen: {} });
});

test("a file that is not JSON, or has no list of nodes, tells nothing", () => {
  for (const text of ["", '{ "nodes": [', "null", "[]", '{ "nodes": {} }'])
    assert.equal(placesDespiteMistakes(text, "/"), undefined, text);
});
