/**
 * Values that are too large to be buffered, on their way into the store: in parts, which nobody sees. A few parts are
 * under way at a time, and no more than the store takes. When all are there the value is written like any other, by
 * reference. An upload that fails before is aborted; the uploads of a lost member are for `leftovers.ts`.
 */

import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Upload, ValueInfo } from "../../core/entry.ts";
import { unfit } from "../../core/keys.ts";
import type { Operations, StreamOperation, WriteOutcome } from "../../core/operation.ts";
import { partBytesFor } from "../../core/part-sizes.ts";
import { meets } from "../../core/precondition.ts";
import { formatManifest } from "../../core/upload-manifest.ts";
import { formatToken } from "../../core/upload-token.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";
import type { UploadRoom } from "./upload-room.ts";
import { tooLarge, tried, UploadRun } from "./upload-run.ts";

type UploadContext = ContextOf<"clock" | "complaints" | "membership" | "random"> & {
  readonly settings: Pick<MemberSettings, "large" | "maxValueBytes">;
  readonly store: Pick<BlobStore, "abortUpload" | "beginUpload" | "fits">;
};

/** After these no member has assigned the write, or will. */
const notAssigned = ["buffer_full", "overloaded", "shutting_down"] as const;

export class Uploads {
  readonly #context: UploadContext;
  readonly #room: UploadRoom;
  readonly #router: Pick<Operations, "read" | "write">;

  /** @param router - writes the reference */
  constructor(context: UploadContext, room: UploadRoom, router: Pick<Operations, "read" | "write">) {
    this.#context = context;
    this.#room = room;
    this.#router = router;
  }

  /** @throws OperatingError: the body's, the store's, the write's; `value_too_large`, `overloaded`, `not_ready`. */
  async write(operation: StreamOperation): Promise<WriteOutcome> {
    const { settings, store, membership } = this.#context;
    const { large } = settings;
    const { key, length, precondition } = operation;
    const maxBytes = Math.max(large.maxValueBytes, settings.maxValueBytes);
    if (!store.fits(key)) throw unfit();
    if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes);
    if (membership.epoch === 0) throw new OperatingError("not_ready", "this node is not a member of a view yet");
    // It is judged again when it is written. Judged now, what is bound to fail is not sent for nothing.
    if (precondition && !meets(await this.#stateOf(key), precondition)) return { kind: "precondition_failed" };
    const partBytes = partBytesFor(length ?? maxBytes, large.partBytes);
    // An upload that was given up for this one may have parts under way yet: it waits for room.
    if (!(await this.#room.take(partBytes))) {
      throw new OperatingError("overloaded", "too many large values are being written through this node");
    }
    try {
      return await this.#upload(operation, maxBytes, partBytes);
    } finally {
      this.#room.giveBack(partBytes);
    }
  }

  async #upload(operation: StreamOperation, maxBytes: number, partBytes: number): Promise<WriteOutcome> {
    const { store, clock, membership, random } = this.#context;
    const { key, headers, precondition, body } = operation;
    const { clusterId, flushDeadlineMs: deadlineMs } = membership.view.parameters;
    const token = formatToken(clusterId, key, membership.epoch, random.id());
    const open = await tried(clock, () => store.beginUpload(key, { headers, token }, { deadlineMs }));
    let upload: Upload;
    try {
      const run = new UploadRun({ upload: open, body, maxBytes, clock, partBytes, room: this.#room, deadlineMs });
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
      const outcome = await this.#router.write(reference);
      if (outcome.kind !== "written") this.#abort(key, open.id, deadlineMs);
      return outcome;
    } catch (error) {
      // Else the primary that has assigned the write goes on with it.
      if (isOperatingError(error, ...notAssigned)) this.#abort(key, open.id, deadlineMs);
      throw error;
    }
  }

  /** At once, or `leftovers.ts` does it (L12). */
  #abort(key: string, id: string, deadlineMs: number): void {
    const { store, complaints } = this.#context;
    store.abortUpload(key, id, { deadlineMs }).catch((error: unknown) => {
      if (!isOperatingError(error)) throw error;
      complaints.warn("abort", "an upload that failed could not be aborted, and will be later", { key, error });
    });
  }

  async #stateOf(key: string): Promise<ValueInfo | undefined> {
    const outcome = await this.#router.read(key, false);
    return outcome.kind === "missing" ? undefined : outcome.info;
  }
}
