/**
 * A flush under way, and the requests that it is made of: one at a time for each key, each conditional, sent under a lease only, and remembered while its
 * outcome is unknown. An answer counts for nothing once the record's flight is another one: then the tenure has ended in between.
 */

import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Entry } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { OpenRequests } from "../../core/open-requests.ts";
import { parseManifest, takenOver } from "../../core/upload-manifest.ts";
import { formatVersion, versionOf } from "../../core/version.ts";
import type { KeyRecord } from "../../core/write-buffer.ts";
import type { BlobStore, CompleteResult, RequestOptions, WriteResult } from "../../store/blob-store.ts";
import { removeCondition, writeCondition } from "./store-condition.ts";

/** One key's flush under way. */
export interface Flight {
  readonly record: KeyRecord;
  readonly entry: Entry;
  readonly beganAt: Instant;
  /** When it began, another request could still change the object: also between this one's effect and its answer, however late that comes. */
  readonly unproven: boolean;
}

/** `refused`: the store does not want the blob, and its upload has been aborted, so that nobody can complete it any more. */
export type Completion = CompleteResult | { readonly kind: "refused"; readonly error: OperatingError };

export interface FlightParts {
  readonly membership: Membership;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly open: OpenRequests;
  readonly isStopped: () => boolean;
}

export class FlightRequests {
  readonly #parts: FlightParts;
  /** References whose completion failed, with their upload gone: it may have been completed by that. */
  readonly #unsure = new WeakSet<Entry>();

  constructor(parts: FlightParts) {
    this.#parts = parts;
  }

  /**
   * Sends the flight's entry, a value or a tombstone.
   * @throws OperatingError (rejects with one): the store's; `not_ready` when there is no lease to send it under.
   */
  send(flight: Flight): Promise<WriteResult> {
    const { record, entry } = flight;
    const { store, membership } = this.#parts;
    const { key, value, headers } = entry;
    assert(entry.upload === undefined, "a reference is completed, not sent");
    return this.#change(flight, (options) => {
      if (value === undefined) return store.remove(key, removeCondition(record), options);
      const version = formatVersion(membership.view.parameters.clusterId, key, entry);
      return store.write(key, { body: value, headers, version }, writeCondition(record), options);
    });
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
    const { store } = this.#parts;
    try {
      return await this.#change(flight, async (options) => {
        const result = await store.completeUpload(key, completed, writeCondition(record), options);
        if (result.kind !== "gone" || result.isUnsure !== true || this.#unsure.has(entry)) return result;
        // Once, so that it counts as a request of unknown outcome. After that an upload that is gone is gone.
        this.#unsure.add(entry);
        throw new OperatingError(
          "store_unavailable",
          "the store failed to complete an upload, and does not have it any more",
        );
      });
    } catch (error) {
      if (!isOperatingError(error, "store_refused")) throw error;
      await this.#change(flight, (options) => store.abortUpload(key, id, options)).catch((failure: unknown) => {
        // A store that refuses whatever it is asked does so by mistake, perhaps: then it is tried again.
        throw isOperatingError(failure, "store_refused") ? error : failure;
      });
      return { kind: "refused", error };
    }
  }

  async #change<T>(flight: Flight, request: (options: RequestOptions) => Promise<T>): Promise<T> {
    const { record, entry } = flight;
    const { membership, clock, open } = this.#parts;
    const { flushDeadlineMs: deadlineMs } = membership.view.parameters;
    record.lastSent = versionOf(entry);
    try {
      return await request({ deadlineMs, authorize: () => this.#requireLease(flight) });
    } catch (error) {
      if (!isOperatingError(error, "store_refused", "not_ready")) {
        const now = clock.now();
        open.add(entry.key, entry, now + deadlineMs, now);
      }
      throw error;
    }
  }

  /** The last thing before a request is sent: whoever takes over waits only for what was sent under a lease. */
  #requireLease(flight: Flight): void {
    const { record } = flight;
    const isCurrent = record.flight === flight && !this.#parts.isStopped();
    if (isCurrent && this.#parts.membership.mayAnswer(record.key)) return;
    throw new OperatingError("not_ready", "this node has no lease at the moment");
  }
}
