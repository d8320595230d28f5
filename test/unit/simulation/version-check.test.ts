/** The check of versions that clients were told: it must find one that goes back, and a write that has two. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Version } from "../../../src/core/version.ts";
import type { RegisterAction, RegisterOperation, RegisterOutcome } from "../../harness/history.ts";
import { versionViolations } from "../../simulation/version-check.ts";

const put = (value: string): RegisterAction => ({ kind: "put", value });
const get: RegisterAction = { kind: "get" };
const written: RegisterOutcome = { kind: "written" };
const read = (value: string): RegisterOutcome => ({ kind: "value", value });
const v = (epoch: number, seq: number): Version => ({ epoch, seq });

type Told = readonly [number, number, RegisterAction, RegisterOutcome, Version | undefined];

/** Operations, each from one of two positions to the other. */
function operations(...told: readonly Told[]): RegisterOperation[] {
  return told.map(([calledAt, answeredAt, action, outcome, version]) => ({
    label: "c",
    action,
    outcome,
    calledAt,
    answeredAt,
    version,
  }));
}

function count(...told: readonly Told[]): number {
  return versionViolations("k", operations(...told)).length;
}

test("versions that grow from each operation to those after it are well, as are concurrent ones in any order", () => {
  assert.equal(
    count([0, 1, put("a"), written, v(1, 1)], [2, 3, get, read("a"), v(1, 1)], [4, 5, put("b"), written, v(2, 1)]),
    0,
  );
  assert.equal(count([0, 5, put("a"), written, v(1, 2)], [1, 4, put("b"), written, v(1, 1)]), 0);
});

test("a read that is told an earlier version than one before it is found, and a write that is told the same", () => {
  assert.equal(count([0, 1, get, read("a"), v(2, 1)], [2, 3, get, read("b"), v(1, 9)]), 1);
  assert.equal(count([0, 1, put("a"), written, v(1, 1)], [2, 3, put("b"), written, v(1, 1)]), 1);
  // Between them lies another that is concurrent with both.
  assert.equal(
    count([0, 3, get, read("a"), v(3, 1)], [1, 6, get, read("c"), undefined], [4, 5, get, read("b"), v(2, 1)]),
    1,
  );
});

test("one write with two versions is found, but not two of the same content", () => {
  const twice: readonly Told[] = [
    [0, 1, put("a"), written, v(1, 1)],
    [2, 3, get, read("a"), v(1, 2)],
  ];
  assert.equal(count(...twice), 1);
  assert.equal(count(...twice, [4, 5, put("a"), written, v(1, 3)]), 0);
});

test("of objects that others made, and of keys that an operator gave up, nothing is said", () => {
  assert.equal(count([0, 1, get, read("a"), v(2, 1)], [2, 3, get, read("b"), v(0, 0)]), 0);
  const drop: RegisterAction = { kind: "drop", values: [undefined] };
  assert.equal(
    count([0, 1, get, read("a"), v(2, 1)], [2, 3, drop, written, v(3, 1)], [4, 5, get, read("b"), v(1, 9)]),
    0,
  );
});
