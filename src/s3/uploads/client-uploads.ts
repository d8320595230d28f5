/**
 * Multipart uploads: they are begun, get parts and are aborted, by requests to any nodes. This part knows what S3 means
 * by that, and nothing of HTTP and XML. Each step that changes something can be done again, and a node may be lost
 * between any two of them:
 *
 * - The store has the upload before its record is there. Without a record the upload is a leftover (L12).
 * - The store has a part before its record is there. Without the record the client has not been told that it is there.
 * - The store has aborted the upload before its record goes. With the record it can be aborted again.
 *
 * How they are completed: `completion.ts`.
 */

import type { Clock } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { ContentHeaders } from "../../core/entry.ts";
import type { Operations, PartBody } from "../../core/operation.ts";
import type { Checksum } from "../body/checksum.ts";
import { S3Error } from "../words/s3-error.ts";
import { PartRemovals } from "./part-removals.ts";
import { UploadCounts } from "./upload-counts.ts";
import { beganMsOf, formatId, isId, ownerOf, partName, uploadName } from "./upload-names.ts";
import { type Found, type PartRecord, type UploadRecord, UploadRecords, uploadSchema } from "./upload-records.ts";

export interface ClientUploadsParts {
  readonly operations: () => Operations;
  readonly clock: Clock;
  readonly random: Random;
  readonly complaints: Complaints;
  /** As old an upload may be: then the store's part of it is aborted (L12). */
  readonly leftoverMs: number;
}

/** What is known of a part's bytes once all of them have come. */
export interface PartSums {
  /** In hexadecimal digits. */
  readonly md5: string;
  readonly checksum: Checksum | undefined;
}

export class ClientUploads implements Disposable {
  readonly records: UploadRecords;
  readonly removals: PartRemovals;
  readonly #operations: () => Operations;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #complaints: Complaints;
  readonly #leftoverMs: number;
  readonly #counts: UploadCounts;

  constructor({ operations, clock, random, complaints, leftoverMs }: ClientUploadsParts) {
    this.records = new UploadRecords(operations);
    this.removals = new PartRemovals(operations, this.records, complaints);
    this.#operations = operations;
    this.#clock = clock;
    this.#random = random;
    this.#complaints = complaints;
    this.#leftoverMs = leftoverMs;
    this.#counts = new UploadCounts(operations, clock);
  }

  /**
   * Begins an upload. Resolves to its id.
   *
   * @param holder In whose share it counts.
   * @throws S3Error `QuotaExceeded`
   */
  async begin(
    key: string,
    headers: ContentHeaders,
    checksum: UploadRecord["checksum"],
    holder: string,
  ): Promise<string> {
    const owner = ownerOf(holder);
    await this.#counts.add(owner);
    const upload = await this.#operations().beginUpload(key, headers);
    const id = formatId(owner, this.#clock.wallMs(), this.#random.id());
    const record: UploadRecord = { version: 1, key, upload, headers, ...(checksum && { checksum }) };
    try {
      const tag = await this.records.write(uploadName(id), record, holder, { noneMatch: ["*"] });
      if (tag === undefined) throw new OperatingError("internal", "two uploads have got one id");
    } catch (error) {
      // Nobody knows its id.
      this.#abortLater(key, upload);
      throw error;
    }
    return id;
  }

  /** Whether it counts as ended, however much of it is left. */
  isTooOld(id: string): boolean {
    return this.#clock.wallMs() - beganMsOf(id) > this.#leftoverMs;
  }

  /**
   * The upload of this id, if it is one for the key. An id alone gives no right to anything.
   *
   * @throws S3Error `NoSuchUpload`
   */
  async find(key: string, id: string): Promise<Found<UploadRecord>> {
    if (!isId(id) || this.isTooOld(id)) throw noSuchUpload();
    const found = await this.records.read(uploadName(id), uploadSchema);
    if (found?.record.key !== key) throw noSuchUpload();
    return found;
  }

  /**
   * The same, if it may still get parts.
   *
   * @throws S3Error `NoSuchUpload`, `OperationAborted`
   */
  async findOpen(key: string, id: string): Promise<UploadRecord> {
    const { record } = await this.find(key, id);
    // The parts with which it is completed are fixed.
    if (record.completing !== undefined) throw beingCompleted();
    return record;
  }

  /**
   * Sends a part. Of several requests for one part, the one that ends last counts.
   *
   * @param sums Asked for when the whole body has been read.
   * @throws S3Error `NoSuchUpload`, `OperationAborted`, and what the body rejects with.
   */
  async sendPart(
    { key, upload }: UploadRecord,
    id: string,
    part: PartBody,
    sums: () => PartSums,
    holder: string | undefined,
  ): Promise<PartRecord> {
    const tag = await this.#send(key, id, upload, part);
    // It may have been ended meanwhile. Nobody would remove this part's record.
    await this.findOpen(key, id);
    const { md5, checksum } = sums();
    const modifiedMs = this.#clock.wallMs();
    const record: PartRecord = {
      version: 1,
      tag,
      size: part.length,
      md5,
      modifiedMs,
      ...(checksum && { checksum }),
    };
    await this.records.write(partName(id, part.number), record, holder);
    return record;
  }

  /** @throws S3Error `NoSuchUpload` */
  async abort(key: string, id: string): Promise<void> {
    const { record } = await this.find(key, id);
    await this.#operations().abortUpload(key, record.upload);
    await this.records.remove(uploadName(id));
    this.removals.addAll(id);
  }

  [Symbol.dispose](): void {
    this.removals[Symbol.dispose]();
  }

  async #send(key: string, id: string, upload: UploadRecord["upload"], part: PartBody): Promise<string> {
    try {
      return await this.#operations().sendPart(key, upload, part);
    } catch (error) {
      // The store may have refused it for having no such upload any more.
      if (isOperatingError(error, "store_refused", "store_unavailable")) await this.findOpen(key, id);
      throw error;
    }
  }

  /** Or it is a leftover (L12). */
  #abortLater(key: string, upload: UploadRecord["upload"]): void {
    this.#operations()
      .abortUpload(key, upload)
      .catch((error: unknown) => {
        if (!isOperatingError(error)) throw error;
        this.#complaints.warn("s3-abort", "an upload that could not be begun is left to be aborted", { key, error });
      });
  }
}

export function noSuchUpload(): S3Error {
  return new S3Error("NoSuchUpload", "there is no such upload of this key: it was completed or aborted, or is too old");
}

export function beingCompleted(): S3Error {
  return new S3Error(
    "OperationAborted",
    "the upload is being completed with the parts that it has: complete it with the same ones, or abort it",
  );
}
