/** Small pieces of work that come in bursts leave turns of the event loop to others. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Pieces } from "../../../../src/http/server/pieces.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

it("pieces take some milliseconds of a turn together, in the order in which they came", async () => {
  const clock = new ManualClock();
  const pieces = new Pieces(clock);
  const done: number[] = [];
  for (let piece = 0; piece < 12; piece++) {
    pieces.add(() => {
      done.push(piece);
      clock.advance(1);
    });
  }
  assert.equal(done.length, 0, "the turn in which they come has others");
  await turn();
  assert.deepEqual(done, [0, 1, 2, 3, 4]);
  pieces.add(() => done.push(12));
  await turn();
  assert.equal(done.length, 10);
  await turn();
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  pieces.add(() => done.push(13));
  await turn();
  assert.equal(done.at(-1), 13);
});
