/** What the store lacks, and since when: the oldest first, whatever fails, is refused, or is overwritten (F20). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../src/base/errors.ts";
import { Backlog } from "../../../src/core/backlog.ts";
import { KeyState } from "../../../src/core/key-state.ts";
import { flightOf } from "../../harness/key-fixtures.ts";

const refused = new OperatingError("store_refused", "no");
const away = new OperatingError("store_unavailable", "no answer");

function backlogOf(...ages: readonly number[]): { backlog: Backlog; records: KeyState[] } {
  const backlog = new Backlog();
  const records = ages.map((since, index) => new KeyState(`k${index}`, since));
  for (const record of records) backlog.add(record);
  return { backlog, records };
}

describe("a backlog", () => {
  it("knows since when the store lacks something, until nothing is lacking", () => {
    const { backlog, records } = backlogOf(10, 20);
    assert.deepEqual([backlog.size, backlog.oldestSince("waiting")], [2, 10]);
    backlog.remove(records[0] as KeyState);
    assert.equal(backlog.oldestSince("waiting"), 20);
    backlog.remove(records[1] as KeyState);
    assert.deepEqual([backlog.size, backlog.oldestSince("waiting")], [0, undefined]);
  });

  it("knows the oldest of very many keys, and keeps one that took the place of another", () => {
    const { backlog, records } = backlogOf(...Array.from({ length: 1_000 }, (_, index) => index));
    for (const record of records.slice(0, 500)) backlog.renew(record, 2_000);
    assert.equal(backlog.oldestSince("waiting"), 500);
    const successor = new KeyState("k500", 3_000);
    backlog.add(successor);
    backlog.remove(records[500] as KeyState);
    assert.deepEqual([backlog.has(successor), backlog.size, backlog.oldestSince("waiting")], [true, 1_000, 501]);
  });

  it("takes a key that is overwritten to be as young as its last flush", () => {
    const { backlog, records } = backlogOf(10, 20);
    backlog.renew(records[0] as KeyState, 30);
    assert.equal(backlog.oldestSince("waiting"), 20);
    backlog.remove(records[1] as KeyState);
    assert.equal(backlog.oldestSince("waiting"), 30);
  });

  it("keeps what is refused apart from what waits, however often it is added again, until an attempt goes well", () => {
    const { backlog, records } = backlogOf(10, 20);
    const [first, second] = records as [KeyState, KeyState];
    backlog.failed(flightOf(first, 0), refused);
    backlog.failed(flightOf(second, 0), away);
    backlog.add(first);
    assert.deepEqual([backlog.oldestSince("waiting"), backlog.oldestSince("refused")], [20, 10]);
    assert.deepEqual([backlog.size, backlog.failingCount, backlog.refusedCount], [2, 2, 1]);
    assert.deepEqual([...backlog.failing()], [first, second]);
    assert.deepEqual([first.failures, first.failure], [1, refused]);
    // No answer says nothing about a refusal.
    backlog.failed(flightOf(first, 0), away);
    assert.equal(backlog.refusedCount, 1);
    backlog.recovered(first);
    backlog.renew(first, 40);
    assert.deepEqual([backlog.refusedCount, backlog.failingCount, first.failures], [0, 1, 0]);
    assert.equal(backlog.size, 2);
  });

  it("counts a refusal from when its attempt began, until the next one has an outcome (F21)", () => {
    const { backlog, records } = backlogOf(10, 20);
    const [first, second] = records as [KeyState, KeyState];
    backlog.failed(flightOf(first, 30), refused);
    assert.deepEqual([backlog.isRefusedSince(first, 30), backlog.isRefusedSince(first, 31)], [true, false]);
    assert.equal(backlog.isRefusedSince(second, 0), false);
    backlog.failed(flightOf(first, 40), refused);
    assert.equal(backlog.isRefusedSince(first, 31), true);
    backlog.failed(flightOf(first, 50), away);
    assert.equal(backlog.isRefusedSince(first, 31), false);
    backlog.recovered(first);
    assert.equal(backlog.isRefusedSince(first, 0), false);
  });
});
