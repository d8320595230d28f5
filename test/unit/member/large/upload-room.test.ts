/** Room for parts in memory: who finds none waits for what comes back, and holds nobody up who fits (L14). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UploadRoom } from "../../../../src/member/large/upload-room.ts";
import { settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const large = { maxValueBytes: 100, uploads: 2, partBytes: 10, inFlightBytes: 30, leftoverMs: 3_600_000 };
const operationMs = 1_000;

/** The room, and what became of those that wait. */
function trial() {
  const clock = new ManualClock();
  const room = new UploadRoom({ clock, settings: settingsOf({ large, operationMs }) });
  const ends: string[] = [];
  const take = (bytes: number): void => {
    void room.take(bytes).then((isIn) => ends.push(`${bytes} ${isIn ? "in" : "refused"}`));
  };
  const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  return { clock, room, ends, take, settle };
}

describe("the room for parts", () => {
  it("lets one in that fits while another one waits for more, and that one when there is enough", async () => {
    const { room, ends, take, settle } = trial();
    for (const bytes of [20, 30, 10]) take(bytes);
    await settle();
    assert.deepEqual(ends, ["20 in", "10 in"]);
    room.giveBack(20);
    await settle();
    assert.equal(ends.length, 2);
    room.giveBack(10);
    await settle();
    assert.deepEqual(ends.slice(2), ["30 in"]);
  });

  it("lends nothing while somebody waits, and asks back what it has lent", async () => {
    const { clock, room, ends, take, settle } = trial();
    let asked = 0;
    const borrower = { giveBackIdle: () => asked++ };
    const lend = (): boolean => room.lend(borrower, 10);
    take(10);
    assert.deepEqual([lend(), lend(), lend()], [true, true, false]);
    assert.deepEqual([asked, room.isWanted], [0, false]);
    take(20);
    assert.deepEqual([asked, room.isWanted], [1, true]);
    room.giveBack(10);
    assert.ok(!lend(), "there is room for this, and not enough for the one that waits");
    clock.advance(operationMs);
    await settle();
    assert.deepEqual([ends, room.isWanted], [["10 in", "20 refused"], false]);
    assert.ok(lend());
    room.forget(borrower);
    take(20);
    assert.equal(asked, 1);
  });
});
