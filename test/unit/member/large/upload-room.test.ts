/** Room for parts in memory: who waits for much of it gets it, however many want little (L14). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UploadRoom } from "../../../../src/member/large/upload-room.ts";
import { settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const large = { maxValueBytes: 100, uploads: 2, partBytes: 10, inFlightBytes: 30, leftoverMs: 3_600_000 };

describe("the room for parts", () => {
  it("is given to nobody else while somebody waits for more of it than there is", async () => {
    const room = new UploadRoom({ clock: new ManualClock(), settings: settingsOf({ large, operationMs: 1_000 }) });
    assert.ok(room.tryTake(20));
    const waiting = room.take(30);
    assert.ok(!room.tryTake(10));
    room.giveBack(20);
    assert.ok(await waiting);
    assert.ok(!room.tryTake(1));
    room.giveBack(30);
    assert.ok(room.tryTake(10, 20));
    assert.ok(!room.tryTake(10, 20));
  });
});
