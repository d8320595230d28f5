/**
 * Uploads whose parts come one by one, from a client that decides when it is done. A part may come through any member,
 * in any order. So nothing of an upload is kept here: its client knows its parts. When it names them they are assembled
 * (L15), and written like any other value, by reference.
 *
 * Whatever becomes of that, nothing here aborts the upload (L19): its client may complete it again. So one upload may
 * have several references (L16).
 */

import { createHash, type Hash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { ContentHeaders } from "../../core/entry.ts";
import { unfit } from "../../core/keys.ts";
import type {
  CompleteOperation,
  Operations,
  PartBody,
  PartedUpload,
  UploadedPart,
  WriteOutcome,
} from "../../core/operation.ts";
import { maxParts } from "../../core/part-sizes.ts";
import { formatManifest, takenOver, takenOverManifest } from "../../core/upload-manifest.ts";
import { formatPartedToken, isParted, oldestVersionOf } from "../../core/upload-token.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { MemberSettings } from "../settings.ts";
import type { UploadRoom } from "./upload-room.ts";
import { longestTriesMs, tooLarge, tried } from "./upload-run.ts";

type PartedUploadContext = ContextOf<"clock" | "membership" | "random"> & {
  readonly settings: Pick<MemberSettings, "large" | "maxValueBytes" | "operationMs">;
  readonly store: Pick<BlobStore, "abortUpload" | "assembleUpload" | "beginParted" | "fits" | "sendPart">;
};

/** Between two looks whether another view was adopted, in milliseconds: a peer tells of it within a ping or two. */
const epochPollMs = 50;
/** The longest time that the runtime's timers know, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

export class PartedUploads {
  readonly #context: PartedUploadContext;
  readonly #room: UploadRoom;
  readonly #router: Pick<Operations, "write">;

  /** @param router - writes the reference */
  constructor(context: PartedUploadContext, room: UploadRoom, router: Pick<Operations, "write">) {
    this.#context = context;
    this.#room = room;
    this.#router = router;
  }

  /** @throws OperatingError: the store's; `key_invalid`, `not_ready`. */
  async begin(key: string, headers: ContentHeaders): Promise<PartedUpload> {
    const { store, clock, membership, random } = this.#context;
    if (!store.fits(key)) throw unfit();
    const deadlineMs = this.#deadlineFor(0);
    const token = formatPartedToken(membership.view.parameters.clusterId, key, membership.epoch, random.id());
    const id = await tried(clock, () => store.beginParted(key, { headers, token }, { deadlineMs }));
    assert(id !== takenOver, "a store names its uploads");
    return { id, token };
  }

  /**
   * Sends a part once there is room for it.
   * @throws OperatingError: the body's, the store's; `value_too_large`, `overloaded`, `not_ready`, `body_truncated`.
   */
  async sendPart(key: string, { id }: PartedUpload, { number, length, body }: PartBody): Promise<string> {
    const { store } = this.#context;
    assert(number >= 1 && number <= maxParts, "a part's number is one that every store takes");
    if (length > this.#room.bytes) {
      throw new OperatingError("value_too_large", `a part may have ${this.#room.bytes} bytes at most`);
    }
    const deadlineMs = this.#deadlineFor(length);
    if (!(await this.#room.take(length))) {
      throw new OperatingError("overloaded", "too many parts of large values are being written through this node");
    }
    try {
      const part = { number, ...(await readWhole(body, length)) };
      let isGivenUp = false;
      const tag = await this.#tried(deadlineMs, async () => {
        try {
          return await store.sendPart(key, id, part, { deadlineMs });
        } catch (error) {
          isGivenUp = true;
          throw error;
        }
      });
      // What was given up may still be read.
      if (!isGivenUp) free(part.body);
      return tag;
    } finally {
      this.#room.giveBack(length);
    }
  }

  /** @throws OperatingError: the store's, the write's; `key_invalid`, `value_too_large`, `not_ready`. */
  async complete({ key, headers, precondition, holder, upload, parts }: CompleteOperation): Promise<WriteOutcome> {
    const { store, settings } = this.#context;
    const { id, token } = upload;
    assert(id !== takenOver && isParted(token), "what is completed was begun");
    if (!store.fits(key)) throw unfit();
    const size = sizeOf(parts);
    const maxBytes = Math.max(settings.large.maxValueBytes, settings.maxValueBytes);
    if (size > maxBytes) throw tooLarge(maxBytes);
    const deadlineMs = this.#deadlineFor(size);
    await this.#reachEpochOf(key, token);
    const assembled = await this.#tried(deadlineMs, () => store.assembleUpload(key, id, parts, { deadlineMs }));
    // An upload that is gone may have been completed by an earlier write. The key's primary looks.
    const manifest =
      assembled.kind === "gone" ? takenOverManifest : formatManifest({ id, parts: [...assembled.parts] });
    return await this.#router.write({
      key,
      value: undefined,
      upload: { token, size, manifest },
      headers,
      precondition,
      md5: "",
      durability: "stored",
      holder,
    });
  }

  /**
   * Waits until this member has adopted the view in which the upload was begun, perhaps through another member (L20).
   * @throws OperatingError `not_ready`: it has not in time.
   */
  async #reachEpochOf(key: string, token: string): Promise<void> {
    const { clock, membership, settings } = this.#context;
    const giveUpAt = clock.now() + settings.operationMs;
    const { epoch } = oldestVersionOf(membership.view.parameters.clusterId, key, token);
    while (membership.epoch < epoch) {
      if (clock.now() >= giveUpAt)
        throw new OperatingError("not_ready", "this node has not heard of the newest members yet");
      await sleep(clock, epochPollMs);
    }
  }

  /** @throws OperatingError: the store's; `not_ready`. */
  async abort(key: string, { id }: PartedUpload): Promise<void> {
    const { store, clock } = this.#context;
    const deadlineMs = this.#deadlineFor(0);
    await tried(clock, () => store.abortUpload(key, id, { deadlineMs }));
  }

  /** Tries for as long as a part of another upload is tried, or as long as one attempt may take, if that is more. */
  async #tried<T>(deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#context;
    const giveUpAt = clock.now() + Math.max(deadlineMs, longestTriesMs(this.#deadlineFor(0)));
    return await tried(clock, attempt, () => clock.now() < giveUpAt);
  }

  /**
   * For a request about so many bytes, in milliseconds. It changes nothing that anybody sees, so F does not bind it: it
   * has F for as many bytes as a part of another upload has.
   */
  #deadlineFor(bytes: number): number {
    const { membership, settings } = this.#context;
    if (membership.epoch === 0) throw new OperatingError("not_ready", "this node is not a member of a view yet");
    const parts = Math.max(1, Math.ceil(bytes / settings.large.partBytes));
    return Math.min(maxTimerMs, membership.view.parameters.flushDeadlineMs * parts);
  }
}

function sizeOf(parts: readonly UploadedPart[]): number {
  assert(parts.length > 0 && parts.length <= maxParts, "a value has parts, as many as every store takes");
  let size = 0;
  let last = 0;
  for (const part of parts) {
    assert(part.number > last, "parts are named in the order of their numbers");
    last = part.number;
    size += part.size;
  }
  return size;
}

/** The whole body, and its MD5 in base64. @throws what the body rejects with; OperatingError `body_truncated`. */
async function readWhole(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ readonly body: Buffer; readonly md5: string }> {
  const body = Buffer.allocUnsafeSlow(length);
  const digest = createHash("md5");
  try {
    await fill(body, chunks, digest);
  } catch (error) {
    free(body);
    throw error;
  }
  return { body, md5: digest.digest("base64") };
}

async function fill(body: Buffer, chunks: AsyncIterable<Uint8Array>, digest: Hash): Promise<void> {
  let filled = 0;
  for await (const chunk of chunks) {
    if (filled + chunk.length > body.length) throw otherLength(body.length);
    body.set(chunk, filled);
    digest.update(chunk);
    filled += chunk.length;
  }
  if (filled < body.length) throw otherLength(body.length);
}

function otherLength(length: number): OperatingError {
  return new OperatingError("body_truncated", `the part does not have ${length} bytes, as it said; nothing was stored`);
}
