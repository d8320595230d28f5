/** GetObject and HeadObject: a value by its key, or a range of it. */

import type { Operations, ReadOutcome } from "../../core/operation.ts";
import { addCaching } from "../../http/routes/content-headers.ts";
import type { DateFormatter } from "../../http/routes/http-date.ts";
import { requestedRange } from "../../http/routes/range.ts";
import { type PartOfValue, StoredReads } from "../../http/routes/stored-reads.ts";
import { answer, type HeaderList } from "../../http/server/exchange.ts";
import type { AnswerStreams } from "../../http/server/stream.ts";
import { checksumOf, partsOf } from "../body/object-facts.ts";
import { answerCall, requestIdHeader, type S3Call } from "../call.ts";
import { judge } from "../words/conditions.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspokenRead } from "../words/unspoken.ts";
import { addChecksum, addKept, overridesIn } from "./object-headers.ts";

export class ObjectReads {
  readonly #operations: () => Operations;
  readonly #dates: DateFormatter;
  readonly #stored: StoredReads;

  constructor(operations: () => Operations, streams: AnswerStreams, dates: DateFormatter) {
    this.#operations = operations;
    this.#dates = dates;
    this.#stored = new StoredReads(operations, streams);
  }

  /** Answers in the same turn if the value is in memory here. */
  read(call: S3Call, key: string): void | Promise<void> {
    refuseUnspokenRead(call.headers);
    const overrides = overridesIn(call);
    const wantValue = call.exchange.request.method === "GET";
    const outcome = this.#operations().read(key, wantValue);
    if (!(outcome instanceof Promise) && this.#answer(call, outcome, wantValue, overrides) === undefined) return;
    return this.#stored.answer(call.exchange, key, wantValue, outcome, {
      answer: (found) => this.#answer(call, found, wantValue, overrides),
      headersOf: (part) => this.#headersOf(call, part, overrides),
    });
  }

  /** Answers, unless the answer needs bytes of the value from the store. Then returns which bytes. */
  #answer(
    call: S3Call,
    outcome: ReadOutcome,
    wantValue: boolean,
    overrides: ReturnType<typeof overridesIn>,
  ): PartOfValue | undefined {
    if (outcome.kind === "missing") throw noSuchKey();
    const { info } = outcome;
    const decision = judge(call.headers, info);
    if (decision === "failed") throw preconditionFailed();
    if (decision === "not_modified") {
      const modified = this.#dates.lastModified(info.modifiedMs);
      const headers = ["ETag", `"${etagOf(info.md5)}"`, "Last-Modified", modified];
      addCaching(headers, info.headers, overrides);
      answerCall(call, 304, headers);
      return undefined;
    }
    const part = partOf(call, info);
    if (outcome.kind === "stored" && wantValue) return part;
    const value = outcome.kind === "value" ? outcome.value : undefined;
    const body = part.status === 200 ? value : value?.subarray(part.start, part.end);
    answer(call.exchange, part.status, this.#headersOf(call, part, overrides), body);
    return undefined;
  }

  #headersOf(call: S3Call, part: PartOfValue, overrides: ReturnType<typeof overridesIn>): HeaderList {
    const { info, start, end, status } = part;
    const headers: HeaderList = [];
    // Kept headers come before Content-Length: behind it, node:http takes Content-Disposition for UTF-8.
    addKept(headers, info.headers, overrides);
    addCaching(headers, info.headers, overrides);
    headers.push("Content-Length", String(end - start), "ETag", `"${etagOf(info.md5)}"`);
    headers.push("Last-Modified", this.#dates.lastModified(info.modifiedMs), "Accept-Ranges", "bytes");
    if (part.headers.length > 0) headers.push(...part.headers);
    const wantsChecksum = status === 200 && call.headers["x-amz-checksum-mode"]?.toUpperCase() === "ENABLED";
    if (wantsChecksum) addChecksum(headers, checksumOf(info.headers));
    headers.push(requestIdHeader, call.requestId);
    return headers;
  }
}

/**
 * Which bytes the request asks for. A range that is malformed is passed over, as S3 does.
 *
 * @throws S3Error `InvalidRange`, `InvalidPartNumber`, `InvalidArgument`.
 */
function partOf({ exchange, target }: S3Call, info: PartOfValue["info"]): PartOfValue {
  const { headers } = exchange.request;
  const { size } = info;
  const partNumber = target.query.get("partNumber");
  const isPart = partNumber !== undefined;
  if (isPart && headers.range !== undefined) {
    throw new S3Error("InvalidRequest", "a request names a range or a part, not both");
  }
  if (isPart && !/^[1-9]\d{0,4}$/.test(partNumber)) throw new S3Error("InvalidArgument", "partNumber is 1 to 10000");
  const whole: PartOfValue = { info, status: 200, start: 0, end: size, headers: [] };
  if (!isPart && headers.range === undefined) return whole;
  const parts = isPart ? partsOf(info) : undefined;
  // A value whose parts are not known has one.
  const part = parts?.spanOf(Number(partNumber)) ?? (partNumber === "1" ? { start: 0, end: size } : undefined);
  if (isPart && part === undefined) {
    throw new S3Error("InvalidPartNumber", `the parts of this value have numbers up to ${parts?.count ?? 1}`);
  }
  const range = part !== undefined && size > 0 ? part : requestedRange(headers, etagOf(info.md5), size);
  if (range === "unsatisfiable") throw new S3Error("InvalidRange", `the value has ${size} bytes`);
  if (range === undefined || range === "malformed") return whole;
  const { start, end } = range;
  const more = ["Content-Range", `bytes ${start}-${end - 1}/${size}`];
  if (parts !== undefined) more.push("x-amz-mp-parts-count", String(parts.count));
  return { info, status: 206, start, end, headers: more };
}

export function noSuchKey(): S3Error {
  return new S3Error("NoSuchKey", "there is no value under this key");
}

export function preconditionFailed(): S3Error {
  return new S3Error("PreconditionFailed", "the value does not meet the request's condition");
}
