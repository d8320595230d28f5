/** Who is suspected: who was silent for D while this process listened, or does not do its work (V16, V18, V19, V20). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { FailureDetector } from "../../../src/core/failure-detector.ts";

const settings = { suspectMs: 800, tickMs: 200 };

function detectorOf(...names: string[]): FailureDetector {
  const detector = new FailureDetector(settings);
  detector.watch(names);
  return detector;
}

function tick(detector: FailureDetector, times: number, elapsedMs = settings.tickMs): void {
  for (let time = 0; time < times; time++) detector.tick(elapsedMs);
}

describe("FailureDetector", () => {
  it("suspects who was silent for D, and not before", () => {
    const detector = detectorOf("b");
    tick(detector, 3);
    detector.tick(199);
    assert.equal(detector.suspects("b"), false);
    detector.tick(1);
    assert.equal(detector.suspects("b"), true);
  });

  it("takes the suspicion back with the first answer, and counts anew", () => {
    const detector = detectorOf("b", "c", "d");
    const tickHearing = (times: number): void => {
      for (let time = 0; time < times; time++) {
        detector.heard("d");
        tick(detector, 1);
      }
    };
    tickHearing(4);
    detector.heard("b");
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [false, true]);
    tickHearing(3);
    assert.equal(detector.suspects("b"), false);
    tickHearing(1);
    assert.equal(detector.suspects("b"), true);
  });

  it("counts anew for all when it hears one of most that were silent: it was cut off itself", () => {
    const detector = detectorOf("b", "c");
    tick(detector, 5);
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [true, true]);
    detector.heard("b");
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [false, false]);
    tick(detector, 4);
    assert.equal(detector.suspects("c"), true);
  });

  it("suspects most of its peers, too, while it hears the others all the time: those are not cut off with it", () => {
    const detector = detectorOf("b", "c", "d", "e");
    for (let time = 0; time < 4; time++) {
      detector.heard("b");
      tick(detector, 1);
    }
    detector.heard("b");
    assert.deepEqual(
      ["b", "c", "d", "e"].map((name) => detector.suspects(name)),
      [false, true, true, true],
    );
    detector.heard("c");
    assert.deepEqual(
      ["c", "d", "e"].map((name) => detector.suspects(name)),
      [false, false, false],
      "it was cut off",
    );
  });

  it("does the same before it suspects anybody, or who is heard last when it is back would be suspected of all that time", () => {
    const detector = detectorOf("b", "c", "d");
    tick(detector, 3);
    detector.heard("b");
    tick(detector, 1);
    detector.heard("c");
    tick(detector, 2);
    assert.deepEqual(
      ["b", "c", "d"].map((name) => detector.suspects(name)),
      [false, false, false],
    );
    tick(detector, 1);
    assert.equal(detector.suspects("d"), true);
  });

  it("knows who has answered just now from who is not suspected yet", () => {
    const detector = detectorOf("b");
    assert.equal(detector.isFresh("b"), false, "it is new, and has not answered yet");
    detector.heard("b");
    tick(detector, 2);
    assert.equal(detector.isFresh("b"), true);
    tick(detector, 1);
    assert.deepEqual([detector.isFresh("b"), detector.suspects("b")], [false, false]);
    detector.heard("b");
    assert.equal(detector.isFresh("b"), true);
    detector.stuck("b");
    assert.equal(detector.isFresh("b"), false);
  });

  it("does not take its own pause for its peers' silence, however long that was", () => {
    const detector = detectorOf("b");
    tick(detector, 1);
    detector.tick(60_000);
    assert.equal(detector.suspects("b"), false);
    // What it has heard nothing of since counts again.
    tick(detector, 1);
    assert.equal(detector.suspects("b"), true);
  });

  it("goes on noticing silence though it ticks somewhat late each time", () => {
    const detector = detectorOf("b");
    tick(detector, 2, 390);
    assert.equal(detector.suspects("b"), false);
    tick(detector, 1, 390);
    assert.equal(detector.suspects("b"), true);
  });

  it("begins with whom it watches anew as heard, and keeps its count of the others", () => {
    const detector = detectorOf("b");
    tick(detector, 3);
    detector.watch(["b", "c"]);
    tick(detector, 1);
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [true, false]);
  });

  it("forgets whom it does not watch any more, and says nothing of strangers", () => {
    const detector = detectorOf("b");
    tick(detector, 4);
    detector.watch([]);
    assert.equal(detector.suspects("b"), false);
    detector.heard("b");
    detector.stuck("b");
    detector.watch(["b"]);
    assert.equal(detector.suspects("b"), false);
    assert.equal(detector.suspects("x"), false);
  });

  it("suspects at once who does not do its work, whatever it answers, and for no longer than 2 D", () => {
    const detector = detectorOf("b", "c");
    detector.stuck("b");
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [true, false]);
    for (let time = 0; time < 7; time++) {
      tick(detector, 1);
      for (const name of ["b", "c"]) detector.heard(name);
      assert.equal(detector.suspects("b"), true, `tick ${time}`);
    }
    tick(detector, 1);
    for (const name of ["b", "c"]) detector.heard(name);
    assert.deepEqual([detector.suspects("b"), detector.suspects("c")], [false, false]);
  });

  it("needs a D that is longer than a tick, or every tick would be silence", () => {
    assert.throws(() => new FailureDetector({ suspectMs: 200, tickMs: 200 }), AssertionError);
  });
});
