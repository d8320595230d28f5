/**
 * Completes multipart uploads: the parts that the client lists become the value of the key. That is one write, which is
 * ordered and answered like any other (L1 to L9). A client may send the request again, by any node, as often as it
 * likes.
 *
 * An upload must never be completed with two lists of parts: a member that finds an object of the upload takes it for
 * the one that it should be. So the record fixes the list (L21):
 *
 * 1. A request reads the records of the parts that it lists.
 * 2. It writes the hash of the list into the upload's record, on the condition that no other list is there.
 * 3. It has the upload completed.
 * 4. It writes that the upload was completed, and what became of it. A repeat is answered from that.
 * 5. It removes the upload's record. The records of the parts are removed later.
 *
 * If the write of step 3 certainly was not made, the list is taken back. Only the one request that wrote it does that,
 * and only if no other request has joined it. If nobody knows whether it was made, the list stays for ever: the same
 * list may be completed again, and another one may not.
 */

import { hash } from "node:crypto";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Operations, UploadedPart, WriteOutcome } from "../../core/operation.ts";
import { minPartBytes } from "../../core/part-sizes.ts";
import type { Precondition } from "../../core/precondition.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
import type { Checksum } from "../body/checksum.ts";
import { typeOf, withFacts } from "../body/object-facts.ts";
import { S3Error } from "../words/s3-error.ts";
import { beingCompleted, type ClientUploads } from "./client-uploads.ts";
import { forEachOf, recordsAtOnce } from "./in-turn.ts";
import { checksumOfParts } from "./part-checksums.ts";
import { doneName, isId, partName, uploadName } from "./upload-names.ts";
import {
  type DoneRecord,
  doneSchema,
  type Found,
  type PartRecord,
  partSchema,
  type UploadRecord,
} from "./upload-records.ts";

/** A part as the client lists it. */
export interface ListedPart {
  readonly number: number;
  readonly md5: string;
  readonly checksum: Checksum | undefined;
}

export interface CompletionRequest {
  readonly key: string;
  readonly id: string;
  /** Ascending by number. */
  readonly parts: readonly ListedPart[];
  readonly precondition: Precondition | undefined;
  /** What the client says of the whole. */
  readonly size: number | undefined;
  readonly checksum: Checksum | undefined;
  readonly holder: string | undefined;
  readonly turns: OwnTurns;
}

export interface Completed {
  /** The object's. */
  readonly tag: string;
  readonly checksum: Checksum | undefined;
  readonly checksumType: "COMPOSITE" | "FULL_OBJECT" | undefined;
}

interface ReadyUpload {
  readonly found: Found<UploadRecord>;
  readonly parts: readonly UploadedPart[];
  readonly checksum: Checksum | undefined;
  /** The hash of the list of parts. */
  readonly list: string;
}

interface FixedList {
  /** Of the upload's record, if one request alone has fixed the list. */
  readonly ownTag: string | undefined;
}

const shared: FixedList = Object.freeze({ ownTag: undefined });

/** With these no member has made the write, or will. */
const notWritten = ["buffer_full", "overloaded", "refused_full", "shutting_down"] as const;

/** Stands in the record in place of one attempt. */
const several = "";

/** Records of parts that are read in a turn of the event loop, if all are in memory. */
const turnParts = 64;

/** How often a record is read again that others change meanwhile. */
const maxAttempts = 16;

export interface CompletionsParts {
  readonly operations: () => Operations;
  readonly uploads: ClientUploads;
  readonly random: Random;
  readonly complaints: Complaints;
  readonly maxValueBytes: number;
  readonly maxMetadataBytes: number;
}

export class Completions {
  readonly #parts: CompletionsParts;

  constructor(parts: CompletionsParts) {
    this.#parts = parts;
  }

  /**
   * Undefined if the value does not meet the request's condition.
   *
   * @throws S3Error `BadDigest`, `EntityTooLarge`, `EntityTooSmall`, `InvalidPart`, `InvalidRequest`, `NoSuchUpload`,
   * `OperationAborted`, and OperatingError as a write does.
   */
  async complete(request: CompletionRequest): Promise<Completed | undefined> {
    const claim = claimOf(request.parts);
    try {
      return (await this.#complete(request, claim)) ?? (await this.#findDone(request, claim));
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      // Another request may have completed the upload, before this one or while it was under way.
      const done = await this.#findDone(request, claim);
      if (done === undefined) throw error;
      return done;
    }
  }

  async #complete(request: CompletionRequest, claim: string): Promise<Completed | undefined> {
    const { key, id } = request;
    const found = await this.#parts.uploads.find(key, id);
    // A node may have been lost between the last two steps. A store that keeps the parts would do it again.
    const done = found.record.completing && (await this.#findDone(request, claim));
    if (done) return done;
    const ready = await this.#prepare(request, found);
    const list = await this.#fix(request, ready);
    const outcome = await this.#write(request, ready, list);
    if (outcome.kind !== "written") return undefined;
    const { checksum } = ready;
    await this.#finish(request, { version: 1, key, claim, tag: outcome.tag, ...(checksum && { checksum }) });
    return { tag: outcome.tag, checksum, checksumType: checksum && found.record.checksum?.type };
  }

  /** The answer to a repeat of a request that was done. */
  async #findDone({ key, id }: CompletionRequest, claim: string): Promise<Completed | undefined> {
    const done = isId(id) ? await this.#parts.uploads.records.read(doneName(id), doneSchema) : undefined;
    if (done?.record.key !== key || done.record.claim !== claim) return undefined;
    const { tag, checksum } = done.record;
    return { tag, checksum, checksumType: checksum && typeOf(checksum) };
  }

  /** Finds what the client lists, and compares it with what the client says of it. */
  async #prepare(request: CompletionRequest, found: Found<UploadRecord>): Promise<ReadyUpload> {
    const { uploads } = this.#parts;
    const { key, id, size: claimedSize, checksum: claimed } = request;
    const find = async (listed: ListedPart): Promise<PartRecord> => {
      const part = await uploads.records.read(partName(id, listed.number), partSchema);
      if (part !== undefined && isSame(listed, part.record)) return part.record;
      // It may be gone with its upload.
      await uploads.find(key, id);
      throw invalidPart(listed.number);
    };
    const parts: PartRecord[] = [];
    for (let start = 0; start < request.parts.length; start += turnParts) {
      if (start > 0) await request.turns.next();
      parts.push(...(await forEachOf(request.parts.slice(start, start + turnParts), recordsAtOnce, find)));
    }
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    if (parts.some((part, index) => part.size < minPartBytes && index < parts.length - 1)) {
      throw new S3Error("EntityTooSmall", `each part but the last has ${minPartBytes} bytes at least`);
    }
    const { maxValueBytes } = this.#parts;
    if (size > maxValueBytes) throw new S3Error("EntityTooLarge", `an object may have ${maxValueBytes} bytes at most`);
    if (claimedSize !== undefined && claimedSize !== size) {
      throw new S3Error("InvalidRequest", `the parts have ${size} bytes, not ${claimedSize} (x-amz-mp-object-size)`);
    }
    const checksum = await checksumOfParts(found.record.checksum, parts, request.turns);
    if (claimed !== undefined) requireChecksum(claimed, checksum);
    const uploaded = parts.map(({ tag, size }, index) => ({ number: numberAt(request.parts, index), tag, size }));
    // A part that is sent again may have another tag in the store. Its bytes are what counts.
    const list = hash("sha256", JSON.stringify(parts.map(({ md5 }, index) => [uploaded[index]?.number, md5])));
    return { found, parts: uploaded, checksum, list };
  }

  /**
   * Fixes the list of parts.
   *
   * @throws S3Error `NoSuchUpload`, `OperationAborted`
   */
  async #fix({ key, id, holder }: CompletionRequest, ready: ReadyUpload): Promise<FixedList> {
    const { uploads } = this.#parts;
    const { list } = ready;
    let { found } = ready;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { completing } = found.record;
      if (completing !== undefined && completing.list !== list) throw beingCompleted();
      if (completing?.by === several) return shared;
      const by = completing === undefined ? this.#parts.random.id() : several;
      const record = { ...found.record, completing: { list, by } };
      const tag = await uploads.records.write(uploadName(id), record, holder, { match: [found.tag] });
      if (tag !== undefined) return by === several ? shared : { ownTag: tag };
      found = await uploads.find(key, id);
    }
    throw new OperatingError("overloaded", "too many requests complete the same upload at the same time");
  }

  async #write(request: CompletionRequest, ready: ReadyUpload, list: FixedList): Promise<WriteOutcome> {
    const { key, precondition, holder } = request;
    const { upload } = ready.found.record;
    const { checksum, parts } = ready;
    const facts = { checksum, partSizes: parts.map(({ size }) => size) };
    const headers = withFacts(ready.found.record.headers, facts, this.#parts.maxMetadataBytes);
    try {
      const operation = { key, headers, precondition, holder, upload, parts };
      const outcome = await this.#parts.operations().completeUpload(operation);
      if (outcome.kind !== "written") await this.#takeBack(request, ready, list);
      return outcome;
    } catch (error) {
      if (isOperatingError(error, ...notWritten)) await this.#takeBack(request, ready, list);
      throw error;
    }
  }

  /** Another list may be completed now, unless others have joined this one. */
  async #takeBack({ id, holder }: CompletionRequest, { found }: ReadyUpload, { ownTag }: FixedList): Promise<void> {
    if (ownTag === undefined) return;
    const { completing: _, ...record } = found.record;
    await this.#tidy(async () => {
      await this.#parts.uploads.records.write(uploadName(id), record, holder, { match: [ownTag] });
    });
  }

  async #finish({ id, parts, holder }: CompletionRequest, done: DoneRecord): Promise<void> {
    const { uploads } = this.#parts;
    await this.#tidy(async () => {
      await uploads.records.write(doneName(id), done, holder);
      await uploads.records.remove(uploadName(id));
      uploads.removals.add(
        id,
        parts.map(({ number }) => number),
      );
    });
  }

  /** Does what the answer does not depend on. What is left undone costs a repeat some work. The sweep removes it. */
  async #tidy(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      this.#parts.complaints.warn("s3-records", "the record of an upload could not be changed", { error });
    }
  }
}

function claimOf(parts: readonly ListedPart[]): string {
  return hash("sha256", JSON.stringify(parts.map(({ number, md5 }) => [number, md5])));
}

function isSame(listed: ListedPart, { md5, checksum }: PartRecord): boolean {
  if (listed.md5 !== md5) return false;
  const { checksum: claimed } = listed;
  return claimed === undefined || (claimed.algorithm === checksum?.algorithm && claimed.value === checksum.value);
}

/** @throws S3Error `BadDigest`, `InvalidRequest` */
function requireChecksum(claimed: Checksum, checksum: Checksum | undefined): void {
  if (claimed.algorithm !== checksum?.algorithm) {
    throw new S3Error("InvalidRequest", `the upload was not begun with the checksum ${claimed.algorithm}`);
  }
  // Some clients leave the number of parts out.
  const [value] = checksum.value.split("-");
  if (claimed.value !== checksum.value && claimed.value !== value) {
    throw new S3Error("BadDigest", `the parts have another ${claimed.algorithm} than the request says`);
  }
}

function invalidPart(number: number): S3Error {
  return new S3Error("InvalidPart", `part ${number} was not sent, or has another ETag or checksum`);
}

function numberAt(parts: readonly ListedPart[], index: number): number {
  return (parts[index] as ListedPart).number;
}
