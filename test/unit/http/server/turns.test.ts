/** Turns of the event loop: one piece of work in each, and holders in rotation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../../../src/http/server/turns.ts";

test("a holder with much to do makes another one wait for one piece only", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const work = async (holder: string, pieces: number): Promise<void> => {
    const own = turns.of(holder);
    for (let piece = 0; piece < pieces; piece++) {
      await own.next();
      order.push(holder);
    }
  };
  const all = Array.from({ length: 50 }, () => work("a", 2));
  await Promise.all([...all, work("b", 3), work("c", 1)]);
  assert.equal(order.length, 104);
  assert.deepEqual(order.slice(0, 7), ["a", "b", "c", "a", "b", "a", "b"]);
});

test("each piece has a turn of its own, also one that comes when all others are done", async () => {
  const turns = new Turns();
  let turn = 0;
  const tick = (): void => {
    turn++;
    if (turn < 50) setImmediate(tick);
  };
  setImmediate(tick);
  const seen: number[] = [];
  const own = turns.of("a");
  for (let round = 0; round < 2; round++) {
    await Promise.all([1, 2, 3].map(async () => own.next().then(() => seen.push(turn))));
  }
  assert.equal(new Set(seen).size, seen.length, seen.join(", "));
});

test("time to spare is waited for once for each piece, and not when there is none", async () => {
  let waits = 0;
  const spare = {
    wait: () => {
      waits++;
      return Promise.resolve();
    },
  };
  const own = new Turns(spare).of("a");
  await own.next();
  await Promise.all([own.next(), own.next()]);
  await new Promise(setImmediate);
  assert.equal(waits, 3);
});
