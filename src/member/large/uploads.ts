/**
 * Values that are too large to be buffered, on their way into the store: in parts, which nobody sees, a few under way at a time, and no faster than the store
 * takes them. When all are there the value is written like any other, by reference; what fails before is aborted, and what a lost member leaves is `leftovers.ts`'
 * business.
 */

import type { Clock } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Upload, ValueInfo } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { Operations, StreamOperation, WriteOutcome } from "../../core/operation.ts";
import { meets } from "../../core/precondition.ts";
import { formatManifest } from "../../core/upload-manifest.ts";
import { formatToken } from "../../core/upload-token.ts";
import { type BlobStore, maxParts } from "../../store/blob-store.ts";
import type { LargeSettings } from "../settings.ts";
import { tooLarge, tried, UploadRun } from "./upload-run.ts";

export interface UploadsParts {
  readonly membership: Membership;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly complaints: Complaints;
  readonly settings: LargeSettings & { readonly bufferedBytes: number };
  /** Of the member: it writes the reference. */
  readonly router: Pick<Operations, "read" | "write">;
}

/** After these nobody has assigned the write, or will. */
const notAssigned = ["buffer_full", "overloaded", "shutting_down"] as const;

export class Uploads {
  readonly #parts: UploadsParts;
  #underWay = 0;
  #inFlightBytes = 0;

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** @throws OperatingError: the body's, the store's, the write's; `value_too_large`, `overloaded`, `not_ready`. */
  async write(operation: StreamOperation): Promise<WriteOutcome> {
    const { settings, store, membership } = this.#parts;
    const { key, length, precondition } = operation;
    const maxBytes = Math.max(settings.maxValueBytes, settings.bufferedBytes);
    if (!store.fits(key))
      throw new OperatingError("key_invalid", "the key is too long for the store, with its prefix there");
    if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
    if (membership.epoch === 0) throw new OperatingError("not_ready", "this node is not a member of a view yet");
    // Judged again when it is written, but so that what is bound to fail is not sent for nothing.
    if (precondition && !meets(await this.#stateOf(key), precondition)) return { kind: "precondition_failed" };
    const partBytes = this.#partBytesFor(Math.max(1, length ?? maxBytes));
    if (this.#underWay >= settings.uploads || !this.#reserve(partBytes)) {
      throw new OperatingError("overloaded", "too many large values are being written through this node");
    }
    this.#underWay++;
    let reserved = partBytes;
    const reserve = (): boolean => {
      if (!this.#reserve(partBytes)) return false;
      reserved += partBytes;
      return true;
    };
    try {
      return await this.#upload(operation, maxBytes, partBytes, reserve);
    } finally {
      this.#underWay--;
      this.#inFlightBytes -= reserved;
    }
  }

  /** Counts bytes of parts in; false, and nothing counted, if they are too many. */
  #reserve(bytes: number): boolean {
    if (this.#inFlightBytes + bytes > this.#parts.settings.inFlightBytes) return false;
    this.#inFlightBytes += bytes;
    return true;
  }

  async #upload(
    operation: StreamOperation,
    maxBytes: number,
    partBytes: number,
    reserve: () => boolean,
  ): Promise<WriteOutcome> {
    const { store, clock, membership, random, router } = this.#parts;
    const { key, headers, precondition, body } = operation;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    const token = formatToken(clusterId, key, membership.epoch, random.id());
    const open = await tried(clock, () => store.beginUpload(key, { headers, token }, { deadlineMs }));
    let upload: Upload;
    try {
      const run = new UploadRun({ upload: open, body, maxBytes, clock, partBytes, reserve, deadlineMs });
      const { tags, size } = await run.send();
      upload = { token, size, manifest: formatManifest({ id: open.id, parts: tags }) };
    } catch (error) {
      this.#abort(key, open.id, deadlineMs);
      throw error;
    }
    try {
      const reference = {
        key,
        value: undefined,
        upload,
        headers,
        precondition,
        md5: "",
        durability: "stored",
      } as const;
      const outcome = await router.write(reference);
      if (outcome.kind !== "written") this.#abort(key, open.id, deadlineMs);
      return outcome;
    } catch (error) {
      // Else whoever has assigned the write goes on with it.
      if (isOperatingError(error, ...notAssigned)) this.#abort(key, open.id, deadlineMs);
      throw error;
    }
  }

  #abort(key: string, id: string, deadlineMs: number): void {
    const { store, complaints } = this.#parts;
    store.abortUpload(key, id, { deadlineMs }).catch((error: unknown) => {
      if (!isOperatingError(error)) throw error;
      complaints.warn("abort", "an upload that failed could not be aborted, and will be later", { key, error });
    });
  }

  async #stateOf(key: string): Promise<ValueInfo | undefined> {
    const outcome = await this.#parts.router.read(key, false);
    return outcome.kind === "missing" ? undefined : outcome.info;
  }

  /** So that so many bytes are not too many parts; no more than they are. */
  #partBytesFor(bytes: number): number {
    return Math.min(bytes, Math.max(this.#parts.settings.partBytes, Math.ceil(bytes / maxParts)));
  }
}
