/**
 * The steps of flushes: what a flight does about its key, from what is known of the object to an object that has the
 * flight's entry. Each request has a condition, and a conflict leads to a look at the object.
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { isDiscarded } from "../../core/discarded.ts";
import { isTombstone } from "../../core/entry.ts";
import { type Flight, type FlushStep, type KeyState, type StoreKnowledge, storeAbsent } from "../../core/key-state.ts";
import type { OpenRequests } from "../../core/open-requests.ts";
import { isParted } from "../../core/upload-token.ts";
import { vainCondition, vainLimit } from "../../core/vain-conditions.ts";
import type { WriteResult } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { Assigner } from "../keys/assigner.ts";
import type { Committer } from "../keys/committer.ts";
import type { StoredWaits } from "../keys/durable-writes.ts";
import type { Inheritance } from "../keys/inheritance.ts";
import type { FirstLooks } from "./first-looks.ts";
import type { FlightRequests } from "./flight.ts";
import type { FlushQueue } from "./flush-queue.ts";
import type { LateHold } from "./late-hold.ts";
import { StoreLook } from "./store-look.ts";

/**
 * Conflicts in a row, of one flush, before it pauses as after any failure: another writer keeps changing the object.
 */
const conflictLimit = 4;

/** What a request would come to that must not be sent before the object was seen. */
const unseen: WriteResult = { kind: "conflict" };

type FlushStepsContext = ContextOf<"membership" | "store" | "clock" | "complaints" | "metrics" | "settings" | "late">;

export interface FlushStepsParts {
  readonly queue: FlushQueue;
  readonly committer: Pick<Committer, "commitReady" | "loseUpload">;
  readonly assigner: Pick<Assigner, "takeOver">;
  readonly inheritance: Pick<Inheritance, "looked">;
  readonly waits: Pick<StoredWaits, "stored">;
  readonly requests: FlightRequests;
  readonly open: OpenRequests;
  readonly firstLooks: FirstLooks;
  readonly hold: LateHold;
}

export class FlushSteps {
  readonly #context: FlushStepsContext;
  readonly #parts: FlushStepsParts;
  readonly #look: StoreLook;

  constructor(context: FlushStepsContext, parts: FlushStepsParts) {
    this.#context = context;
    this.#parts = parts;
    this.#look = new StoreLook(context, parts.assigner);
  }

  /**
   * Does what the store needs of the key.
   * @throws OperatingError (rejects with one): the store's; `not_ready` without a lease
   */
  async run(kind: FlushStep["kind"], flight: Flight): Promise<void> {
    await this.#parts.hold.tell(flight);
    if (flight.record.flight === flight) await this.#send(kind, flight);
  }

  #send(kind: FlushStep["kind"], flight: Flight): Promise<void> {
    if (kind === "prove") return this.#prove(flight);
    return flight.entry.upload ? this.#complete(flight) : this.#write(flight);
  }

  /**
   * Sends the entry under the condition that no other writer has changed the object. On a conflict, finds out what is
   * there. A delete begins with that: it removes what was seen. So does what came from another member.
   */
  async #write(flight: Flight): Promise<void> {
    const { record } = flight;
    let vain = 0;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      const before = record.store;
      const isUnseen = before.kind === "unseen" || (isTombstone(flight.entry) && before.kind !== "present"); // F10, F28
      const result = isUnseen ? unseen : await this.#parts.requests.send(flight);
      if (record.flight !== flight) return;
      if (result.kind === "written") {
        record.saw(flight.entry.value === undefined ? storeAbsent : { kind: "present", tag: result.tag });
        this.#arrived(flight);
        return;
      }
      const found = await this.#lookAt(flight);
      if (record.flight !== flight) return;
      if (found === "same") {
        this.#arrived(flight);
        return;
      }
      if (found === "newer" || !(await this.#parts.hold.mayGoOn(flight))) return;
      if (isSameState(before, record.store)) vain++;
    }
    throw conflictError(record, vain);
  }

  /** {@link StoreLook.at}, and what follows from a first look (F26). */
  async #lookAt(flight: Flight): Promise<"older" | "same" | "newer"> {
    const { record, entry } = flight;
    const found = await this.#look.at(flight);
    if (record.flight !== flight) return found;
    if (found === "same" && !isTombstone(entry)) this.#parts.firstLooks.sawSame(record);
    else this.#parts.firstLooks.saw(record, record.store);
    if (found !== "newer") this.#parts.inheritance.looked(record, entry);
    return found;
  }

  /**
   * Has the store make the upload the key's object, unless it has already. A primary that inherited the reference does
   * not know whether it has (L5).
   */
  async #complete(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    let refused: StoreKnowledge | undefined;
    let vain = 0;
    for (let conflicts = 0; conflicts < conflictLimit; conflicts++) {
      let found = await this.#lookAt(flight);
      if (record.flight !== flight) return;
      if (refused !== undefined && isSameState(refused, record.store)) vain++;
      if (found === "older" && !(await this.#parts.hold.mayGoOn(flight))) return;
      const result = found === "older" ? await this.#parts.requests.complete(flight) : undefined;
      if (record.flight !== flight) return;
      let isLost = found === "newer";
      if (result?.kind === "written" && !isParted(entry.upload?.token ?? "")) {
        record.saw({ kind: "present", tag: result.tag });
        found = "same";
      } else if (result !== undefined && result.kind !== "conflict") {
        // An earlier request may have completed it, or do so yet: its client must not be told that nothing was
        // stored (L6). "Written" may be of an earlier write of the upload (L17).
        const now = this.#context.clock.now();
        isLost = this.#parts.open.otherUntil(record.key, undefined, now) === undefined;
        // Of a discard there is nothing to complete.
        isLost &&= isDiscarded(entry) || !this.#context.late.mayChange(record.key, now);
        found = await this.#lookAt(flight);
        if (record.flight !== flight) return;
        isLost &&= found !== "same";
        if (!isLost && found !== "same") throw new OperatingError("store_unavailable", "the upload is gone");
      }
      // A next primary may have completed it, and written over it (L18).
      if (isLost) this.#parts.requests.requireLease(flight);
      if (found === "same") this.#arrived(flight);
      else if (isLost) this.#lost(flight, result?.kind === "refused" ? result.error : undefined, result !== undefined);
      else {
        refused = record.store;
        continue;
      }
      return;
    }
    throw conflictError(record, vain);
  }

  /** The upload can never be completed: the write has not been done, and the key's state is what the store has (L6). */
  #lost({ record, entry }: Flight, refusal: OperatingError | undefined, wasTried: boolean): void {
    const { complaints, metrics } = this.#context;
    const { key } = record;
    if (refusal) {
      metrics.flushFailed(refusal.code);
      complaints.warn("upload", "the store refuses a large value, which is given up", { key, error: refusal });
    }
    if (record.pending[0]?.entry === entry) this.#parts.committer.loseUpload(record, refusal, wasTried);
    if (record.entry !== entry) return;
    record.isInStore();
    this.#parts.queue.done(record);
  }

  /**
   * After a write-through, once no other request can take effect any more: is it still there? If not, it is sent again.
   */
  async #prove(flight: Flight): Promise<void> {
    const { record, entry } = flight;
    const found = await this.#lookAt(flight);
    if (record.flight !== flight || record.entry !== entry || found === "newer") return;
    if (found === "same" && this.#parts.hold.mayBeUndone(flight)) return;
    record.proved(found === "same");
    if (!record.stored) return;
    this.#parts.waits.stored(record.key, entry);
    this.#parts.queue.done(record);
  }

  /** The store has the flight's entry. */
  #arrived(flight: Flight): void {
    const { clock, metrics } = this.#context;
    const { record, entry, beganAt, unproven } = flight;
    assert(record.flight === flight, "only the flight under way arrives");
    // It may be undone yet, as was learned meanwhile (F24).
    if (this.#parts.hold.mayBeUndone(flight)) return;
    if (record.arrived(flight)) this.#parts.committer.commitReady(record);
    if (!unproven) this.#parts.waits.stored(record.key, entry);
    metrics.flushLag.observeMs(clock.now() - record.dirtySince);
    if (!record.storedVisible(flight)) {
      // There is a newer state, or the write-through waits for an earlier one.
      if (record.dirty) this.#parts.queue.backlog.renew(record, beganAt);
      return;
    }
    if (record.stored) this.#parts.queue.done(record);
  }
}

/** Why a flush has met conflicts only: another writer, or conditions that nothing fulfils. */
function conflictError({ store }: KeyState, vain: number): OperatingError {
  if (vain >= vainLimit) return vainCondition(store.kind === "present" ? store.tag : undefined);
  return new OperatingError("store_unavailable", "another writer keeps changing the object");
}

/** Whether a look has found the object just as a request's condition had it. */
function isSameState(before: StoreKnowledge, after: StoreKnowledge): boolean {
  if (before.kind === "present") return after.kind === "present" && before.tag === after.tag;
  return before.kind === after.kind && before.kind === "absent";
}
