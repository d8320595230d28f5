/** Shares of what is bounded: the whole for one, an nth for each of n, and never at the cost of one that has less. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Share, Shares } from "../../../src/base/shares.ts";
import { SimRandom } from "../../harness/sim-random.ts";

/** Takes shares that can be given up, and keeps those that are there. */
function trialOf(capacity: number, keepsRoom = false) {
  const events: string[] = [];
  const shares = new Shares(capacity, {
    keepsRoom,
    onRefused: (holder) => events.push(`refused ${holder}`),
    onGivenUp: (holder) => events.push(`cut ${holder}`),
  });
  const held = new Map<string, Share>();
  /** @param name - the holder's letter, and more */
  const take = (name: string, amount: number): boolean => {
    const share = shares.take(name.charAt(0), amount, () => {
      held.get(name)?.release();
      events.push(`given up ${name}`);
      return held.delete(name);
    });
    if (share) held.set(name, share);
    return share !== undefined;
  };
  return { shares, held, events, take };
}

describe("Shares", () => {
  it("give all to one that asks alone, and no more", () => {
    const { shares, take, events } = trialOf(10);
    for (let index = 0; index < 10; index++) assert.equal(take(`a${index}`, 1), true);
    assert.equal(take("a10", 1), false);
    assert.deepEqual([shares.used, events], [10, ["refused a"]]);
  });

  it("have the holder that has most give up what it took last, until the one that asks has as much", () => {
    const { shares, take, events } = trialOf(4);
    for (const name of ["a1", "a2", "a3", "a4"]) take(name, 1);
    assert.deepEqual([take("b1", 1), take("b2", 1), take("b3", 1)], [true, true, false]);
    assert.deepEqual(events, ["given up a4", "cut a", "given up a3", "cut a", "refused b"]);
    assert.deepEqual(
      [...shares.holders()],
      [
        ["a", 2],
        ["b", 2],
      ],
    );
  });

  it("never take from one that has less than the one that asks would have", () => {
    const { take, held } = trialOf(10);
    take("a1", 2);
    take("b1", 4);
    take("c1", 4);
    assert.equal(take("b2", 1), false);
    assert.equal(take("a2", 1), true);
    assert.deepEqual([...held.keys()], ["a1", "c1", "a2"], "of two that have the same, one gives way");
  });

  it("let what was taken first grow at the cost of the same holder's later ones, so that it ends", () => {
    const { held, take, events } = trialOf(4);
    for (const name of ["a1", "a2", "a3"]) take(name, 1);
    assert.equal(held.get("a1")?.grow(2), true);
    assert.deepEqual(events, ["given up a3", "cut a"]);
    assert.equal(held.get("a2")?.grow(1), false, "not at the cost of an earlier one");
  });

  it("pass over what cannot end early", () => {
    const shares = new Shares(4);
    const first = shares.take("a", 2, () => {
      first?.release();
      return true;
    });
    shares.take("a", 2, () => false);
    assert.ok(shares.take("b", 1, () => true));
    assert.equal(first?.amount, 0);
  });

  it("keep a part free where they are to", () => {
    const shares = new Shares(10, { keepsRoom: true });
    let taken = 0;
    while (shares.take("a", 1)) taken++;
    assert.equal(taken, 8);
    assert.ok(shares.take("b", 1));
  });

  it("keep a part free of few, too", () => {
    const taken = [1, 2, 3, 4, 5].map((capacity) => {
      const shares = new Shares(capacity, { keepsRoom: true });
      while (shares.take("a", 1));
      return shares.used;
    });
    assert.deepEqual(taken, [1, 1, 2, 3, 4]);
  });

  it("let one thing have all, as it grows, at the cost of the same holder's later ones", () => {
    const { shares, held, take } = trialOf(10, true);
    take("a1", 1);
    take("a2", 1);
    for (let amount = 1; amount < 10; amount++) assert.equal(held.get("a1")?.grow(1), true);
    assert.deepEqual([shares.used, [...held.keys()]], [10, ["a1"]]);
  });

  it("end what nobody misses first, and else what was taken last", () => {
    const shares = new Shares(3);
    const ended: string[] = [];
    const take = (name: string, isMissed: boolean): Share | undefined => {
      const share = shares.take(name.charAt(0), 1, (isUrgent) => {
        if (isMissed && !isUrgent) return false;
        share?.release();
        return ended.push(name) > 0;
      });
      return share;
    };
    take("a1", true);
    take("a2", false);
    take("a3", true);
    assert.ok(take("b1", false) && take("c1", false));
    assert.deepEqual(ended, ["a2", "a3"]);
  });

  it("keep a part free, and give each its share all the same, where others can give up", () => {
    const { take, shares } = trialOf(10, true);
    for (let index = 0; index < 10; index++) take(`a${index}`, 1);
    for (let index = 0; index < 10; index++) take(`b${index}`, 1);
    const [[, ofA], [, ofB]] = [...shares.holders()] as [[string, number], [string, number]];
    assert.deepEqual([ofA, ofB], [5, 4]);
  });

  it("say whether there is room, and refuse nobody for the question", () => {
    const { shares, take, events } = trialOf(10, true);
    take("a1", 4);
    assert.deepEqual([shares.hasRoomFor("a", 4), shares.hasRoomFor("a", 5)], [true, false]);
    assert.deepEqual([shares.hasRoomFor("b", 6), shares.hasRoomFor("b", 7)], [true, false]);
    assert.deepEqual([shares.used, shares.known, events], [4, 1, []]);
  });

  it("refuse what is more than there is, and give nothing up for it", () => {
    const { take, held } = trialOf(4);
    take("a1", 4);
    assert.deepEqual([take("b1", 5), held.size], [false, 1]);
  });

  it("forget a holder that has nothing, and may be released twice", () => {
    const shares = new Shares(4);
    const share = shares.take("a", 0, () => true);
    assert.equal(share?.grow(3), true);
    share?.release();
    share?.release();
    assert.deepEqual([shares.used, [...shares.holders()]], [0, []]);
  });

  it("remember a bounded number of holders that have nothing", () => {
    const shares = new Shares(10_000);
    const taken = Array.from({ length: 3_000 }, (_, index) => shares.take(`a${index}`, 1));
    assert.equal(shares.known, 3_000);
    for (const share of taken) share?.release();
    assert.deepEqual([shares.used, shares.known, [...shares.holders()]], [0, 1_000, []]);
  });

  it("keep count of a holder whose earlier share is released twice, after it has taken another", () => {
    const { shares, take, held } = trialOf(4);
    const first = shares.take("a", 1);
    first?.release();
    for (const name of ["a1", "a2", "a3", "a4"]) take(name, 1);
    for (let again = 0; again < 4; again++) first?.release();
    assert.deepEqual([...shares.holders()], [["a", 4]]);
    assert.equal(take("b1", 1), true);
    assert.equal(held.has("a4"), false);
  });

  it("give each of n holders an nth, in any order of things", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SimRandom(seed);
      const names = "abcde".slice(0, 1 + Math.floor(5 * random.next())).split("");
      const { shares, held, take } = trialOf(100);
      for (let step = 0; step < 200; step++) {
        const name = random.pick(names);
        if (random.next() < 0.3 && held.size > 0) {
          const some = random.pick([...held.keys()]);
          held.get(some)?.release();
          held.delete(some);
          continue;
        }
        const amount = 1 + Math.floor(10 * random.next());
        const amounts = new Map(shares.holders());
        const isFair = (amounts.get(name) ?? 0) + amount <= Math.floor(100 / new Set([...amounts.keys(), name]).size);
        const isTaken = take(`${name}${step}`, amount);
        assert.ok(isTaken || !isFair, `seed ${seed}, step ${step}: ${name} asks for ${amount}`);
        let used = 0;
        for (const [, each] of shares.holders()) used += each;
        assert.equal(used, shares.used);
        assert.ok(used <= 100);
      }
    }
  });
});
