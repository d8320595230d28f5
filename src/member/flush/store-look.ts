/**
 * A look at what the store has of a key, for a flush that has found its condition broken, or that cannot believe what
 * it wrote: an older state, the same, or a newer one (F8). The next request goes by what was found.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";
import { type Entry, isTombstone, noRequest } from "../../core/entry.ts";
import { type Flight, storeAbsent, storeUnseen } from "../../core/key-state.ts";
import { takenOverManifest } from "../../core/upload-manifest.ts";
import { compareVersions, isNewer } from "../../core/version.ts";
import type { Blob, BlobInfo } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { Assigner } from "../keys/assigner.ts";
import { storedVersion } from "../keys/stored-value.ts";

type StoreLookContext = ContextOf<"membership" | "store" | "settings">;

export class StoreLook {
  readonly #context: StoreLookContext;
  readonly #assigner: Pick<Assigner, "takeOver">;

  constructor(context: StoreLookContext, assigner: Pick<Assigner, "takeOver">) {
    this.#context = context;
    this.#assigner = assigner;
  }

  /**
   * Finds out which version of the key the store has, compared with the flight's entry. When another flight of the key
   * has begun meanwhile, nothing of what is found is kept.
   * @throws OperatingError (rejects with one): the store's; `store_refused` for a newer value that cannot be taken
   *   over.
   */
  async at(flight: Flight): Promise<"older" | "same" | "newer"> {
    const { record, entry } = flight;
    const { store, membership } = this.#context;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    const info = await store.stat(entry.key, { deadlineMs });
    if (record.flight !== flight) return "older";
    if (!info) {
      record.saw(storeAbsent);
      return isTombstone(entry) ? "same" : "older";
    }
    const found = storedVersion(clusterId, entry.key, info);
    const order = isUploadOf(entry, info) ? 0 : compareVersions(found, entry);
    if (order > 0 && isNewer(found, record.newest)) return await this.#takeOver(flight);
    record.saw({ kind: "present", tag: info.tag });
    if (order <= 0) return order === 0 ? "same" : "older";
    // A write that is pending here, and newer still, will replace it.
    record.sawNewer(flight, found);
    return "newer";
  }

  /**
   * The store has a version that no owner held: a predecessor wrote it through, and was lost before it committed. It is
   * the key's next write, and all owners hold it before anybody sees it (F9).
   */
  async #takeOver(flight: Flight): Promise<"older" | "newer"> {
    const { record } = flight;
    const { store, membership, settings } = this.#context;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    // Until it is taken over, the next attempt must come here again.
    record.saw(storeUnseen);
    const result = await store.read(record.key, settings.maxValueBytes, { deadlineMs });
    if (record.flight !== flight || result.kind === "missing") return "older";
    const info = result.kind === "found" ? result.blob : result.info;
    const found = storedVersion(clusterId, record.key, info);
    if (!isNewer(found, record.newest)) return "older";
    const state = result.kind === "found" && info.upload === undefined ? valueIn(result.blob) : referenceTo(info);
    record.saw({ kind: "present", tag: info.tag });
    record.sawNewer(flight, found);
    this.#assigner.takeOver(record, { ...state, ...found, key: record.key, requestId: noRequest });
    return "newer";
  }
}

/** Whether the object is what the reference stands for. An upload of other parts has the same token (L16). */
function isUploadOf({ upload }: Entry, info: BlobInfo): boolean {
  return upload !== undefined && info.upload === upload.token && info.size === upload.size;
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
