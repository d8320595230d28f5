/**
 * The requests that a flush is made of: one at a time for each key, each conditional (F2), sent under a lease only
 * (F1), and remembered while its outcome is unknown (F3). An answer counts for nothing once the record has another
 * flight: then the tenure has ended in between.
 */

import { assert } from "../../base/assert.ts";
import { isNeverSent, isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Entry } from "../../core/entry.ts";
import type { Flight, StoreKnowledge } from "../../core/key-state.ts";
import type { OpenCondition } from "../../core/late-effects.ts";
import type { OpenRequests } from "../../core/open-requests.ts";
import { parseManifest, takenOver } from "../../core/upload-manifest.ts";
import { formatVersion } from "../../core/version.ts";
import type { CompleteResult, RequestOptions, WriteCondition, WriteResult } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { LateNotices } from "./late-notices.ts";

/** `refused`: the store does not want the blob, and its upload was aborted, so that it can never be completed. */
export type Completion =
  | Exclude<CompleteResult, { readonly kind: "incomplete" }>
  | { readonly kind: "refused"; readonly error: OperatingError };

/** Where the store heeds conditions. On writes of values it always does. */
export interface HeededConditions {
  readonly onRemovals: boolean;
  readonly onCompletions: boolean;
}

/** Requests of which the key's other owners know before they are sent. */
export type AnnouncedRequests = Pick<LateNotices, "tell" | "answered">;

type FlightContext = ContextOf<"membership" | "store" | "clock" | "late">;

export class FlightRequests {
  readonly #context: FlightContext;
  readonly #open: OpenRequests;
  readonly #heeds: HeededConditions;
  readonly #notices: AnnouncedRequests;
  /** References whose completion failed, with their upload gone: it may have been completed by that. */
  readonly #unsure = new WeakSet<Entry>();
  /** See {@link strayedIn}. */
  #strayedIn = 0;
  #stopped = false;

  constructor(context: FlightContext, open: OpenRequests, heeds: HeededConditions, notices: AnnouncedRequests) {
    this.#context = context;
    this.#open = open;
    this.#heeds = heeds;
    this.#notices = notices;
  }

  /**
   * The last epoch under which a request of a tenure that has ended got no answer; 0 if there is none. The next primary
   * may not know its condition: what this member knew before has been handed over (F6).
   */
  get strayedIn(): number {
    return this.#strayedIn;
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Sends the flight's entry, a value or a tombstone. What a tombstone removes has been seen (F10).
   * @throws OperatingError (rejects with one): the store's; `not_ready` when there is no lease to send it under.
   */
  send(flight: Flight): Promise<WriteResult> {
    const { record, entry } = flight;
    const { store, membership } = this.#context;
    const { key, value, headers } = entry;
    assert(entry.upload === undefined, "a reference is completed, not sent");
    const condition = writeCondition(record.store);
    if (value === undefined) {
      assert(condition.kind === "unchanged", "a delete removes what was seen");
      const remove = (options: RequestOptions): Promise<WriteResult> => store.remove(key, condition, options);
      if (this.#heeds.onRemovals) return this.#change(flight, openCondition(condition), remove);
      return this.#removeAnyway(flight, remove);
    }
    const version = formatVersion(membership.view.parameters.clusterId, key, entry);
    const content = { body: value, headers, version };
    return this.#change(flight, openCondition(condition), (options) => store.write(key, content, condition, options));
  }

  /**
   * Completes the upload of the flight's entry, a reference.
   * @throws as {@link send}
   */
  async complete(flight: Flight): Promise<Completion> {
    const { record, entry } = flight;
    const { key, headers, upload } = entry;
    assert(upload !== undefined, "what is completed is a reference");
    const { token, size, manifest } = upload;
    const { id, parts } = parseManifest(manifest);
    if (id === takenOver) return { kind: "gone" };
    const completed = { headers, token, size, id, parts };
    const { store } = this.#context;
    try {
      const condition = writeCondition(record.store);
      // A store that ignores the condition completes the upload over what is there.
      const open = this.#heeds.onCompletions ? openCondition(condition) : ({ kind: "any" } as const);
      const done = await this.#change(flight, open, async (options) => {
        const result = await store.completeUpload(key, completed, condition, options);
        if (result.kind !== "gone" || result.isUnsure !== true || this.#unsure.has(entry)) return result;
        // Once, so that it counts as a request of unknown outcome. After that an upload that is gone is gone.
        this.#unsure.add(entry);
        throw new OperatingError(
          "store_unavailable",
          "the store failed to complete an upload, and does not have it any more",
        );
      });
      if (done.kind !== "incomplete") return done;
    } catch (error) {
      if (!isOperatingError(error, "store_refused")) throw error;
      await this.#abort(flight, id).catch((failure: unknown) => {
        // A store that refuses the abort, too, may do so by mistake: then it is tried again.
        throw isOperatingError(failure, "store_refused") ? error : failure;
      });
      return { kind: "refused", error };
    }
    // What it lacks may come again: another member could complete it then.
    await this.#abort(flight, id);
    return { kind: "gone" };
  }

  /** The upload of the flight's entry must never be completed any more (L7). */
  async #abort(flight: Flight, id: string): Promise<void> {
    const { store } = this.#context;
    await this.#change(flight, undefined, (options) => store.abortUpload(flight.entry.key, id, options));
  }

  /**
   * Sends a removal to a store that ignores its condition. If that does an earlier request at the same moment, it may
   * leave what that has put, and say that it has removed it. So the answer does not count then (F29).
   */
  async #removeAnyway(flight: Flight, remove: (options: RequestOptions) => Promise<WriteResult>): Promise<WriteResult> {
    const { late, clock } = this.#context;
    const mayBeRaced = late.mayChange(flight.entry.key, clock.now());
    const result = await this.#announced(flight, () => this.#change(flight, { kind: "any_present" }, remove));
    return mayBeRaced ? { kind: "conflict" } : result;
  }

  /** Such a removal may also remove what is put later. A next primary must know of it (F27). */
  async #announced<T>(flight: Flight, request: () => Promise<T>): Promise<T> {
    const { record, entry } = flight;
    const { late, clock } = this.#context;
    const { key } = entry;
    const isToEnd = late.announce(key, entry, clock.now());
    await this.#notices.tell(key, () => record.flight === flight && !this.#stopped);
    let isOpen = false;
    try {
      return await request();
    } catch (error) {
      isOpen = mayBeKept(error);
      throw error;
    } finally {
      if (isToEnd && !isOpen) await this.#notices.answered(key, entry);
    }
  }

  /** @param condition - under which the request may take effect later than F; undefined if it changes no object then */
  async #change<T>(
    flight: Flight,
    condition: OpenCondition | undefined,
    request: (options: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const { record, entry } = flight;
    const { membership, clock, late } = this.#context;
    const { flushDeadlineMs: deadlineMs } = membership.view.parameters;
    record.sent(flight);
    try {
      return await request({ deadlineMs, authorize: () => this.requireLease(flight) });
    } catch (error) {
      const now = clock.now();
      if (mayHaveEffect(error)) this.#open.add(entry.key, entry, now + deadlineMs, now);
      if (condition !== undefined && mayBeKept(error)) {
        late.add(entry.key, entry, condition, now);
        if (record.flight !== flight) this.#strayedIn = membership.epoch;
      }
      throw error;
    }
  }

  /**
   * The last thing before a request is sent: the next primary waits only for what was sent under a lease (F1).
   * @throws OperatingError `not_ready`
   */
  requireLease(flight: Flight): void {
    const { record } = flight;
    const isCurrent = record.flight === flight && !this.#stopped;
    if (isCurrent && this.#context.membership.mayAnswer(record.key)) return;
    throw new OperatingError("not_ready", "this node has no lease at the moment");
  }
}

/** Whether a request that failed so may take effect yet. */
function mayHaveEffect(error: unknown): boolean {
  return !isOperatingError(error, "store_refused", "not_ready") && !isNeverSent(error);
}

/** Whether the store may do it as late as L. What it sends away for having too much to do it does not keep. */
function mayBeKept(error: unknown): boolean {
  return mayHaveEffect(error) && !isOperatingError(error, "store_throttled");
}

/** A key never seen in the store is made; else the object must be the one last seen (F2). */
function writeCondition(store: StoreKnowledge): Exclude<WriteCondition, { readonly kind: "always" }> {
  return store.kind === "present" ? { kind: "unchanged", tag: store.tag } : { kind: "absent" };
}

/** What the object must be for a request under this condition to change it. */
function openCondition(condition: Exclude<WriteCondition, { readonly kind: "always" }>): OpenCondition {
  return condition.kind === "unchanged" ? { kind: "present", tag: condition.tag } : condition;
}
