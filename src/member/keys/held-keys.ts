/**
 * A member's part in a listing: of which keys that it serves it holds a state newer than what the store may have, and
 * whether that is a value or none. Committed states only, as in any read. What it does not name, the store has (R7):
 * see `route/lister.ts`.
 *
 * The buffer has no order by key. So each page is a look at all of it, a slice at a time, and one page after the other:
 * a large buffer makes listings slow, and nothing else.
 */

import { type Instant, sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import type { KeyState } from "../../core/key-state.ts";
import { reservedPrefix } from "../../core/keys.ts";
import { entryOf, isCommonPrefix, isOwn, type ListQuery } from "../../core/listing.ts";
import type { HeldAnswer, HeldEntry, ListRequest } from "../../core/message.ts";
import type { ContextOf } from "../context.ts";
import { type Cache, type CleanValue, presentState } from "./cache.ts";
import { type Inheritance, ignoreLost } from "./inheritance.ts";
import { notReadyForAll, requireEpoch } from "./not-ready.ts";

type HeldKeysContext = ContextOf<"membership" | "buffer" | "clock"> & { readonly cache: Pick<Cache, "peek"> };

/** Keys that are looked at in one turn of the event loop: about a millisecond. */
const sliceKeys = 4_096;

/** An entry of the listing to which a key held here belongs. */
interface Candidate {
  /** What is shown of it, if one of its keys has a value. */
  shown: HeldEntry | undefined;
  /** Keys that are not known to have one yet: they were inherited, and are not visible before all owners have them. */
  readonly waiting: KeyState[];
}

interface Look {
  readonly candidates: readonly (readonly [string, Candidate])[];
  readonly end: string | undefined;
}

export class HeldKeys {
  readonly #context: HeldKeysContext;
  readonly #inheritance: Pick<Inheritance, "sendAhead">;
  /** The end of the looks at the buffer that were asked for before. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: HeldKeysContext, inheritance: Pick<Inheritance, "sendAhead">) {
    this.#context = context;
    this.#inheritance = inheritance;
  }

  /** @throws OperatingError (rejects with one) `wrong_view`, `not_ready`, `deadline_exceeded`. */
  async answer(request: ListRequest): Promise<HeldAnswer> {
    const giveUpAt = this.#context.clock.now() + request.deadlineMs;
    const look = this.#turn.then(() => this.#look(request, giveUpAt));
    this.#turn = look.catch(() => undefined);
    const { candidates, end } = await look;
    await Promise.all(candidates.map(([name, candidate]) => this.#decide(name, candidate, request)));
    // The member that has the lease now was the only one to serve these keys since it adopted this view.
    this.#check(request, giveUpAt);
    return { kind: "held", entries: candidates.flatMap(([, { shown }]) => shown ?? []), end };
  }

  /** The first entries, in order, that keys held here belong to; nothing is missing up to `end`. */
  async #look(request: ListRequest, giveUpAt: Instant): Promise<Look> {
    const { membership, buffer, clock } = this.#context;
    const { query } = request;
    this.#check(request, giveUpAt);
    let found = new Map<string, Candidate>();
    let last: string | undefined;
    let left = sliceKeys;
    // Records that come meanwhile are writes that came after the question. Those that go are in the store by then.
    for (const record of buffer.records()) {
      if (--left === 0) {
        left = sliceKeys;
        await sleep(clock, 0);
        this.#check(request, giveUpAt);
      }
      if (record.key.startsWith(reservedPrefix) && !isOwn(query)) continue;
      const name = entryOf(record.key, query);
      if (name === undefined || (last !== undefined && compareText(name, last) > 0)) continue;
      if (membership.ownersOf(record.key)[0] !== membership.self.id) continue;
      const candidate = found.get(name) ?? { shown: undefined, waiting: [] };
      if (!this.#add(candidate, name, record, query)) continue;
      found.set(name, candidate);
      if (found.size >= 2 * query.limit) {
        const first = firstOf(found, query.limit);
        last = first.at(-1)?.[0];
        found = new Map(first);
      }
    }
    const candidates = firstOf(found, query.limit);
    if (found.size > query.limit) last = candidates.at(-1)?.[0];
    return { candidates, end: last };
  }

  /** Waits for the keys that must be known, as a read of each would. */
  async #decide(name: string, candidate: Candidate, { query }: ListRequest): Promise<void> {
    const { buffer } = this.#context;
    for (const { key } of candidate.waiting) {
      if (candidate.shown && candidate.shown.kind !== "deleted") return;
      const record = buffer.get(key);
      const inherited = record?.inherited;
      if (record && !record.entry && inherited) {
        this.#inheritance.sendAhead(record);
        await inherited.outcome.catch(ignoreLost);
      }
      const now = buffer.get(key);
      if (now) this.#add(candidate, name, now, query);
    }
  }

  /** Takes note of what is held of a key; false when that is nothing that the store may lack. */
  #add(candidate: Candidate, name: string, record: KeyState, query: ListQuery): boolean {
    const { entry, inherited } = record;
    if (!entry && inherited) {
      candidate.waiting.push(record);
      return true;
    }
    const state = entry && !entry.upload ? entry : this.#replaced(record);
    if (!state) return false;
    if (candidate.shown && candidate.shown.kind !== "deleted") return true;
    const { size, md5, modifiedMs } = state;
    if (presentState(state) === undefined) candidate.shown = { kind: "deleted", name };
    else if (isCommonPrefix(name, query)) candidate.shown = { kind: "prefix", name };
    else candidate.shown = { kind: "value", name, size, md5, modifiedMs };
    return true;
  }

  /**
   * The visible state of a key that has a pending write and nothing held: the cached one, if reads are answered from
   * there. The pending write may be in the store before it commits, so the store's word is not the key's state. Where
   * nothing is cached, reads wait for that write, and it does no harm if the store shows it. Of a large value, what is
   * cached still answers HEAD.
   */
  #replaced({ key, pending }: KeyState): CleanValue | undefined {
    if (pending.length === 0) return undefined;
    return this.#context.cache.peek(key);
  }

  #check(request: ListRequest, giveUpAt: Instant): void {
    const { membership, clock } = this.#context;
    requireEpoch(membership, request.epoch);
    if (!membership.mayAnswerForAll()) throw notReadyForAll(membership);
    if (clock.now() >= giveUpAt) throw new OperatingError("deadline_exceeded", "the listing took too long");
  }
}

function firstOf(found: ReadonlyMap<string, Candidate>, limit: number): [string, Candidate][] {
  return [...found].sort(([a], [b]) => compareText(a, b)).slice(0, limit);
}
