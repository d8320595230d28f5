/** Gates: one closes a key's at a time, and the others wait (W20). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { Gates } from "../../../src/core/gates.ts";

describe("Gates", () => {
  it("let one in at a time, in order, of many that wait for the same", async () => {
    const gates = new Gates();
    const open = gates.close("k");
    const events: string[] = [];
    const visits = ["a", "b", "c"].map(async (name) => {
      const leave = await gates.enter("k");
      events.push(`${name} in`);
      await Promise.resolve();
      events.push(`${name} out`);
      leave();
    });
    open();
    await Promise.all(visits);
    assert.deepEqual(events, ["a in", "a out", "b in", "b out", "c in", "c out"]);
    assert.equal(gates.isClosed("k"), false);
  });

  it("are each of one key", async () => {
    const gates = new Gates();
    gates.close("k");
    await gates.passed("other");
    assert.deepEqual([gates.isClosed("k"), gates.isClosed("other")], [true, false]);
  });

  it("are not opened again by who has opened them before", () => {
    const gates = new Gates();
    const first = gates.close("k");
    first();
    gates.close("k");
    first();
    assert.equal(gates.isClosed("k"), true);
    assert.throws(() => gates.close("k"), AssertionError);
  });
});
