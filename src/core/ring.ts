/**
 * The ring says which members own a key: its *preference list*, the primary first. Every member computes it alike, from
 * the view alone, so no member has to be asked. It changes little when the members change: a new member takes keys from
 * all others, and no key moves between those.
 *
 * This is ring version 1, described so that another program can compute it (`test/unit/core/ring-vectors.json` has
 * examples):
 *
 * 1. A member of weight w > 0 has round(w × 3072) *points*, halves rounded up, but at least 1. Its point number i, from
 *    0, is at the position xxHash32 (`hash.ts`) of the text `ID#i` (i in decimal), from 0 to 2^32 - 1. A member of
 *    weight 0 has none.
 * 2. The points stand in order of position. Points at the same position stand in order of id (by UTF-16 code units).
 * 3. A key begins at the first point whose position is not less than the xxHash32 of the key. When there is none, it
 *    begins at the first point of all. From there the points are taken in order, the last followed by the first. Each
 *    names its member.
 * 4. The preference list is the first R different members so named. When the members of weight > 0 span at least R
 *    zones, a member is passed over if its zone is in the list already. A member without a zone is a zone by itself.
 */

import { assert } from "../base/assert.ts";
import { xxh32Signed } from "./hash.ts";

/**
 * Points of a member of weight 1. With p points each, a member's share of n varies around 1/n with a relative standard
 * deviation of sqrt((1 - 1/n) / p). That is 1.8 % for 3072, so being 10 % off is 5.5 deviations. Less than one cluster
 * in ten thousand has that at any size (50 members times 48 sizes to try, 4 in 10^8 each). 2048 points would leave 4.5
 * deviations: one cluster in a hundred. The price is 16 bytes a point while the ring is built and 8 afterwards: 1.2 MB
 * for 50 members.
 */
export const pointsPerWeight = 3072;

/** The largest weight of a member. It bounds the ring: 50 members of this weight have 2.5 million points, 20 MB. */
export const maxWeight = 16;

/** Positions go from 0 to this, exclusive. */
export const circle = 2 ** 32;

/**
 * A search for a point looks only at the points in its part of the circle. The first bits of a position tell the part.
 * Two members of weight 1 have three points in each. The counts take 8 KB.
 */
const partBits = 11;
const partCount = 2 ** partBits;
const partShift = 32 - partBits;

/** What the ring must know of a member. */
export interface RingMember {
  readonly id: string;
  /** Its share of the keys relative to others; 0 owns nothing. At most {@link maxWeight}. */
  readonly weight: number;
  /** Members of one zone fail together; undefined: this one fails alone. */
  readonly zone?: string | undefined;
}

/** Immutable. The order in which the members are given does not matter. */
export class Ring {
  /** What it was made of: rings of one name give every key the same owners. */
  readonly name: string;
  /** Where each point is, ascending. */
  readonly #positions: Uint32Array;
  /** For each part of the circle, how many points lie before it. At the end, how many there are. */
  readonly #before: Uint32Array;
  /** For each point, the index in `#lists` of the preference list of the keys that begin there. */
  readonly #listOfPoint: Uint32Array;
  readonly #lists: readonly (readonly string[])[];
  readonly #shares: ReadonlyMap<string, number>;

  /** `replicas` is R, how many members should own a key: a whole number from 1. The ids must differ. */
  constructor(members: readonly RingMember[], replicas: number) {
    assert(Number.isSafeInteger(replicas) && replicas >= 1, "a key has at least one owner");
    assert(new Set(members.map((member) => member.id)).size === members.length, "a member is in the ring once");
    const owners = members.filter((member) => member.weight !== 0).toSorted(byId);
    this.name = ringName(owners, replicas);
    const points = placePoints(owners);
    const ids = owners.map((owner) => owner.id);
    const { lists, listOfPoint } = preferenceLists(points.owners, ids, groupsOf(owners, replicas), replicas);
    this.#positions = points.positions;
    this.#before = countBefore(points.positions);
    this.#listOfPoint = listOfPoint;
    this.#lists = lists;
    this.#shares = sharesOf(points, ids);
  }

  /**
   * The ids of the key's owners, the primary first. They are fewer than R when there are fewer members of weight > 0,
   * and none when there are none. The array is frozen, and equal lists are the same array: it can be compared by
   * identity, and costs no memory.
   */
  ownersOf(key: string): readonly string[] {
    return this.ownersAt(xxh32Signed(key) >>> 0);
  }

  /** Every preference list that some key has. */
  get lists(): readonly (readonly string[])[] {
    return this.#lists;
  }

  /** The share of all keys whose primary the member is, 0 to 1; 0 for an id that is not in the ring. */
  share(id: string): number {
    return this.#shares.get(id) ?? 0;
  }

  /** The owners of the keys whose hash this is: a whole number from 0 to 2^32 - 1. */
  ownersAt(position: number): readonly string[] {
    if (this.#positions.length === 0) return noOwners;
    // Every point before `low` lies before the position. No point from `high` on does.
    const part = position >>> partShift;
    let low = this.#before[part] as number;
    let high = this.#before[part + 1] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#positions[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    const point = low === this.#positions.length ? 0 : low;
    return this.#lists[this.#listOfPoint[point] as number] as readonly string[];
  }
}

/** The name of the ring of these owners; see {@link Ring.name}. */
export function ringName(owners: readonly RingMember[], replicas: number): string {
  return JSON.stringify([replicas, owners.toSorted(byId).map(({ id, weight, zone }) => [id, weight, zone])]);
}

function byId(one: RingMember, other: RingMember): number {
  return one.id < other.id ? -1 : 1;
}

const noOwners: readonly string[] = Object.freeze([]);

/** All points in their order: where each is, and the index of the member that it belongs to. */
interface Points {
  readonly positions: Uint32Array;
  readonly owners: Uint32Array;
}

/** Places the points of `members`. They are in order of id, so equal positions come out in order of id, too. */
function placePoints(members: readonly RingMember[]): Points {
  const counts = members.map(pointCount);
  const count = counts.reduce((sum, each) => sum + each, 0);
  assert(members.length * circle <= Number.MAX_SAFE_INTEGER, "a position and a member fit one number");
  // Each point is one number, position × members + member: a typed array sorts numbers without calling back.
  const packed = new Float64Array(count);
  let at = 0;
  for (const [index, member] of members.entries()) {
    const prefix = `${member.id}#`;
    for (let number = 0; number < (counts[index] as number); number++) {
      packed[at++] = (xxh32Signed(prefix + number) >>> 0) * members.length + index;
    }
  }
  packed.sort();
  const points = { positions: new Uint32Array(count), owners: new Uint32Array(count) };
  for (let point = 0; point < count; point++) {
    const both = packed[point] as number;
    const position = Math.floor(both / members.length);
    points.positions[point] = position;
    points.owners[point] = both - position * members.length;
  }
  return points;
}

/** For each part of the circle, how many of these ascending positions lie before it; and how many there are. */
function countBefore(positions: Uint32Array): Uint32Array {
  const before = new Uint32Array(partCount + 1);
  for (const position of positions) {
    const behind = (position >>> partShift) + 1;
    before[behind] = (before[behind] as number) + 1;
  }
  for (let part = 1; part <= partCount; part++) {
    before[part] = (before[part] as number) + (before[part - 1] as number);
  }
  assert(before[partCount] === positions.length, "every point is in one part");
  return before;
}

function pointCount(member: RingMember): number {
  assert(member.weight > 0 && member.weight <= maxWeight, "a weight is from 0 to maxWeight");
  return Math.max(1, Math.round(member.weight * pointsPerWeight));
}

/** For each member the number of its group. Two members of one group are never in one list. */
function groupsOf(members: readonly RingMember[], replicas: number): readonly number[] {
  const zones = new Map<string, number>();
  const zoneOfMember = members.map(({ zone }, index) => {
    if (zone === undefined) return index;
    const first = zones.get(zone) ?? index;
    zones.set(zone, first);
    return first;
  });
  return new Set(zoneOfMember).size >= replicas ? zoneOfMember : members.map((_, index) => index);
}

/**
 * The different preference lists, and which of them each point has. It goes through the points backwards. A point's
 * list is the next point's list with the point's own member put in front. That member takes the place of the one of its
 * group, or else of the last. So each point costs R steps, however far apart the members of a small zone are.
 */
function preferenceLists(
  owners: Uint32Array,
  ids: readonly string[],
  groups: readonly number[],
  replicas: number,
): { lists: readonly (readonly string[])[]; listOfPoint: Uint32Array } {
  const lists: (readonly string[])[] = [];
  const listOfPoint = new Uint32Array(owners.length);
  const indexOf = new Map<number | string, number>();
  // The last point is followed by the first, so it starts from the first point's list.
  const current = listFrom(owners, groups, replicas);
  for (let point = owners.length - 1; point >= 0; point--) {
    moveToFront(current, owners[point] as number, groups);
    const name = nameOf(current, ids.length);
    let index = indexOf.get(name);
    if (index === undefined) {
      index = lists.push(Object.freeze(current.map((member) => ids[member] as string))) - 1;
      indexOf.set(name, index);
    }
    listOfPoint[point] = index;
  }
  return { lists, listOfPoint };
}

/** The preference list of the first point, as indices of members. */
function listFrom(owners: Uint32Array, groups: readonly number[], replicas: number): number[] {
  const length = Math.min(replicas, new Set(groups).size);
  const list: number[] = [];
  for (let point = 0; list.length < length; point++) {
    const owner = owners[point] as number;
    if (!list.some((each) => groups[each] === groups[owner])) list.push(owner);
  }
  return list;
}

function moveToFront(list: number[], owner: number, groups: readonly number[]): void {
  let place = 0;
  while (place < list.length - 1 && groups[list[place] as number] !== groups[owner]) place++;
  for (; place > 0; place--) list[place] = list[place - 1] as number;
  list[0] = owner;
}

/**
 * A name that differs for different lists of one length. It is the list as the digits of a number, which is quick, or
 * as text when that number is too large.
 */
function nameOf(list: readonly number[], memberCount: number): number | string {
  let name = 0;
  for (const member of list) name = name * memberCount + member;
  return name <= Number.MAX_SAFE_INTEGER ? name : list.join();
}

/** For each id the part of all positions whose next point is one of its own. */
function sharesOf(points: Points, ids: readonly string[]): ReadonlyMap<string, number> {
  const sums = new Float64Array(ids.length);
  let previous = (points.positions.at(-1) ?? 0) - circle;
  for (let point = 0; point < points.positions.length; point++) {
    const position = points.positions[point] as number;
    const owner = points.owners[point] as number;
    sums[owner] = (sums[owner] as number) + position - previous;
    previous = position;
  }
  return new Map(ids.map((id, index) => [id, (sums[index] as number) / circle]));
}
