/** Lines for a reader that stops and goes on: which come, in which order, and what is told of the others. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeptLines } from "../../../src/base/kept-lines.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

/** A reader that has room for so many bytes. Without any, writing fails. */
class Trial {
  readonly clock = new ManualClock();
  room: number | undefined = 0;
  text = "";
  attempts = 0;
  readonly lines = new KeptLines({
    write: (bytes) => {
      this.attempts++;
      if (this.room === undefined) throw new Error("broken");
      const written = Math.min(bytes.length, this.room);
      this.text += bytes.toString("latin1", 0, written);
      this.room -= written;
      return written;
    },
    maxBytes: 100_000,
    clock: this.clock,
    onLost: (count) => this.lines.write(`lost ${count}\n`),
  });

  flush(): number {
    const began = this.clock.now();
    this.lines.flush(began + 1_000, (ms) => this.clock.advance(ms));
    return this.clock.now() - began;
  }
}

const line = `${"x".repeat(999)}\n`;

describe("a line for a reader", () => {
  it("is written at once", () => {
    const trial = new Trial();
    trial.room = 100;
    trial.lines.write("a\n");
    trial.lines.write("b\n");
    assert.equal(trial.text, "a\nb\n");
    assert.ok(trial.clock.idle);
  });

  it("that has stopped is kept, and comes in its place when the reader goes on, in parts if need be", () => {
    const trial = new Trial();
    trial.room = 3;
    for (const text of ["first\n", "second\n", "third\n"]) trial.lines.write(text);
    assert.equal(trial.text, "fir");
    trial.room = 5;
    trial.lines.write("fourth\n");
    trial.clock.advance(10);
    assert.equal(trial.text, "first\nse");
    trial.room = 100;
    trial.clock.advance(640);
    assert.equal(trial.text, "first\nsecond\nthird\nfourth\n");
    assert.ok(trial.clock.idle);
  });

  it("is dropped if newer ones fill the room, unless it is out in part; how many were is told once", () => {
    const trial = new Trial();
    trial.room = 2;
    trial.lines.write("first\n");
    for (let count = 0; count < 1_000; count++) trial.lines.write(line);
    trial.lines.write("last\n");
    trial.room = 1_000_000;
    trial.clock.advance(10_000);
    const lines = trial.text.split("\n");
    const kept = lines.filter((each) => each.startsWith("x")).length;
    assert.ok(kept >= 84 && kept <= 100, `${kept}`);
    assert.deepEqual([lines[0], ...lines.slice(-3)], ["first", "last", `lost ${1_000 - kept}`, ""]);
  });

  it("is tried more and more seldom", () => {
    const trial = new Trial();
    trial.lines.write("a\n");
    trial.clock.advance(60_000);
    assert.ok(trial.attempts > 90 && trial.attempts < 110, `${trial.attempts}`);
  });

  it("is waited for at the end, for a while, and not where it can't be written", () => {
    const trial = new Trial();
    trial.lines.write("a\n");
    assert.equal(trial.flush(), 1_000);
    trial.room = undefined;
    assert.equal(trial.flush(), 0);
    trial.room = 100;
    assert.equal(trial.flush(), 0);
    assert.equal(trial.text, "a\n");
  });
});
