/**
 * A key's state machine under random steps: what its rules promise must hold after each one, and from every state there
 * is a way to the end. The steps are those that a member takes; the store and the other owners are a few lines here
 * (V35, W3, W4, W5, W6, F2, F7, F11, L6).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { OperatingError } from "../../../src/base/errors.ts";
import { isDiscarded, whatTheStoreHas } from "../../../src/core/discarded.ts";
import { type Entry, noHeaders, noRequest } from "../../../src/core/entry.ts";
import { type Flight, KeyState, storeUnknown } from "../../../src/core/key-state.ts";
import type { PendingWrite } from "../../../src/core/pending-write.ts";
import { compareVersions, isNewer, noVersion, type Version, versionOf } from "../../../src/core/version.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

type Kind = "value" | "tombstone" | "reference" | "discard";

function entryOf(version: Version, kind: Kind = "value"): Entry {
  const { epoch, seq } = version;
  const common = { epoch, seq, key: "k", headers: noHeaders, md5: "", modifiedMs: 0, requestId: noRequest };
  if (kind === "value") return { ...common, value: Buffer.from("v"), size: 1 };
  const rest = { ...common, value: undefined, size: 0 };
  if (kind === "tombstone") return rest;
  const upload =
    kind === "discard" ? whatTheStoreHas : { token: `t${epoch}.${seq}`, size: 9, manifest: Buffer.from("m") };
  return { ...rest, upload };
}

const lost = new OperatingError("peer_unreachable", "another node owns this key now");
const away = new OperatingError("store_unavailable", "no answer");

/** One member's record of one key, with the other owners, the journal and the store that it deals with. */
class World {
  readonly random: SimRandom;
  readonly record = new KeyState("k", 0);
  /** Whether this member is the key's primary. */
  serves = false;
  others: readonly string[] = ["b"];
  isShort = false;
  /** The version of the object; {@link noVersion} when there is none, or another writer's. */
  object: Version = noVersion;
  /** What the other owners have acknowledged in this epoch. */
  readonly #acks = new Map<PendingWrite, Set<string>>();
  readonly #journal = new Set<PendingWrite>();
  readonly #arrived = new Set<PendingWrite>();
  /** What must be in the store before it commits, until a view has enough owners. */
  readonly #mustArrive = new Set<PendingWrite>();
  /** What each write's outcome must come to. */
  readonly #outcomes = new Map<PendingWrite, "committed" | "lost">();
  readonly #writes: PendingWrite[] = [];
  #epoch = 1;
  #seq = 0;
  #flight: Flight | undefined;
  /** Whether it only reads the object back. */
  #isProof = false;
  #visible: Version | undefined;
  #sent: Version | undefined;
  /** The newest state that any step has brought, until the record is emptied. */
  #newest: Version | undefined;
  now = 0;

  constructor(random: SimRandom) {
    this.random = random;
  }

  next(): Version {
    return { epoch: this.#epoch, seq: ++this.#seq };
  }

  /** Any step that is possible. */
  step(): void {
    this.now++;
    const { random, record } = this;
    if (!this.serves) {
      random.pick([() => this.hold(), () => this.hold(), () => this.gain(), () => this.removeHeld()])();
    } else {
      const steps = [
        () => this.assign(),
        () => this.assign(),
        () => this.journal(),
        () => this.acknowledge(),
        () => this.acknowledge(),
        () => this.commit(),
        () => this.commit(),
        () => this.flush(),
        () => this.flush(),
        () => this.land(),
        () => this.land(),
        () => this.schedule(),
        () => (random.chance(0.5) ? this.newView() : undefined),
        () => (random.chance(0.3) ? this.lose() : undefined),
        () => this.removeStored(),
      ];
      random.pick(steps)();
    }
    this.check();
    assert.equal(record.flight, this.#flight);
  }

  /** A replica takes an entry; what is not newer it must not be given. */
  hold(): void {
    const entry = entryOf(this.next(), this.random.pick(["value", "tombstone", "reference"] as const));
    this.record.hold(entry, this.now);
    this.#newest = versionOf(entry);
    assert.throws(() => this.record.hold(entry, this.now), AssertionError);
  }

  removeHeld(): void {
    this.record.remove();
    this.#newest = undefined;
    this.#visible = undefined;
  }

  removeStored(): void {
    const { record } = this;
    if (record.pending.length > 0) assert.throws(() => record.remove(), AssertionError);
    else if (record.stored && !this.#flight && record.entry) this.removeHeld();
  }

  /** The member becomes the primary. A lost predecessor may have written something to the store that no owner holds. */
  gain(): void {
    const { random, record } = this;
    if (random.chance(0.3)) this.object = this.next();
    this.newEpoch();
    this.serves = true;
    this.#visible = undefined;
    const wasForgotten = random.chance(0.2);
    if (record.entry) {
      const write = record.inherit({ now: this.now, others: this.others, isShort: this.isShort }, wasForgotten);
      this.track(write);
      this.#journal.add(write);
      if (wasForgotten) this.#mustArrive.add(write);
    }
  }

  newEpoch(): void {
    this.#epoch++;
    this.#seq = 0;
    this.others = this.random.pick([["b"], ["b", "c"], []]);
    this.isShort = this.others.length === 0 || (this.others.length === 1 && this.random.chance(0.5));
    this.#acks.clear();
  }

  track(write: PendingWrite): void {
    this.#writes.push(write);
    write.outcome.catch(() => undefined);
    this.#newest = versionOf(write.entry);
  }

  /** A view was adopted under which the member goes on as the primary. */
  newView(): void {
    this.newEpoch();
    this.record.beginEpoch(this.others, this.isShort);
    for (const write of this.#mustArrive) if (!write.inherited && !this.isShort) this.#mustArrive.delete(write);
  }

  assign(): void {
    const { random, record } = this;
    if (record.pending.length > 4) return;
    const isQuiet = record.pending.length === 0 && !this.#flight;
    let kind: Kind = random.pick(["value", "value", "tombstone"] as const);
    if (isQuiet && !record.dirty && random.chance(0.3)) kind = "reference";
    // An operator discards what was sent and is not in the store.
    if (isQuiet && record.dirty && record.entry && record.wasLastSent(record.entry)) kind = "discard";
    const entry = entryOf(this.next(), kind);
    this.track(record.assign(entry, { now: this.now, others: this.others, isShort: this.isShort }));
    if (kind === "discard") this.#sent = versionOf(entry);
    assert.throws(
      () => record.assign(entry, { now: this.now, others: [], isShort: false }),
      AssertionError,
      "no version twice",
    );
  }

  journal(): void {
    const write = this.record.pending.find((each) => !this.#journal.has(each));
    if (!write) return;
    this.record.journaled(write);
    this.#journal.add(write);
  }

  acknowledge(): void {
    const { random, record } = this;
    const waiting = record.pending.filter((write) => write.missing.length > 0);
    if (waiting.length === 0) return;
    const write = random.pick(waiting);
    const owner = random.pick(write.missing);
    if (write.inherited && random.chance(0.3)) record.sendAhead();
    // The hand-off's word does not count for a copy that was sent ahead.
    if (write.inherited && random.chance(0.5)) {
      const counts = record.ownerHas(write.entry, owner);
      assert.equal(counts, !write.sentAhead);
      if (!counts) return;
    } else record.acknowledged(write, owner);
    this.#acksOf(write).add(owner);
  }

  /** Commits what is ready; everything that its rules ask for must be there. */
  commit(): void {
    const { record } = this;
    const first = record.pending[0];
    if (record.readiness !== "ready") {
      // Whether a later one holds back the first (F9) is asked before, and not again: it would cost a look at all.
      const isHeldBack = first?.missing.length === 0 && first.journaled && !first.needsStore;
      if (!isHeldBack) assert.throws(() => record.commit(), AssertionError);
      return;
    }
    assert.ok(first);
    for (const owner of this.others) assert.ok(this.#acksOf(first).has(owner), "W3: every other owner has it");
    assert.ok(this.#journal.has(first), "W4: the journal has it");
    const isReference = first.entry.upload !== undefined && !isDiscarded(first.entry);
    if (isReference) assert.ok(this.#arrived.has(first), "L1: the store has completed it");
    if (this.isShort && !isDiscarded(first.entry)) assert.ok(this.#arrived.has(first), "W5: the store has it");
    for (const later of record.pending.slice(1))
      if (later.fromStore) {
        for (const owner of this.others) assert.ok(this.#acksOf(later).has(owner), "F9: nothing older before it");
        assert.ok(!later.needsStore, "F9: nothing older before it");
      }
    if (this.#mustArrive.has(first)) assert.ok(this.#arrived.has(first), "the store was asked first");
    assert.equal(record.commit(), first);
    this.#outcomes.set(first, "committed");
    assert.equal(record.entry, first.entry);
    assert.ok(isNewer(first.entry, this.#visible), "W6: the visible state only grows");
    this.#visible = versionOf(first.entry);
    if (isDiscarded(first.entry)) record.isInStore();
  }

  schedule(): void {
    const { record } = this;
    if (this.#flight) assert.throws(() => record.schedule(this.now), AssertionError);
    else if (record.scheduledAt === undefined) record.schedule(this.now);
    else record.schedule(undefined);
  }

  /** Begins the flush that the record asks for. */
  flush(): void {
    const { record, random } = this;
    const step = record.nextFlush;
    if (!step || this.#flight) return;
    if (step.kind !== "write" && step.kind !== "prove") {
      const write = record.pending.find(({ entry }) => entry === step.entry);
      assert.ok(write, "what is written through is pending");
      for (const owner of this.others) assert.ok(this.#acksOf(write).has(owner), "L2: all owners have it before");
    } else assert.equal(step.entry, record.entry);
    record.schedule(undefined);
    this.#isProof = step.kind === "prove";
    this.#flight = record.takeOff(step.entry, this.now, step.kind !== "prove" && random.chance(0.2));
    assert.throws(() => record.takeOff(step.entry, this.now, false), AssertionError, "F2: one at a time");
  }

  /** The flush under way goes on to its end: an answer, no answer, or a look at the object. */
  land(): void {
    const { record, random } = this;
    const flight = this.#flight;
    if (!flight) return;
    const { entry } = flight;
    if (compareVersions(this.object, entry) > 0) this.#seeNewer(flight);
    else if (this.#isProof) {
      if (record.entry === entry) record.proved(compareVersions(this.object, entry) === 0);
    } else if (random.chance(0.25)) {
      // No answer: it may have taken effect or not.
      this.#send(flight);
      if (random.chance(0.5)) this.object = versionOf(entry);
      record.attempted(away);
    } else {
      this.#send(flight);
      this.object = versionOf(entry);
      record.saw({ kind: "present", tag: `tag ${entry.seq}` });
      this.#arrive(flight);
    }
    this.#flight = undefined;
    assert.ok(record.land(flight));
    assert.ok(!record.land(flight), "a flush lands once");
  }

  #send(flight: Flight): void {
    const { entry } = flight;
    if (!entry.upload) assert.ok(!isNewer(this.#sent ?? noVersion, entry), "F7: what is older is never sent");
    this.record.sent(flight);
    this.#sent = versionOf(entry);
    assert.ok(compareVersions(entry, this.object) >= 0, "P3: the object never goes back");
  }

  #arrive(flight: Flight): void {
    const { record } = this;
    for (const write of record.pending) if (compareVersions(write.entry, flight.entry) <= 0) this.#arrived.add(write);
    record.arrived(flight);
    const isVisible = record.storedVisible(flight);
    assert.equal(isVisible, record.entry === flight.entry);
    if (isVisible) assert.equal(record.stored, !flight.unproven);
    // What makes it unproven: an earlier request may still land over it, but none from before what is stored for good.
    if (flight.unproven && !record.stored && this.random.chance(0.5)) this.object = noVersion;
  }

  /**
   * The object is newer than what was to be sent: a write of before that no owner holds, or one that is pending here.
   */
  #seeNewer(flight: Flight): void {
    const { record, object } = this;
    if (isNewer(object, record.newest)) {
      record.saw({ kind: "present", tag: "foreign" });
      record.sawNewer(flight, object);
      const assignment = { now: this.now, others: this.others, isShort: this.isShort, fromStore: true };
      const needsStore = record.pending.some((write) => write.needsStore);
      const write = record.assign(entryOf(object), assignment);
      this.track(write);
      if (needsStore) this.#mustArrive.add(write);
    } else record.sawNewer(flight, object);
    this.#sent = object;
    const first = record.pending[0];
    if (first?.entry.upload && first.entry === flight.entry) this.#loseUpload(first);
  }

  #loseUpload(first: PendingWrite): void {
    this.record.loseUpload(lost);
    this.#outcomes.set(first, isDiscarded(first.entry) ? "committed" : "lost");
    this.#visible = versionOf(first.entry);
    this.record.isInStore();
  }

  /** Another member becomes the primary. */
  lose(): void {
    const { record } = this;
    for (const write of record.pending) this.#outcomes.set(write, "lost");
    const { newest } = record;
    record.endTenure(lost);
    assert.deepEqual([record.entry, record.pending], [newest, []], "W9: the newest write is held on");
    assert.deepEqual([record.store, record.stored, record.failures], [storeUnknown, false, 0]);
    assert.ok(!newest || !record.wasLastSent(newest), "what was known of the store is forgotten");
    this.serves = false;
    this.#flight = undefined;
    this.#sent = undefined;
  }

  /** What holds after each step. */
  check(): void {
    const { record } = this;
    let last: Version | undefined = record.entry;
    for (const { entry } of record.pending) {
      assert.ok(isNewer(entry, last), "W1: versions only grow");
      last = entry;
    }
    if (this.#newest) assert.ok(record.newest && compareVersions(record.newest, this.#newest) === 0, "nothing is lost");
    if (!this.serves) assert.equal(record.pending.length, 0, "only a primary has pending writes");
    if (this.#flight) assert.equal(record.scheduledAt, undefined);
    if (record.stored && record.entry && !record.entry.upload)
      assert.ok(compareVersions(this.object, record.entry) >= 0, "what is stored is in the store");
    assert.equal(record.dirty, record.entry !== undefined && !record.stored);
    if (record.nextFlush === undefined && record.dirty && record.pending.length === 0 && this.#sent)
      assert.ok(record.entry && isNewer(this.#sent, record.entry), "what is dirty is flushed, or something newer was");
  }

  /** From here on nothing new comes, and everything that is awaited does. */
  async drain(): Promise<void> {
    if (!this.serves) this.gain();
    for (let round = 0; round < 200 && (this.record.pending.length > 0 || this.record.dirty); round++) {
      while (this.record.pending.some((write) => !this.#journal.has(write))) this.journal();
      for (const write of this.record.pending)
        for (const owner of write.missing) {
          this.record.acknowledged(write, owner);
          this.#acksOf(write).add(owner);
        }
      while (this.record.readiness === "ready") this.commit();
      this.flush();
      this.land();
      this.check();
    }
    assert.deepEqual([this.record.pending.length, this.record.dirty], [0, false], "everything commits and is flushed");
    for (const write of this.#writes) {
      const [result] = await Promise.allSettled([write.outcome]);
      assert.equal(result.status === "fulfilled" ? "committed" : "lost", this.#outcomes.get(write));
      if (result.status === "fulfilled") assert.equal(compareVersions(result.value, write.entry), 0);
    }
  }

  #acksOf(write: PendingWrite): Set<string> {
    const acks = this.#acks.get(write) ?? new Set();
    this.#acks.set(write, acks);
    return acks;
  }
}

describe("KeyState, under random steps", () => {
  it("keeps its rules after each, and comes to an end from every state", async (test) => {
    const seed = seedOf(test);
    const random = new SimRandom(seed);
    for (let run = 0; run < 400; run++) {
      const world = new World(random);
      const steps = random.whole(1, 120);
      for (let count = 0; count < steps; count++) world.step();
      await world.drain();
    }
  });
});

describe("KeyState, of a state that was found in the store", () => {
  it("shows nothing older before every owner has that state, under a later view, too (F9)", () => {
    const record = new KeyState("k", 0);
    record.hold(entryOf({ epoch: 1, seq: 1 }), 0);
    const old = record.inherit({ now: 0, others: ["b"], isShort: true }, false);
    record.acknowledged(old, "b");
    assert.deepEqual([record.readiness, record.nextFlush?.kind], ["needs_store", "write_through"]);

    const look = record.takeOff(old.entry, 0, false);
    const found = entryOf({ epoch: 1, seq: 5 });
    record.sawNewer(look, found);
    const newer = record.assign(found, { now: 0, others: ["b"], isShort: true, fromStore: true });
    record.land(look);
    record.journaled(newer);
    assert.equal(record.nextFlush, undefined, "the old one is not sent any more, the new one not yet");
    record.acknowledged(newer, "b");
    const flight = record.takeOff(found, 0, false);
    record.sent(flight);
    assert.equal(record.arrived(flight), true);
    record.land(flight);

    record.beginEpoch(["c"], false);
    record.acknowledged(old, "c");
    assert.equal(record.readiness, "waits");
    record.acknowledged(newer, "c");
    assert.equal(record.readiness, "ready");
    assert.deepEqual([record.commit(), record.commit()], [old, newer]);
  });
});
