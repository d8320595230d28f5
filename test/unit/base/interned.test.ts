/** Equal texts take memory once, and what is kept for that is bounded. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Interned } from "../../../src/base/interned.ts";

const name = Buffer.alloc(1_000, "n");

describe("interned texts", () => {
  it("take memory once, however many are equal", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const names = new Interned(10);
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 20_000 }, () => names.of(name.toString("latin1")));
    collect();
    const bytes = process.memoryUsage().heapUsed - before;
    assert.ok(bytes < 5e6, `${bytes} bytes for ${kept.length} of ${name.length}`);
    assert.equal(kept.at(-1), name.toString("latin1"));
  });

  it("are as they came, however many differ, and only so many are kept", () => {
    const names = new Interned(10);
    for (let index = 0; index < 95; index++) assert.equal(names.of(`n${index % 19}`), `n${index % 19}`);
    assert.ok(names.size <= 10);
  });
});
