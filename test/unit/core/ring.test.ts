/**
 * The ring against published examples, against a model that takes its definition word by word, and for what it
 * promises: even shares, few keys moved, owners in distinct zones.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { xxh32 } from "../../../src/core/hash.ts";
import { maxWeight, pointsPerWeight, Ring, type RingMember } from "../../../src/core/ring.ts";
import { SimRandom } from "../../harness/sim-random.ts";
import vectors from "./ring-vectors.json" with { type: "json" };

const naming = {
  letter: (index: number) => (index < 26 ? letter(index) : `a${letter(index - 26)}`),
  host: (index: number) => `node-${index + 1}`,
  address: (index: number) => `10.0.0.${index + 1}`,
};

function letter(index: number): string {
  return String.fromCharCode("a".charCodeAt(0) + index);
}

function equalMembers(count: number, id: (index: number) => string): RingMember[] {
  return Array.from({ length: count }, (_, index) => ({ id: id(index), weight: 1 }));
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `tenant-${index % 97}/object-${index}`);
}

/** Ring version 1 by its definition, as slow as it is plain: from a key's hash to its owners. */
function model(members: readonly RingMember[], replicas: number): (hash: number) => string[] {
  const live = members.filter((member) => member.weight > 0);
  const points = live.flatMap((member) =>
    Array.from({ length: Math.max(1, Math.round(member.weight * 3072)) }, (_, index) => ({
      member,
      position: xxh32(`${member.id}#${index}`),
    })),
  );
  points.sort((one, other) => one.position - other.position || (one.member.id < other.member.id ? -1 : 1));
  const zoneOf = (member: RingMember) => (member.zone === undefined ? `id ${member.id}` : `zone ${member.zone}`);
  const zonesCount = new Set(live.map(zoneOf)).size >= replicas;
  return (hash) => {
    const start = points.findIndex(({ position }) => position >= hash);
    const list: RingMember[] = [];
    for (const { member } of start < 0 ? points : [...points.slice(start), ...points.slice(0, start)]) {
      if (list.length === replicas) break;
      if (list.includes(member)) continue;
      if (!zonesCount || list.every((each) => zoneOf(each) !== zoneOf(member))) list.push(member);
    }
    return list.map((member) => member.id);
  };
}

describe("Ring, its definition", () => {
  it("gives the published owners", () => {
    for (const { about, members, replicas, lookups } of vectors.rings) {
      const ring = new Ring(members, replicas);
      for (const { key, owners } of lookups) assert.deepEqual(ring.ownersOf(key), owners, `${about}: ${key}`);
    }
  });

  it("agrees with the model on random members", () => {
    const seed = Date.now() % 1_000_000;
    const random = new SimRandom(seed);
    const below = (limit: number) => Math.floor(random.next() * limit);
    for (let round = 0; round < 40; round++) {
      const members = Array.from({ length: below(12) }, (_, index): RingMember => {
        const zone = below(3) === 0 ? undefined : `zone-${below(4)}`;
        // Small weights, so that gaps are wide and the members of one zone are often far apart.
        return { id: `${index}-${below(1000)}`, weight: below(5) === 0 ? 0 : random.next() ** 8 * 0.1, zone };
      });
      const replicas = 1 + below(5);
      const ring = new Ring(members, replicas);
      const expected = model(members, replicas);
      for (const key of keys(100)) {
        const context = `seed ${seed}, round ${round}, ${key}: ${JSON.stringify({ members, replicas })}`;
        assert.deepEqual(ring.ownersOf(key), expected(xxh32(key)), context);
      }
    }
  });

  it("agrees with the model when lists are too long to be numbered", () => {
    const members = equalMembers(20, naming.host).map((member) => ({ ...member, weight: 0.05 }));
    const ring = new Ring(members, 20);
    const expected = model(members, 20);
    for (const key of keys(300)) assert.deepEqual(ring.ownersOf(key), expected(xxh32(key)), key);
  });

  it("does not depend on the order of the members", () => {
    const members = equalMembers(9, naming.address).map((member, index) => ({ ...member, zone: `zone-${index % 4}` }));
    const ring = new Ring(members, 3);
    const reversed = new Ring(members.toReversed(), 3);
    for (const key of keys(2000)) assert.deepEqual(ring.ownersOf(key), reversed.ownersOf(key), key);
  });

  it("gives the same frozen array for the same list", () => {
    const ring = new Ring(equalMembers(4, naming.letter), 2);
    const lists = new Set(keys(5000).map((key) => ring.ownersOf(key)));
    assert.equal(lists.size, 4 * 3);
    assert.equal(new Set([...lists].map((list) => list.join())).size, 4 * 3);
    for (const list of lists) assert.ok(Object.isFrozen(list));
  });

  it("has no owners and no shares without a member of weight > 0", () => {
    for (const members of [[], [{ id: "a", weight: 0 }]]) {
      const ring = new Ring(members, 2);
      assert.deepEqual(ring.ownersOf("x"), []);
      assert.equal(ring.share("a"), 0);
    }
  });

  it("refuses what is not a ring", () => {
    const refused = (members: RingMember[], replicas: number) =>
      assert.throws(() => new Ring(members, replicas), AssertionError);
    refused(
      equalMembers(2, () => "same"),
      1,
    );
    for (const replicas of [0, 1.5, Number.NaN]) refused(equalMembers(2, naming.letter), replicas);
    for (const weight of [-1, Number.NaN, maxWeight + 1, Number.POSITIVE_INFINITY]) refused([{ id: "a", weight }], 1);
  });
});

describe("Ring, zones", () => {
  const members = equalMembers(9, naming.host).map((member, index) => ({ ...member, zone: `zone-${index % 3}` }));
  const zoneOf = new Map(members.map((member) => [member.id, member.zone]));
  const zonesOf = (owners: readonly string[]) => new Set(owners.map((id) => zoneOf.get(id))).size;

  it("puts the owners in distinct zones when there are enough", () => {
    for (const replicas of [2, 3]) {
      const ring = new Ring(members, replicas);
      for (const key of keys(2000)) {
        const owners = ring.ownersOf(key);
        assert.equal(owners.length, replicas);
        assert.equal(zonesOf(owners), replicas);
      }
    }
  });

  it("ignores zones when there are fewer than replicas", () => {
    const ring = new Ring(members, 4);
    for (const key of keys(2000)) assert.equal(new Set(ring.ownersOf(key)).size, 4);
  });

  it("leaves each key its primary", () => {
    const zoned = new Ring(members, 3);
    const plain = new Ring(equalMembers(9, naming.host), 3);
    for (const key of keys(2000)) assert.equal(zoned.ownersOf(key)[0], plain.ownersOf(key)[0], key);
  });
});

describe("Ring, shares", () => {
  for (const [name, id] of Object.entries(naming)) {
    it(`are within 10 % of fair at every size from 3 to 50, for ids like ${id(16)} (${name})`, () => {
      for (let count = 3; count <= 50; count++) {
        const members = equalMembers(count, id);
        const ring = new Ring(members, 1);
        const shares = members.map((member) => ring.share(member.id));
        for (const share of shares) assert.ok(Math.abs(share * count - 1) <= 0.1, `${count} members: ${shares.join()}`);
        assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
      }
    });
  }

  it("are those of the keys", () => {
    const members = equalMembers(7, naming.letter);
    const ring = new Ring(members, 2);
    const count = 200_000;
    const counts = new Map<string, number>();
    for (const key of keys(count)) {
      const primary = ring.ownersOf(key)[0] as string;
      counts.set(primary, (counts.get(primary) ?? 0) + 1);
    }
    for (const { id } of members) {
      const share = (counts.get(id) ?? 0) / count;
      // Four standard deviations of a share of 1/7 of so many keys.
      assert.ok(
        Math.abs(share - ring.share(id)) <= 0.0032,
        `${id}: ${share} of the keys, ${ring.share(id)} of the ring`,
      );
    }
  });

  it("follow the weights", () => {
    const weights: Record<string, number> = { a: 1, b: 2, c: 0.5, d: 0, e: 4 };
    const ring = new Ring(
      Object.entries(weights).map(([id, weight]) => ({ id, weight })),
      2,
    );
    for (const [id, weight] of Object.entries(weights)) {
      assert.ok(Math.abs(ring.share(id) - weight / 7.5) <= (0.1 * weight) / 7.5, `${id}: ${ring.share(id)}`);
    }
    for (const key of keys(2000)) assert.ok(!ring.ownersOf(key).includes("d"));
  });

  it("are 0 for an id that is not there, and 1 for a member alone", () => {
    const ring = new Ring([{ id: "a", weight: 1 / pointsPerWeight }], 3);
    assert.equal(ring.share("a"), 1);
    assert.equal(ring.share("b"), 0);
  });
});

describe("Ring, a member more", () => {
  const count = 50_000;
  const sample = keys(count);

  for (const size of [1, 2, 3, 5, 9, 20, 49]) {
    it(`moves keys only to the new one, at most 1.2 of its fair share, from ${size} members`, () => {
      const before = new Ring(equalMembers(size, naming.host), 1);
      const after = new Ring(equalMembers(size + 1, naming.host), 1);
      const added = naming.host(size);
      let moved = 0;
      for (const key of sample) {
        if (before.ownersOf(key)[0] === after.ownersOf(key)[0]) continue;
        assert.equal(after.ownersOf(key)[0], added, key);
        moved++;
      }
      assert.ok(moved > 0 && moved <= (1.2 / (size + 1)) * count, `${moved} of ${count} moved`);
    });

    it(`with two replicas only enters lists, at most 1.2 of two fair shares, from ${size} members`, () => {
      const before = new Ring(equalMembers(size, naming.host), 2);
      const after = new Ring(equalMembers(size + 1, naming.host), 2);
      const added = naming.host(size);
      let changed = 0;
      for (const key of sample) {
        const owners = after.ownersOf(key);
        if (owners.includes(added)) changed++;
        const rest = owners.filter((id) => id !== added);
        assert.deepEqual(rest, before.ownersOf(key).slice(0, rest.length), key);
      }
      assert.ok(changed > 0 && changed <= (2.4 / (size + 1)) * count, `${changed} of ${count} lists changed`);
    });
  }

  it("changes no list when its weight is 0", () => {
    const before = new Ring(equalMembers(5, naming.letter), 2);
    const after = new Ring([...equalMembers(5, naming.letter), { id: "f", weight: 0 }], 2);
    for (const key of sample) assert.deepEqual(before.ownersOf(key), after.ownersOf(key), key);
  });
});
