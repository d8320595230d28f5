/**
 * Inheritance: what becomes of the entries of keys that this member gains with a view. When every member has delivered
 * what it held, the newest entry of each key is here. But it may be here only, and a value that was read must not be
 * lost with one member. So an inherited entry is a pending write: it becomes visible once every other owner has it
 * (V45). The hand-off brings it to them in bulk. An entry that a client waits for is sent ahead.
 */

import { assert } from "../../base/assert.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Lane } from "../../base/slices.ts";
import type { Entry } from "../../core/entry.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { PendingWrite } from "../../core/pending-write.ts";
import type { Version } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import type { Committer } from "./committer.ts";
import type { FlushRequests } from "./flush-requests.ts";
import type { Replicator } from "./replicator.ts";

export interface InheritanceParts {
  readonly replicator: Pick<Replicator, "send">;
  readonly committer: Pick<Committer, "commitReady">;
  readonly flush: Pick<FlushRequests, "add" | "expediteAwaited">;
  /** Nothing that was forgotten is asked for in the store any more; see {@link Inheritance.asksStore}. */
  readonly onAsked: () => void;
}

type InheritanceContext = ContextOf<"membership" | "buffer" | "clock" | "slices">;

export class Inheritance {
  readonly #context: InheritanceContext;
  readonly #parts: InheritanceParts;
  readonly #lane: Lane;
  /** Entries of keys whose owners were forgotten, which are not known to be what the store has, or newer. */
  readonly #asking = new Set<PendingWrite>();

  constructor(context: InheritanceContext, parts: InheritanceParts) {
    this.#context = context;
    this.#parts = parts;
    this.#lane = context.slices.lane();
  }

  /**
   * Everything that was held under earlier views has been delivered. `onDone` runs when all that this member gains is
   * inherited: before that nothing of it may be served.
   */
  begin(onDone: () => void): void {
    const { buffer, membership } = this.#context;
    assert(!membership.activated, "a member inherits before it serves what it gains");
    this.#lane.over(buffer.records(), (record) => this.#inherit(record), onDone);
  }

  /** Another view is adopted, or the member ends. */
  stop(): void {
    this.#lane.stop();
  }

  #inherit(record: KeyState): void {
    const { buffer, membership, clock } = this.#context;
    const { key, entry } = record;
    const owners = membership.ownersOf(key);
    if (!entry || owners[0] !== membership.self.id || membership.serves(key, owners) || membership.inDoubt(key)) return;
    const wasForgotten = membership.wasForgotten(key);
    const assignment = { now: clock.now(), others: owners.slice(1), isShort: membership.isShort(owners) };
    const write = buffer.inherit(record, assignment, wasForgotten);
    this.#parts.flush.add(record);
    if (wasForgotten) this.#ask(write);
    else write.outcome.catch(ignoreLost);
    this.#parts.committer.commitReady(record);
  }

  /**
   * Whether the store may have something newer than what is held, of a key whose owners were forgotten. Until that is
   * known the view is not settled: after that, no member would know that the store has to be asked.
   */
  get asksStore(): boolean {
    return this.#asking.size > 0;
  }

  /**
   * A look on behalf of this entry has found nothing newer in the store. So the view need not wait until the store has
   * it: that may be held back for long (F24).
   */
  looked(record: KeyState, entry: Entry): void {
    const { membership } = this.#context;
    const write = record.inherited;
    if (write?.entry !== entry || !this.#asking.has(write)) return;
    record.askedStore(membership.isShort(membership.ownersOf(record.key)));
    this.#parts.committer.commitReady(record);
    this.#asked(write);
  }

  /** Another owner has this version of a key, or a newer one. */
  acknowledged(key: string, version: Version, peer: string): void {
    const record = this.#context.buffer.get(key);
    if (record?.ownerHas(version, peer)) this.#parts.committer.commitReady(record);
  }

  /** A client waits for the key: what came with it goes to the other owners, or to the store, ahead of the rest. */
  sendAhead(record: KeyState): void {
    const { inherited } = record;
    if (!inherited) return;
    if (inherited.needsStore) this.#parts.flush.expediteAwaited(record);
    const write = record.sendAhead();
    if (!write) return;
    for (const peer of write.missing) this.#parts.replicator.send(record, write, peer);
  }

  #ask(write: PendingWrite): void {
    this.#asking.add(write);
    const done = (): void => this.#asked(write);
    write.outcome.then(done, (error: unknown) => {
      ignoreLost(error);
      done();
    });
  }

  #asked(write: PendingWrite): void {
    if (this.#asking.delete(write) && this.#asking.size === 0) this.#parts.onAsked();
  }
}

/** For those who only waited for a write to end: that it was lost with its tenure is no failure of theirs. */
export function ignoreLost(error: unknown): void {
  if (!isOperatingError(error)) throw error;
}
