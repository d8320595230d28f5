/** How a listing is put together from what the primaries hold and what the store has (R7). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { compareText } from "../../../../src/base/text-order.ts";
import { entryOf, isCommonPrefix, type ListQuery } from "../../../../src/core/listing.ts";
import type { HeldAnswer, HeldEntry, ListRequest, PeerAnswer } from "../../../../src/core/message.ts";
import type { ListOutcome } from "../../../../src/core/operation.ts";
import { Lister } from "../../../../src/member/route/lister.ts";
import type { Router } from "../../../../src/member/route/router.ts";
import type { ListPage } from "../../../../src/store/blob-store.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, idle] = [memberOf("a"), memberOf("b"), memberOf("idle", { weight: 0 })];
const whole: ListQuery = { prefix: "", after: "", delimiter: "", limit: 1_000 };
const operationMs = 10_000;

/** Values are their own entity tags; undefined is deleted. */
type Held = ReadonlyMap<string, string | undefined>;

class Trial {
  readonly clock = new ManualClock();
  /** What each member holds of its keys. */
  readonly held: Record<string, Map<string, string | undefined>> = { a: new Map(), b: new Map() };
  readonly stored = new Map<string, string>();
  /** Who was asked, in order. */
  readonly asked: string[] = [];
  /** What the next asks fail with. */
  readonly failures: OperatingError[] = [];
  /** Before each answer of the store. */
  onStore: () => void = () => undefined;
  onAttempt: () => void = () => undefined;
  storeLimit = 1_000;
  readonly lister: Lister;

  constructor(members = [a, b, idle]) {
    const context = {
      membership: servingMember(viewOf(4, members), a, this.clock),
      clock: this.clock,
      settings: { operationMs },
      store: {
        list: (query: ListQuery) => {
          this.asked.push("store");
          this.onStore();
          return Promise.resolve(pageOf(this.stored, { ...query, limit: Math.min(query.limit, this.storeLimit) }));
        },
      },
    };
    const router: Pick<Router, "requireView" | "ask" | "persist"> = {
      requireView: () => undefined,
      ask: (id, request) => Promise.resolve(this.#answer(id, request as ListRequest) as PeerAnswer),
      persist: async (attempt) => {
        for (;;) {
          this.onAttempt();
          try {
            return await attempt(operationMs - this.clock.now());
          } catch (error) {
            if (!isOperatingError(error, "not_ready", "wrong_view")) throw error;
          }
        }
      },
    };
    const heldKeys = { answer: (request: ListRequest) => Promise.resolve(this.#answer("a", request)) };
    this.lister = new Lister(context, router, heldKeys, { within: (work) => work });
  }

  async names(query: Partial<ListQuery> = {}): Promise<string[]> {
    return namesOf(await this.lister.list({ ...whole, ...query }));
  }

  async allNames(query: ListQuery): Promise<string[]> {
    const all: string[] = [];
    for (let after: string | undefined = query.after; after !== undefined; ) {
      const outcome: ListOutcome = await this.lister.list({ ...query, after });
      assert.ok(outcome.keys.length + outcome.prefixes.length <= query.limit);
      all.push(...namesOf(outcome));
      assert.ok(outcome.next === undefined || compareText(outcome.next, after) > 0, "a page gets on");
      after = outcome.next;
    }
    return all;
  }

  #answer(id: string, { query }: ListRequest): HeldAnswer {
    this.asked.push(id);
    const failure = this.failures.shift();
    if (failure) throw failure;
    return heldOf(this.held[id] as Held, query);
  }
}

/** In order: keys with their entity tags, and common prefixes. */
function namesOf({ keys, prefixes }: Pick<ListOutcome, "keys" | "prefixes">): string[] {
  const entries = [
    ...keys.map(({ key, etag }) => [key, `${key}=${etag}`] as const),
    ...prefixes.map((name) => [name, name] as const),
  ];
  return entries.sort(([x], [y]) => compareText(x, y)).map(([, text]) => text);
}

function heldOf(held: Held, query: ListQuery): HeldAnswer {
  const found = new Map<string, HeldEntry>();
  for (const [key, value] of held) {
    const name = entryOf(key, query);
    if (name === undefined) continue;
    if (value === undefined) {
      if (!found.has(name)) found.set(name, { kind: "deleted", name });
    } else if (isCommonPrefix(name, query)) found.set(name, { kind: "prefix", name });
    else found.set(name, { kind: "value", name, size: 1, md5: value, modifiedMs: 0 });
  }
  const entries = [...found.values()].sort((x, y) => compareText(x.name, y.name));
  const first = entries.slice(0, query.limit);
  return { kind: "held", entries: first, end: entries.length > first.length ? first.at(-1)?.name : undefined };
}

function pageOf(stored: ReadonlyMap<string, string>, query: ListQuery): ListPage {
  const names = [...stored.keys()].sort(compareText);
  const entries = [...new Set(names.map((name) => entryOf(name, query)).filter((name) => name !== undefined))];
  const first = entries.slice(0, query.limit);
  return {
    blobs: first
      .filter((name) => !isCommonPrefix(name, query))
      .map((name) => ({ name, size: 1, tag: "t", md5: stored.get(name), modifiedMs: 0 })),
    prefixes: first.filter((name) => isCommonPrefix(name, query)),
    next: entries.length > first.length ? first.at(-1) : undefined,
  };
}

describe("Lister.list", () => {
  it("asks every primary before the store, and takes their word", async () => {
    const trial = new Trial();
    for (const key of ["both", "gone", "stored"]) trial.stored.set(key, "old");
    trial.held["a"]?.set("both", "new").set("held", "new");
    trial.held["b"]?.set("gone", undefined).set("never", undefined);
    assert.deepEqual(await trial.names(), ["both=new", "held=new", "stored=old"]);
    assert.deepEqual(trial.asked, ["a", "b", "store"], "who owns nothing is not asked");
  });

  it("goes on over what is deleted, and gives what others put into the store only if clients may see it", async () => {
    const trial = new Trial();
    for (let n = 0; n < 500; n++) {
      trial.stored.set(`k${String(n).padStart(3, "0")}`, "old");
      if (n < 450) trial.held["b"]?.set(`k${String(n).padStart(3, "0")}`, undefined);
    }
    for (const name of [".weir/view.json", ".weir/z", "y".repeat(1_025)]) trial.stored.set(name, "x");
    assert.deepEqual(await trial.names({ limit: 2 }), ["k450=old", "k451=old"]);
    assert.equal((await trial.names()).length, 50);
    trial.storeLimit = 1;
    assert.deepEqual(await trial.names({ prefix: ".", limit: 1 }), []);
  });

  it("goes no further than the primaries' answers reach", async () => {
    const trial = new Trial();
    for (let n = 0; n < 250; n++)
      trial.held["a"]?.set(`k${String(n).padStart(3, "0")}`, n % 5 === 0 ? "new" : undefined);
    trial.stored.set("k001", "old").set("z", "old");
    assert.equal((await trial.names({ limit: 10 })).length, 10);
    assert.deepEqual((await trial.names({ limit: 90 })).slice(-2), ["k245=new", "z=old"]);
  });

  it("looks into a common prefix of which all that is held is deleted, or that may be weir's own only", async () => {
    const trial = new Trial();
    for (const key of ["all/1", "all/2", "some/1", "some/2", ".weir/view.json", "z"]) trial.stored.set(key, "old");
    trial.held["a"]?.set("all/1", undefined).set("some/1", undefined).set("held/1", undefined);
    trial.held["b"]?.set("all/2", undefined).set("held/2", "new");
    assert.deepEqual(await trial.names({ delimiter: "/" }), ["held/", "some/", "z=old"]);
    assert.deepEqual(await trial.names({ delimiter: "e" }), ["he", "some", "z=old"]);
    trial.stored.set(".wet", "old");
    assert.ok((await trial.names({ delimiter: "e" })).includes(".we"));
    trial.held["a"]?.set(".wet", undefined);
    assert.ok(!(await trial.names({ delimiter: "e" })).includes(".we"));
  });

  it("gives weir's own keys to who asks for them by their prefix", async () => {
    const trial = new Trial();
    for (const key of [".weir/view.json", ".weir/x/1", ".weir/x/2", ".weir/y/1"]) trial.stored.set(key, "old");
    trial.held["a"]?.set(".weir/y/1", undefined).set(".weir/x/1", undefined).set(".weir/x/3", "new");
    assert.deepEqual(await trial.names({ prefix: ".weir/x/" }), [".weir/x/2=old", ".weir/x/3=new"]);
    assert.deepEqual(await trial.names({ prefix: ".weir/", delimiter: "/" }), [".weir/view.json=old", ".weir/x/"]);
    assert.deepEqual(await trial.names({ prefix: ".weir" }), []);
    trial.storeLimit = 1;
    assert.deepEqual(await trial.names({ prefix: ".weir/x/", after: ".weir/x/2" }), [".weir/x/3=new"]);
  });

  it("asks all of them again when one is not ready, and keeps what it has found", async () => {
    const trial = new Trial();
    for (let n = 0; n < 300; n++) trial.stored.set(`k${String(n).padStart(3, "0")}`, "old");
    trial.onStore = () => {
      if (trial.asked.length === 3) trial.failures.push(new OperatingError("not_ready", "a hand-off"));
    };
    trial.storeLimit = 100;
    assert.equal((await trial.names({ limit: 150 })).length, 150);
    assert.deepEqual(trial.asked, ["a", "b", "store", "a", "b", "a", "b", "store"]);
  });

  it("ends a page early rather than late, and fails when it has nothing to show for its time", async () => {
    const trial = new Trial();
    for (let n = 0; n < 300; n++) trial.stored.set(`k${String(n).padStart(3, "0")}`, "old");
    trial.storeLimit = 50;
    trial.onStore = () => trial.clock.advance(3_000);
    const outcome = await trial.lister.list(whole);
    assert.deepEqual([outcome.keys.length, outcome.next], [100, "k099"]);
    trial.onStore = () => {
      throw new OperatingError("store_unavailable", "away");
    };
    await assert.rejects(trial.lister.list(whole), (error) => isOperatingError(error, "store_unavailable"));
  });

  it("is not ready where nobody owns anything", async () => {
    const trial = new Trial([a, b].map((member) => ({ ...member, weight: 0 })));
    let attempts = 0;
    trial.onAttempt = () => {
      if (++attempts === 3) throw new OperatingError("deadline_exceeded", "it took too long");
    };
    await assert.rejects(trial.names(), (error) => isOperatingError(error, "deadline_exceeded"));
    assert.deepEqual(trial.asked, []);
  });

  it("agrees with a sorted list of what there is, for random contents and queries", async (t) => {
    const random = new SimRandom(seedOf(t));
    const text = (least: number): string =>
      Array.from({ length: random.whole(least, 3) }, () =>
        random.pick(["a", "b", "/", ".", ".weir/", "\u{1F600}"]),
      ).join("");
    for (let round = 0; round < 400; round++) {
      const trial = new Trial();
      trial.storeLimit = random.pick([1, 3, 1_000]);
      const truth = new Map<string, string>();
      for (let n = random.whole(0, 40); n > 0; n--) {
        const key = text(1);
        trial.stored.set(key, "old");
        truth.set(key, "old");
      }
      for (let n = random.whole(0, 40); n > 0; n--) {
        const key = random.chance(0.7) ? random.pick([...trial.stored.keys(), "a"]) : text(1);
        const value = random.chance(0.6) ? undefined : "new";
        const [mine, other] = key.length % 2 === 0 ? ["a", "b"] : ["b", "a"];
        trial.held[mine as string]?.set(key, value);
        trial.held[other as string]?.delete(key);
        if (value === undefined) truth.delete(key);
        else truth.set(key, value);
      }
      const query = {
        prefix: random.chance(0.5) ? "" : text(0),
        after: random.chance(0.7) ? "" : text(0),
        delimiter: random.chance(0.4) ? "" : random.pick(["/", ".", "a", "//"]),
        limit: random.whole(1, 6),
      };
      // Those of weir's own are for who asks for them.
      const isHidden = (key: string): boolean => key.startsWith(".weir/") && !query.prefix.startsWith(".weir/");
      for (const key of truth.keys()) if (isHidden(key)) truth.delete(key);
      for (const held of Object.values(trial.held)) for (const key of held.keys()) if (isHidden(key)) held.delete(key);
      const { blobs, prefixes } = pageOf(truth, { ...query, limit: 1_000 });
      const keys = blobs.map(({ name, md5 }) => ({ key: name, size: 1, etag: md5 as string, modifiedMs: 0 }));
      const expected = namesOf({ keys, prefixes });
      assert.deepEqual(await trial.allNames(query), expected, JSON.stringify(query));
    }
  });
});
