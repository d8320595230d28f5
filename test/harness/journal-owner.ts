/**
 * Who writes a journal, for tests: holds what a member would hold, and remembers everything that it appended, so that
 * it can be said of what is found after a crash whether it may be so: what was there after some number of the records,
 * in order, and no fewer than were confirmed.
 */

import { strict as assert } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { type Entry, noHeaders, noRequest } from "../../src/core/entry.ts";
import type { LateCondition, LateRecord } from "../../src/core/late-effects.ts";
import type { RequestOutcome } from "../../src/core/message.ts";
import { compareVersions, type Version } from "../../src/core/version.ts";
import type { AdoptRecord, Journal, JournalRecord, JournalSource, Recovered } from "../../src/journal/journal.ts";
import { noise } from "./noise.ts";
import { SimRandom } from "./sim-random.ts";

const router = "0123456789abcdef0123456789abcdef";

/** Values are parts of it. */
const bytes = noise(new SimRandom(1), 64 * 1024);

function someBytes(random: SimRandom, size: number): Buffer {
  const start = random.whole(0, bytes.length - size);
  return bytes.subarray(start, start + size);
}

export function makeEntry(key: string, version: Version, value: Buffer | undefined, counter = version.seq): Entry {
  return {
    key,
    epoch: version.epoch,
    seq: version.seq,
    headers: noHeaders,
    md5: value === undefined ? "" : router,
    modifiedMs: version.seq,
    size: value?.length ?? 0,
    value,
    requestId: { router, counter },
  };
}

export function outcomeOf(entry: Entry): RequestOutcome {
  return { requestId: entry.requestId, key: entry.key, version: { epoch: entry.epoch, seq: entry.seq } };
}

/** What a journal should give back after some of its records. */
class State {
  readonly entries = new Map<string, Entry>();
  readonly outcomes = new Map<number, RequestOutcome>();
  /** Requests whose outcomes may be found: they may be finished, but they were not forgotten. */
  readonly done = new Set<number>();
  adopted: readonly number[] = [];
  /** Conditions by key. */
  readonly late = new Map<string, readonly LateCondition[]>();

  apply(record: JournalRecord): void {
    switch (record.kind) {
      case "entry": {
        const before = this.entries.get(record.entry.key);
        this.#remember(outcomeOf(record.entry));
        if (before === undefined || compareVersions(record.entry, before) >= 0) {
          this.entries.set(record.entry.key, record.entry);
        }
        return;
      }
      case "clean": {
        const before = this.entries.get(record.key);
        if (before !== undefined && compareVersions(before, record.version) <= 0) this.entries.delete(record.key);
        return;
      }
      case "adopt":
        this.adopted = record.adopted;
        return;
      case "late":
        if (record.conditions.length > 0) this.late.set(record.key, record.conditions);
        else this.late.delete(record.key);
        return;
      case "outcomes":
        for (const outcome of record.outcomes) this.#remember(outcome);
        return;
      case "forget":
        for (const { counter } of record.requests) {
          this.outcomes.delete(counter);
          this.done.delete(counter);
        }
        return;
    }
  }

  /** This is what was found, and it is all that is remembered. */
  forgetAllBut(outcomes: Iterable<RequestOutcome>): void {
    this.outcomes.clear();
    this.done.clear();
    for (const outcome of outcomes) this.#remember(outcome);
  }

  #remember(outcome: RequestOutcome): void {
    const { counter } = outcome.requestId;
    const known = this.outcomes.get(counter);
    if (known === undefined || compareVersions(outcome.version, known.version) > 0) this.outcomes.set(counter, outcome);
    this.done.add(outcome.requestId.counter);
  }

  copy(): State {
    const copy = new State();
    for (const [key, entry] of this.entries) copy.entries.set(key, entry);
    for (const [counter, outcome] of this.outcomes) copy.outcomes.set(counter, outcome);
    for (const counter of this.done) copy.done.add(counter);
    copy.adopted = this.adopted;
    for (const [key, tag] of this.late) copy.late.set(key, tag);
    return copy;
  }
}

export class JournalOwner implements JournalSource {
  /** What was there before the records of this life. */
  #base = new State();
  /** What it holds now. */
  #now = new State();
  #records: JournalRecord[] = [];
  /** So many of them are durable. */
  #confirmed = 0;
  /** Requests that will not be sent again, by counter. */
  readonly #finished = new Set<number>();
  #journal: Journal | undefined;
  #seq = 0;
  #epoch = 1;

  *late(): Iterable<LateRecord> {
    for (const [key, conditions] of this.#now.late) yield { kind: "late", key, conditions };
  }

  get heldKeys(): string[] {
    return [...this.#now.entries.keys()];
  }

  /** Bytes of keys and values that it holds. */
  get heldBytes(): number {
    let bytes = 0;
    for (const entry of this.#now.entries.values()) bytes += entry.size + entry.key.length;
    return bytes;
  }

  get unconfirmed(): number {
    return this.#records.length - this.#confirmed;
  }

  adoption(): AdoptRecord | undefined {
    const { adopted } = this.#now;
    const epoch = adopted.at(-1);
    return epoch === undefined ? undefined : { kind: "adopt", epoch, adopted };
  }

  outcomes(): Iterable<RequestOutcome> {
    return this.#now.outcomes.values();
  }

  /** As a member does (V37): a copy names its request only if the outcome of that is known. */
  newest(key: string): Entry | undefined {
    const entry = this.#now.entries.get(key);
    if (entry === undefined || this.#now.outcomes.has(entry.requestId.counter)) return entry;
    return { ...entry, requestId: noRequest };
  }

  /** Goes on with what a journal found, of which it knows nothing. */
  begin(journal: Journal): void {
    const { recovered } = journal;
    for (const entry of recovered.entries) this.#base.apply({ kind: "entry", entry });
    for (const { key, conditions } of recovered.late) this.#base.apply({ kind: "late", key, conditions });
    this.#base.adopted = recovered.adopted;
    this.#base.forgetAllBut(recovered.outcomes);
    this.take(journal);
  }

  /** Goes on with what a journal found; throws unless that may be so. */
  take(journal: Journal): void {
    const { recovered } = journal;
    this.#base = this.#explain(recovered);
    this.#now = this.#base.copy();
    this.#records = [];
    this.#confirmed = 0;
    this.#journal = journal;
    for (const entry of recovered.entries) this.#seq = Math.max(this.#seq, entry.seq);
    journal.attach(this);
  }

  put(key: string, value: Buffer | undefined): Entry {
    const entry = makeEntry(key, { epoch: this.#epoch, seq: ++this.#seq }, value);
    this.append({ kind: "entry", entry });
    return entry;
  }

  /** The newest state of the key is in the store. */
  clean(key: string): void {
    const entry = this.#now.entries.get(key);
    if (entry !== undefined) this.append({ kind: "clean", key, version: { epoch: entry.epoch, seq: entry.seq } });
  }

  adopt(): void {
    const adopted = [...this.#now.adopted.slice(-3), ++this.#epoch];
    this.append({ kind: "adopt", epoch: this.#epoch, adopted });
  }

  /** It ends, and another one goes on with all that it holds, in the same life of the journal. */
  succeedBy(next: JournalOwner): void {
    next.#base = this.#now.copy();
    next.#now = this.#now.copy();
    next.#seq = this.#seq;
    next.#journal = this.#journal;
    this.#journal?.attach(next);
  }

  append(record: JournalRecord): void {
    this.#now.apply(record);
    this.#records.push(record);
    this.#journal?.append(record);
  }

  /** All but the last `count` requests will not be sent again. */
  finishAllBut(count: number): void {
    for (const each of this.#now.outcomes.keys()) {
      if (each > this.#seq - count) continue;
      this.#now.outcomes.delete(each);
      this.#finished.add(each);
    }
  }

  /** The outcomes of some requests count no more, be their entries held or not. */
  forget(random: SimRandom): void {
    const requests = [...this.#now.outcomes.values()].map(({ requestId }) => requestId);
    this.append({ kind: "forget", requests: requests.filter(() => random.chance(0.5)) });
  }

  /** Some change that a member might make. */
  actAtRandom(random: SimRandom, keys: number, maxBytes: number): void {
    const key = `key-${random.whole(1, keys)}`;
    const luck = random.next();
    if (luck < 0.03) {
      const tag = random.pick(["", "", "a", "b"]);
      this.append({
        kind: "late",
        key,
        conditions:
          tag === ""
            ? []
            : [
                { condition: { kind: "present", tag }, version: undefined },
                { condition: { kind: "absent" }, version: { epoch: 1, seq: 2 } },
              ],
      });
    } else if (luck < 0.5) this.put(key, random.chance(0.1) ? undefined : someBytes(random, random.whole(0, maxBytes)));
    else if (luck < 0.85) this.clean(key);
    else if (luck < 0.88) this.adopt();
    else if (luck < 0.895) this.forget(random);
    else if (luck < 0.91) this.finishAllBut(random.whole(0, 30));
    else if (luck < 0.94) this.append({ kind: "clean", key, version: { epoch: this.#epoch, seq: this.#seq } });
    else if (luck < 0.97) {
      // A late copy of an older state.
      const held = this.#now.entries.get(key);
      if (held === undefined || held.seq < 2) return;
      this.append({
        kind: "entry",
        entry: makeEntry(key, { epoch: held.epoch, seq: held.seq - 1 }, someBytes(random, 9)),
      });
    } else {
      const entry = makeEntry(key, { epoch: this.#epoch, seq: ++this.#seq }, undefined);
      // Now and then the request has been done once more since, by a later primary.
      const earlier = random.pick([entry.requestId, ...[...this.#now.outcomes.values()].map((each) => each.requestId)]);
      const outcome = { ...outcomeOf(entry), requestId: earlier };
      const older = { ...outcome, version: { epoch: 0, seq: 1 } };
      this.append({ kind: "outcomes", outcomes: random.chance(0.5) ? [outcome] : [outcome, older] });
    }
  }

  /** Notes how much is durable once it is; resolves then. */
  async confirm(): Promise<void> {
    const records = this.#records;
    const count = records.length;
    await this.#journal?.durable();
    if (this.#records === records) this.#confirmed = Math.max(this.#confirmed, count);
  }

  #explain(recovered: Recovered): State {
    const state = this.#base.copy();
    const mistakes: string[] = [];
    for (let count = 0; ; count += 1) {
      if (count >= this.#confirmed) {
        const mistake = this.#differs(recovered, state);
        if (mistake === undefined) {
          state.forgetAllBut(recovered.outcomes);
          return state;
        }
        mistakes.push(`after ${count}: ${mistake}`);
      }
      const record = this.#records[count];
      if (record === undefined) break;
      state.apply(record);
    }
    const counts = `${this.#confirmed} of ${this.#records.length} records were confirmed`;
    return assert.fail(`what was found can't be explained (${counts}):\n${mistakes.slice(0, 20).join("\n")}`);
  }

  #differs(recovered: Recovered, state: State): string | undefined {
    if (recovered.adopted.join() !== state.adopted.join())
      return `adopted ${recovered.adopted.join()}, not ${state.adopted.join()}`;
    if (recovered.entries.length !== state.entries.size) {
      return `${recovered.entries.length} entries, not ${state.entries.size}`;
    }
    for (const entry of recovered.entries) {
      const expected = state.entries.get(entry.key);
      if (expected === undefined) return `${entry.key} is there`;
      if (compareVersions(entry, expected) !== 0) return `${entry.key} has version ${entry.seq}, not ${expected.seq}`;
      // A copy that was written forward may name no request.
      assert.deepEqual({ ...entry, requestId: undefined }, { ...expected, requestId: undefined });
      assert.ok([noRequest.router, router].includes(entry.requestId.router));
      if (entry.requestId.router === router) assert.deepEqual(entry.requestId, expected.requestId);
    }
    const late = new Map([...recovered.late].map(({ key, conditions }) => [key, conditions]));
    if (!isDeepStrictEqual(late, state.late)) return `${late.size} keys have conditions, or other ones`;
    const found = new Set([...recovered.outcomes].map((outcome) => outcome.requestId.counter));
    for (const outcome of recovered.outcomes) {
      if (!state.done.has(outcome.requestId.counter))
        return `the outcome of request ${outcome.requestId.counter} is there`;
      const isFinished = this.#finished.has(outcome.requestId.counter);
      const expected = isFinished ? undefined : state.outcomes.get(outcome.requestId.counter);
      if (expected !== undefined && compareVersions(expected.version, outcome.version) !== 0)
        return `the outcome of request ${outcome.requestId.counter} is an older one`;
    }
    for (const counter of state.outcomes.keys()) {
      if (!found.has(counter) && !this.#finished.has(counter)) return `the outcome of request ${counter} is missing`;
    }
    return undefined;
  }
}
