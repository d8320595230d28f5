/** Names by which a node without tokens may be called: a refused one stays refused, whatever was let in before it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HostNames } from "../../../src/access/host-names.ts";

const refused = { code: "cross_site_request" };

test("a name that is refused is refused each time, also after one that is let in", () => {
  const names = new HostNames(["LB.example"]);
  for (let again = 0; again < 2; again++) {
    for (const host of ["lb.example:80", "lb.example.", "10.0.0.1:7070", "[2001:db8::1]:7070", "localhost"]) {
      names.require(host);
      for (let twice = 0; twice < 2; twice++) assert.throws(() => names.require("evil.example"), refused);
    }
  }
});

test("a node that serves its own host only is not called by another address", () => {
  const names = new HostNames("loopback");
  for (const host of ["localhost:7070", "127.0.0.1", "[::1]:7070"]) names.require(host);
  for (const host of ["10.0.0.1", "lb.example", "10.0.0.1"]) assert.throws(() => names.require(host), refused);
});
