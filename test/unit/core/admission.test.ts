/**
 * Admission in the buffer: no byte is lost or counted twice, who waits is served in order, and nobody waits for ever
 * (W23, W24).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { Admission } from "../../../src/core/admission.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

const settings = { dirtyBytes: 1000, refusedBytes: 750, waitMs: 500 };

interface Trial {
  readonly clock: ManualClock;
  readonly admission: Admission;
  /** How each wait ended, in order. */
  readonly ended: readonly string[];
  readonly wait: (name: string, bytes: number) => void;
}

/** A room of which `used` bytes are taken. */
function roomWith(used: number): Trial {
  const clock = new ManualClock();
  const admission = new Admission(settings, clock);
  admission.take(used);
  const ended: string[] = [];
  const wait = (name: string, bytes: number): void => {
    admission.waitAndTake(bytes).then(
      (taken) => ended.push(`${name}: ${taken}`),
      (error: unknown) => ended.push(`${name}: ${String(error)}`),
    );
  };
  return { clock, admission, ended, wait };
}

/** Lets every promise that is resolved already reach those who wait for it. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Admission, as operators are told of it", () => {
  it("is full when writers wait for what is dirty, not when they wait for replicas to take what is uncommitted", () => {
    const full = roomWith(1000);
    assert.equal(full.admission.isFull, false);
    full.wait("a", 10);
    assert.equal(full.admission.isFull, true);
    full.admission.isShut = true;
    assert.equal(full.admission.isFull, false);

    const { admission, wait } = roomWith(0);
    admission.shareAmong(2);
    admission.takeForWrite(200);
    wait("b", 100);
    assert.deepEqual([admission.waitingBytes, admission.isFull], [100, false]);
  });
});

describe("Admission, at once", () => {
  it("gives primaries room up to the limit and not a byte more", () => {
    const { admission } = roomWith(0);
    assert.equal(admission.tryTake(1001), false);
    assert.equal(admission.tryTake(999), true);
    assert.equal(admission.tryTake(2), false);
    assert.equal(admission.tryTake(1), true);
    assert.deepEqual([admission.usedBytes, admission.fullness], [1000, 1]);
  });

  it("gives replicas a reserve of a tenth beyond the limit, even while primaries wait", async () => {
    const { admission, wait, ended } = roomWith(1000);
    wait("primary", 10);
    assert.equal(admission.tryTakeForReplica(60), true);
    assert.equal(admission.tryTakeForReplica(41), false);
    assert.equal(admission.tryTakeForReplica(40), true);
    assert.equal(admission.tryTakeForReplica(1), false);
    assert.equal(admission.fullness, 1.1);
    await turn();
    assert.deepEqual(ended, []);
  });

  it("takes what must be held past any limit, and serves nobody until that is back below it", async () => {
    const { admission, wait, ended } = roomWith(1000);
    admission.take(5000);
    wait("first", 10);
    admission.give(5009);
    await turn();
    assert.deepEqual(ended, []);
    assert.equal(admission.tryTake(1), false);
    admission.give(1);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["first: true"], 1000]);
  });

  it("refuses to get back more than was taken", () => {
    const { admission } = roomWith(10);
    assert.throws(() => admission.give(11), AssertionError);
  });
});

describe("Admission, uncommitted", () => {
  it("lets a primary have half of its share uncommitted, one write at least, and more as they commit", async () => {
    const { admission, wait, ended } = roomWith(0);
    admission.shareAmong(5);
    assert.equal(admission.tryTake(300), true, "one is let in whatever its size");
    assert.equal(admission.tryTake(1), false);
    admission.committed(300);
    assert.equal(admission.tryTake(60), true);
    assert.equal(admission.tryTake(41), false);
    wait("next", 41);
    admission.giveBack(60);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["next: true"], 341]);
    assert.throws(() => admission.committed(42), AssertionError);
  });

  it("takes a replica however large while it is not over its limit, so that two full buffers let each other's writes commit", () => {
    const { admission } = roomWith(1000);
    assert.equal(admission.tryTakeForReplica(5000), true);
    assert.equal(admission.tryTakeForReplica(1), false);
  });
});

describe("Admission, waiting", () => {
  it("is served in order of arrival, with nobody overtaking, however small", async () => {
    const { admission, wait, ended } = roomWith(1000);
    wait("large", 100);
    wait("small", 10);
    wait("next", 50);
    admission.give(90);
    assert.equal(admission.tryTake(5), false, "who comes now waits behind them");
    await turn();
    assert.deepEqual(ended, []);
    admission.give(20);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["large: true", "small: true"], 1000]);
    admission.give(200);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["large: true", "small: true", "next: true"], 850]);
    assert.equal(admission.tryTake(5), true);
  });

  it("ends without room when the time is up, not a moment sooner, and takes nothing", async () => {
    const { admission, wait, ended, clock } = roomWith(1000);
    wait("first", 10);
    clock.advance(499);
    wait("second", 20);
    await turn();
    assert.deepEqual(ended, []);
    clock.advance(1);
    await turn();
    assert.deepEqual(ended, ["first: false"]);
    admission.give(100);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["first: false", "second: true"], 920]);
  });

  it("ends once: who got room is not timed out later", async () => {
    const { admission, wait, ended, clock } = roomWith(1000);
    wait("first", 10);
    admission.give(10);
    assert.equal(clock.idle, true);
    clock.advance(1000);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["first: true"], 1000]);
  });

  it("is for a quarter of the limit in all: beyond that, refused at once", async () => {
    const { admission, wait, ended, clock } = roomWith(1000);
    wait("a", 200);
    wait("b", 50);
    wait("c", 1);
    await turn();
    assert.deepEqual(ended, ["c: false"]);
    admission.give(200);
    wait("d", 200);
    wait("e", 1);
    await turn();
    assert.deepEqual(ended, ["c: false", "a: true", "e: false"]);
    clock.advance(500);
    wait("f", 250);
    await turn();
    assert.deepEqual(ended.slice(3), ["b: false", "d: false"], "who timed out makes place for another to wait");
    assert.equal(clock.idle, false);
  });

  it("that times out lets those behind it in for whom there is room", async () => {
    const { admission, wait, ended, clock } = roomWith(950);
    wait("large", 100);
    clock.advance(100);
    wait("small", 50);
    clock.advance(400);
    await turn();
    assert.deepEqual([ended, admission.usedBytes], [["large: false", "small: true"], 1000]);
  });
});
