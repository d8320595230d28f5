/**
 * A look at what the store has of a key, for a flush that has found its condition broken or can't believe what it wrote: an older state, the same, or a newer one. The next request
 * goes by what was found.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";
import { type Entry, isTombstone, noRequest } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import { takenOverManifest } from "../../core/upload-manifest.ts";
import { compareVersions } from "../../core/version.ts";
import { isNewer, type KeyRecord, storeAbsent, storeUnknown } from "../../core/write-buffer.ts";
import type { Blob, BlobInfo, BlobStore } from "../../store/blob-store.ts";
import { storedVersion } from "../keys/stored-value.ts";

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

  /**
   * Finds out which version of the key the store has.
   * @throws OperatingError (rejects with one): the store's; `store_refused` for a newer value that can't be taken over.
   */
  async at(look: Look): Promise<"older" | "same" | "newer"> {
    const { record, entry, isCurrent } = look;
    const { store, membership } = this.#parts;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    const info = await store.stat(entry.key, { deadlineMs });
    if (!isCurrent()) return "older";
    if (!info) {
      record.store = storeAbsent;
      return isTombstone(entry) ? "same" : "older";
    }
    const found = storedVersion(clusterId, entry.key, info);
    const isItsUpload = entry.upload !== undefined && info.upload === entry.upload.token;
    const order = isItsUpload ? 0 : compareVersions(found, entry);
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
    const info = result.kind === "found" ? result.blob : result.info;
    const found = storedVersion(clusterId, record.key, info);
    if (!isNewer(found, record.newest)) return "older";
    const state = result.kind === "found" && info.upload === undefined ? valueIn(result.blob) : referenceTo(info);
    record.store = { kind: "present", tag: info.tag };
    record.lastSent = found;
    onFoundNewer(record, { ...state, ...found, key: record.key, requestId: noRequest });
    return "newer";
  }
}

type State = Omit<Entry, "key" | "epoch" | "seq" | "requestId">;

function valueIn({ headers, modifiedMs, size, body }: Blob): State {
  return { headers, md5: hash("md5", body), modifiedMs, size, value: body };
}

function referenceTo({ headers, modifiedMs, size, upload }: BlobInfo): State {
  if (upload === undefined)
    throw new OperatingError(
      "store_refused",
      `the store holds a newer value of ${size} bytes, over buffer.maxValueBytes`,
    );
  return {
    headers,
    md5: "",
    modifiedMs,
    size,
    value: undefined,
    upload: { token: upload, size, manifest: takenOverManifest },
  };
}
