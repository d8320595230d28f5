/** UploadPart and UploadPartCopy: a part of a multipart upload comes from the client, or out of another value. */

import { OperatingError } from "../../base/errors.ts";
import type { Operations, ReadOutcome } from "../../core/operation.ts";
import type { Bodies } from "../../http/server/body.ts";
import type { AnswerStreams } from "../../http/server/stream.ts";
import type { UploadPlace } from "../../http/server/upload-places.ts";
import { requireNoBody } from "../body/object-body.ts";
import { partBody, type SummedBody, summedBody } from "../body/part-body.ts";
import { answerCall, type S3Call } from "../call.ts";
import type { SlowAnswers } from "../slow-answers.ts";
import type { ClientUploads } from "../uploads/client-uploads.ts";
import type { PartRecord, UploadRecord } from "../uploads/upload-records.ts";
import { isSourceMet } from "../words/conditions.ts";
import { parsePartNumber } from "../words/part-number.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { element, xmlDocument } from "../words/xml.ts";
import { iterate, maxCopyAttempts } from "./copy-object.ts";
import { noSuchKey, preconditionFailed } from "./get-object.ts";
import { checksumElement } from "./object-headers.ts";

type FoundValue = Exclude<ReadOutcome, { kind: "missing" }>;

export interface PartRouteParts {
  readonly operations: () => Operations;
  readonly uploads: ClientUploads;
  readonly bodies: Bodies;
  readonly streams: AnswerStreams;
  readonly slowly: SlowAnswers;
  readonly maxPartBytes: number;
  /** Bytes that get into the store while a connection may be silent. */
  readonly partBytes: number;
}

/** The part that a request is about. */
interface Part {
  readonly id: string;
  readonly number: number;
  readonly upload: UploadRecord;
}

/**
 * Clients send many parts of an object at a time, more than a node has places for. To refuse them would only make them
 * send those again. Usual clients give up a request on which nothing moves for a minute.
 */
const maxWaitMs = 50_000;

const rangeHeader = "x-amz-copy-source-range";

export class PartRoutes {
  readonly #parts: PartRouteParts;

  constructor(parts: PartRouteParts) {
    this.#parts = parts;
  }

  async put(call: S3Call, key: string): Promise<void> {
    refuseUnspoken(call.headers);
    const { bodies, maxPartBytes, partBytes } = this.#parts;
    const part = await this.#find(call, key);
    const body = partBody(call, bodies, part.upload.checksum?.algorithm, maxPartBytes);
    // Nothing moves on the connection while the store takes the part. A large one takes it longer.
    call.exchange.stallMs *= Math.max(1, Math.ceil(body.length / partBytes));
    const { md5, checksum } = await this.#send(call, part, body);
    const headers = ["ETag", `"${md5}"`];
    if (checksum !== undefined) headers.push(`x-amz-checksum-${checksum.algorithm}`, checksum.value);
    answerCall(call, 200, [...headers, "Content-Length", "0"]);
  }

  /** The caller may read `source` and write `key`. */
  async copy(call: S3Call, source: string, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspoken(call.headers, rangeHeader);
    const part = await this.#find(call, key);
    await this.#parts.slowly.answer(call, () => this.#copyOnce(call, source, part));
  }

  async #copyOnce(call: S3Call, source: string, part: Part): Promise<string> {
    let changed: string | undefined;
    for (let attempt = 0; attempt < maxCopyAttempts; attempt++) {
      const found = await this.#parts.operations().read(source, true, changed);
      if (found.kind === "missing") throw noSuchKey();
      if (!isSourceMet(call.headers, found.info)) throw preconditionFailed();
      const record = await this.#copyFrom(call, source, found, part);
      if (record !== undefined) {
        const { md5, checksum, modifiedMs } = record;
        const modified = element("LastModified", new Date(modifiedMs).toISOString());
        const inner = modified + element("ETag", `"${md5}"`) + checksumElement(checksum);
        return xmlDocument("CopyPartResult", inner);
      }
      changed = found.info.md5;
    }
    throw new OperatingError("store_unavailable", "the source was replaced each time it was about to be copied");
  }

  /** Undefined if the store has another value than was found. */
  async #copyFrom(call: S3Call, source: string, found: FoundValue, part: Part): Promise<PartRecord | undefined> {
    const { operations, bodies, streams, maxPartBytes } = this.#parts;
    const { md5, size } = found.info;
    const { start, end } = rangeIn(call.headers[rangeHeader], size);
    if (end - start > maxPartBytes) {
      throw new S3Error("EntityTooLarge", `a part may have ${maxPartBytes} bytes at most: copy it in ranges`);
    }
    const algorithm = part.upload.checksum?.algorithm;
    const turns = bodies.turnsOf(call.exchange);
    if (found.kind === "value" && found.value !== undefined) {
      const bytes = found.value.subarray(start, end);
      return await this.#send(call, part, summedBody(once(bytes), bytes.length, algorithm, turns));
    }
    const place = streams.takePlace(call.exchange);
    try {
      const stream = await operations().open(source, md5, start, end);
      if (stream === undefined) return undefined;
      await using _ = stream;
      return await this.#send(call, part, summedBody(iterate(stream, place), end - start, algorithm, turns));
    } finally {
      place.release();
    }
  }

  /** @throws S3Error `InvalidArgument`, `NoSuchUpload`, `OperationAborted`. */
  async #find({ target }: S3Call, key: string): Promise<Part> {
    const { query } = target;
    const number = parsePartNumber(query.get("partNumber"));
    const id = query.get("uploadId") ?? "";
    return { id, number, upload: await this.#parts.uploads.findOpen(key, id) };
  }

  async #send({ exchange }: S3Call, { id, number, upload }: Part, summed: SummedBody): Promise<PartRecord> {
    const { uploads, bodies } = this.#parts;
    const { body, length, sums } = summed;
    let place: UploadPlace | undefined;
    try {
      place = await bodies.places.wait(exchange, length, maxWaitMs);
      return await uploads.sendPart(upload, id, { number, length, body }, sums, exchange.place?.holder.name);
    } finally {
      place?.release();
      // Gives up the rest of a body that was not wanted. A sender that is held back would never read the refusal.
      await body.return?.();
    }
  }
}

const rangePattern = /^bytes=(\d{1,15})-(\d{1,15})$/;

/**
 * Which bytes of the source are copied: all, or those of the range. Such a range has both ends.
 *
 * @throws S3Error `InvalidArgument`, `InvalidRange`.
 */
function rangeIn(text: string | undefined, size: number): { readonly start: number; readonly end: number } {
  if (text === undefined) return { start: 0, end: size };
  const [, first, last] = rangePattern.exec(text) ?? [];
  const start = Number(first);
  const end = Number(last) + 1;
  if (!(start < end)) throw new S3Error("InvalidArgument", `${rangeHeader} is written bytes=FIRST-LAST`);
  if (end > size) throw new S3Error("InvalidRange", `the source has ${size} bytes`);
  return { start, end };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.length > 0) yield await Promise.resolve(bytes);
}
