/**
 * What a member says of the keys of a listing: what it holds and serves, in order, bounded, and never what it may not
 * know (R7).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import type { ListQuery } from "../../../../src/core/listing.ts";
import type { Membership } from "../../../../src/core/membership.ts";
import type { HeldAnswer, ListRequest } from "../../../../src/core/message.ts";
import type { PendingWrite } from "../../../../src/core/pending-write.ts";
import { createCache } from "../../../../src/member/keys/cache.ts";
import { HeldKeys } from "../../../../src/member/keys/held-keys.ts";
import { assign, hold, inherit, roomyBuffer, spread } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { memberIn, memberOf, pastOf, ringOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const view = viewOf(4, [a, b]);
const whole: ListQuery = { prefix: "", after: "", delimiter: "", limit: 1_000 };

class Trial {
  readonly clock = new ManualClock();
  readonly buffer = roomyBuffer(this.clock);
  readonly membership: Membership;
  readonly cache = createCache(1e6);
  readonly sentAhead: string[] = [];
  readonly heldKeys: HeldKeys;
  #seq = 0;

  constructor(membership?: (clock: ManualClock) => Membership) {
    this.membership = membership?.(this.clock) ?? servingMember(viewOf(4, [a]), a, this.clock);
    this.heldKeys = new HeldKeys(this, { sendAhead: ({ key }) => this.sentAhead.push(key) });
  }

  entry(key: string, value: string | undefined): Entry {
    const common = { key, epoch: 4, seq: ++this.#seq, headers: noHeaders, modifiedMs: 7, requestId: noRequest };
    return value === undefined
      ? { ...common, value, size: 0, md5: "" }
      : { ...common, value: Buffer.from(value), size: value.length, md5: "m" };
  }

  hold(key: string, value: string | undefined): KeyState {
    return hold(this.buffer, this.entry(key, value));
  }

  /** What was held becomes the first pending write, as when the key is gained with a view. */
  inherit(record: KeyState): void {
    inherit(this.buffer, record, { others: ["b"] }).outcome.catch(() => undefined);
  }

  /** All owners have what was inherited. */
  commit(record: KeyState): void {
    spread(record, record.pending[0] as PendingWrite);
    this.buffer.commit(record);
  }

  /** The store has it, too. */
  cacheValue(key: string, value: Buffer | undefined): void {
    const about = { epoch: 3, seq: 1, headers: noHeaders, md5: "c", modifiedMs: 5, size: 9, tag: "t" };
    this.cache.set(key, { ...about, value, upload: undefined });
  }

  /** Nobody else has it yet. */
  assign(key: string, value: string, isShort = false): void {
    assign(this.buffer, this.entry(key, value), { others: ["b"], isShort });
  }

  ask(query: Partial<ListQuery> = {}, change: Partial<ListRequest> = {}): Promise<HeldAnswer> {
    const epoch = this.membership.epoch;
    return this.heldKeys.answer({ kind: "list", epoch, query: { ...whole, ...query }, deadlineMs: 1_000, ...change });
  }

  /** Names, with a minus sign before what is deleted, and what the answer reaches to. */
  async names(query: Partial<ListQuery> = {}): Promise<string[]> {
    const { entries, end } = await this.ask(query);
    const names = entries.map(({ kind, name }) => (kind === "deleted" ? `-${name}` : name));
    return end === undefined ? names : [...names, `| ${end}`];
  }
}

const refusedAs = (code: "wrong_view" | "not_ready" | "deadline_exceeded") => (error: unknown) =>
  isOperatingError(error, code);

describe("HeldKeys.answer", () => {
  it("leaves out weir's own keys, also as common prefixes", async () => {
    const trial = new Trial();
    trial.hold(".weir/s3-buckets.json", "1");
    trial.hold("we", "1");
    for (const delimiter of ["", ".", "w"]) {
      assert.deepEqual(await trial.names({ delimiter }), [delimiter === "w" ? "w" : "we"], delimiter);
    }
    assert.deepEqual(await trial.names({ prefix: ".weir/s3" }), [".weir/s3-buckets.json"], "asked for by its prefix");
  });

  it("gives what is held in order: values with what is known of them, and what is deleted", async () => {
    const trial = new Trial();
    for (const key of ["b", "\u{1F600}", "a", "\uffee"]) trial.hold(key, key === "a" ? undefined : "xyz");
    assert.deepEqual(await trial.names(), ["-a", "b", "\uffee", "\u{1F600}"]);
    const { entries } = await trial.ask({ prefix: "b" });
    assert.deepEqual(entries, [{ kind: "value", name: "b", size: 3, md5: "m", modifiedMs: 7 }]);
  });

  it("says up to where nothing is missing when there is more than was asked for", async () => {
    const trial = new Trial();
    for (let n = 0; n < 90; n++) trial.hold(String((n * 37) % 90).padStart(2, "0"), n % 3 === 0 ? undefined : "x");
    const { entries, end } = await trial.ask({ limit: 10 });
    assert.deepEqual([entries.map(({ name }) => name), end], [Array.from({ length: 10 }, (_, n) => `0${n}`), "09"]);
    assert.equal((await trial.ask({ limit: 10, after: "79" })).end, undefined);
    assert.equal((await trial.ask({ limit: 10, after: "78" })).end, "88");
  });

  it("rolls keys up at the delimiter, alive if one of them is", async () => {
    const trial = new Trial();
    for (const [key, value] of [["a/1"], ["a/2", "x"], ["a/3"], ["b/1"], ["c", "x"], ["b/2"]] as const)
      trial.hold(key, value);
    assert.deepEqual(await trial.names({ delimiter: "/" }), ["a/", "-b/", "c"]);
    assert.deepEqual(await trial.names({ delimiter: "/", after: "a/" }), ["-b/", "c"]);
    assert.deepEqual(await trial.names({ delimiter: "/", limit: 1 }), ["a/", "| a/"]);
  });

  it("leaves out keys of other primaries, and writes that have not committed", async () => {
    const trial = new Trial((clock) => servingMember(view, a, clock));
    const keys = Array.from({ length: 40 }, (_, n) => `key-${n}`);
    for (const key of keys) trial.hold(key, "x");
    const own = keys.filter((key) => ringOf(view).ownersOf(key)[0] === "a");
    assert.deepEqual(await trial.names(), own.toSorted());
    const alone = new Trial();
    alone.assign("new", "x");
    alone.hold("old", "x");
    assert.deepEqual(await alone.names(), ["old"]);
  });

  it("gives what reads are given of a key with a pending write, which the store may have already", async () => {
    const trial = new Trial();
    for (const key of ["a", "b", "large", "x/1"])
      trial.cacheValue(key, key === "large" ? undefined : Buffer.from("cached"));
    for (const key of ["a", "large", "uncached", "x/1"]) trial.assign(key, "new", true);
    // This one may have needed the store before there was another owner.
    trial.assign("b", "new");
    const { entries } = await trial.ask({ delimiter: "/" });
    assert.deepEqual(entries, [
      { kind: "value", name: "a", size: 9, md5: "c", modifiedMs: 5 },
      { kind: "value", name: "b", size: 9, md5: "c", modifiedMs: 5 },
      { kind: "value", name: "large", size: 9, md5: "c", modifiedMs: 5 },
      { kind: "prefix", name: "x/" },
    ]);
  });

  it("waits for what was inherited until all owners have it, as a read does", async () => {
    const trial = new Trial();
    const [value, deleted, cleaned] = [trial.hold("a/1", "x"), trial.hold("b/1", undefined), trial.hold("c/1", "x")];
    for (const record of [value, deleted, cleaned]) trial.inherit(record);
    let answer: string[] | undefined;
    const asked = trial.names({ delimiter: "/" }).then((names) => {
      answer = names;
    });
    await turn();
    assert.deepEqual(trial.sentAhead, ["a/1", "b/1", "c/1"]);
    for (const record of [value, deleted]) trial.commit(record);
    await turn();
    assert.equal(answer, undefined, "one is still waited for");
    trial.commit(cleaned);
    trial.buffer.remove(cleaned);
    await asked;
    assert.deepEqual(answer, ["a/", "-b/"], "what has gone to the store is the store's to tell");
  });

  it("refuses without tenure of all its keys, without a lease, and under another view", async () => {
    const behind = new Trial((clock) => memberIn(view, a, { clock }));
    await assert.rejects(behind.ask(), refusedAs("not_ready"));
    const trial = new Trial((clock) => servingMember(view, a, clock));
    await trial.ask();
    await assert.rejects(trial.ask({}, { epoch: 5 }), refusedAs("wrong_view"));
    await assert.rejects(trial.ask({}, { deadlineMs: 0 }), refusedAs("deadline_exceeded"));
    trial.membership.lease.void();
    await assert.rejects(trial.ask(), refusedAs("not_ready"));
  });

  it("refuses while some key is in doubt, whichever that is, and says who is missing", async () => {
    const before = viewOf(4, [a, b, memberOf("c")]);
    const after = { ...viewOf(5, [a]), lost: [pastOf(before)] };
    const trial = new Trial((clock) => servingMember(after, a, clock));
    await assert.rejects(trial.ask(), (error) => {
      assert.ok(isOperatingError(error, "not_ready"));
      assert.match(error.message, /start one of b, c/);
      return true;
    });
  });

  it("refuses when the lease was lost, or the view changed, while it looked", async () => {
    const changes = [
      { change: (membership: Membership) => membership.lease.void(), code: "not_ready" },
      { change: (membership: Membership) => membership.adopt(viewOf(5, [a, b])), code: "wrong_view" },
    ] as const;
    for (const { change, code } of changes) {
      const trial = new Trial();
      const record = trial.hold("k", "x");
      trial.inherit(record);
      const failure = assert.rejects(trial.ask(), refusedAs(code));
      await turn();
      change(trial.membership);
      trial.commit(record);
      await failure;
    }
  });

  it("looks at a large buffer a slice at a time, and at no more than one at once", async () => {
    const trial = new Trial();
    for (let n = 0; n < 10_000; n++) trial.hold(`k${n}`, "x");
    let answers = 0;
    const both = [trial.names({ limit: 2 }), trial.names({ limit: 2 })].map(async (names) => {
      assert.deepEqual(await names, ["k0", "k1", "| k1"]);
      answers++;
    });
    // Of 10,000 keys, two pauses each.
    for (const expected of [0, 0, 1, 1]) {
      await turn();
      assert.equal(answers, expected);
      trial.clock.advance(0);
    }
    await Promise.all(both);
    assert.equal(answers, 2);
  });
});
