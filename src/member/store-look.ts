/**
 * A look at what the store has of a key, for a flush that has found its condition broken or can't believe what it wrote: an older state, the same, or a newer one. The next request
 * goes by what was found.
 */

import { OperatingError } from "../base/errors.ts";
import { type Entry, noRequest } from "../core/entry.ts";
import type { Membership } from "../core/membership.ts";
import { compareVersions, parseVersion } from "../core/version.ts";
import { isNewer, type KeyRecord, storeAbsent, storeUnknown } from "../core/write-buffer.ts";
import type { BlobStore } from "../store/blob-store.ts";
import { storedValue } from "./stored-value.ts";

/** A flush for which the store is looked at. */
export interface Look {
  readonly record: KeyRecord;
  /** The state that was flushed. */
  readonly entry: Entry;
  /** Whether that flush is still the record's: if not, nothing of what is found is kept. */
  readonly isCurrent: () => boolean;
}

export interface StoreLookParts {
  readonly membership: Membership;
  readonly store: BlobStore;
  readonly maxValueBytes: number;
  /** The store holds this newer state, which no owner holds. */
  readonly onFoundNewer: (record: KeyRecord, entry: Entry) => void;
}

export class StoreLook {
  readonly #parts: StoreLookParts;

  constructor(parts: StoreLookParts) {
    this.#parts = parts;
  }

  /** Finds out which version of the key the store has. */
  async at(look: Look): Promise<"older" | "same" | "newer"> {
    const { record, entry, isCurrent } = look;
    const { store, membership } = this.#parts;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    const info = await store.stat(entry.key, { deadlineMs });
    if (!isCurrent()) return "older";
    if (!info) {
      record.store = storeAbsent;
      return entry.value === undefined ? "same" : "older";
    }
    const found = parseVersion(clusterId, entry.key, info.version);
    const order = compareVersions(found, entry);
    if (order > 0 && isNewer(found, record.newest)) return await this.#takeOver(look);
    record.store = { kind: "present", tag: info.tag };
    if (order <= 0) return order === 0 ? "same" : "older";
    // A write that is pending here, and newer still, will replace it.
    record.lastSent = found;
    return "newer";
  }

  /**
   * The store has a version that no owner held: a predecessor wrote it through and was lost before it committed. It becomes the key's next
   * write, and is held by all owners before anybody sees it.
   */
  async #takeOver({ record, isCurrent }: Look): Promise<"older" | "newer"> {
    const { store, membership, maxValueBytes, onFoundNewer } = this.#parts;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    // Until it is taken over, the next attempt must come here again.
    record.store = storeUnknown;
    const result = await store.read(record.key, maxValueBytes, { deadlineMs });
    if (!isCurrent() || result.kind === "missing") return "older";
    if (result.kind === "too_large") {
      throw new OperatingError(
        "store_refused",
        `the store holds a newer value of ${result.info.size} bytes, over buffer.maxValueBytes`,
      );
    }
    const { tag, ...found } = storedValue(clusterId, record.key, result.blob);
    if (!isNewer(found, record.newest)) return "older";
    record.store = { kind: "present", tag };
    record.lastSent = { epoch: found.epoch, seq: found.seq };
    onFoundNewer(record, { ...found, key: record.key, requestId: noRequest });
    return "newer";
  }
}
