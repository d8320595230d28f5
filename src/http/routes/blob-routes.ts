/**
 * `/kv/{key}`: values by their key. These routes have no query, and a `?` in the path is refused. It is more likely
 * part of a key that was not encoded than something to ignore.
 */

import { OperatingError } from "../../base/errors.ts";
import { isOwnHeader, noHeaders, type ValueInfo } from "../../core/entry.ts";
import type { Operations, ReadOutcome, StreamOperation, WriteOutcome } from "../../core/operation.ts";
import { meets, type Precondition } from "../../core/precondition.ts";
import { announcedLength, type Bodies } from "../server/body.ts";
import { answer, type Exchange, type HeaderList } from "../server/exchange.ts";
import { checkChangeable } from "../server/key.ts";
import type { ProblemWriter } from "../server/problem.ts";
import { type KeyRoute, reading } from "../server/route.ts";
import type { AnswerStreams } from "../server/stream.ts";
import type { UploadPlace } from "../server/upload-places.ts";
import { addCaching, cachingNames, contentHeaders, isSendable, sandboxed } from "./content-headers.ts";
import { announcedMd5, md5Of, requiringMd5 } from "./content-md5.ts";
import { wantedDurability } from "./durability.ts";
import type { DateFormatter } from "./http-date.ts";
import { hasReadConditions, judgeRead, writePrecondition } from "./preconditions.ts";
import { requestedRange } from "./range.ts";
import { type PartOfValue, StoredReads } from "./stored-reads.ts";

export interface BlobSettings {
  readonly maxValueBytes: number;
  readonly maxStreamBytes: number;
  readonly maxMetadataBytes: number;
}

export class BlobRoutes {
  /** `/kv/{key}`. */
  readonly route: KeyRoute = {
    kind: "key",
    needs: { ...reading("read"), PUT: "write", DELETE: "write" },
    handle: (exchange, key) => this.#handle(exchange, key),
  };
  readonly #operations: () => Operations;
  readonly #bodies: Bodies;
  readonly #stored: StoredReads;
  readonly #problems: ProblemWriter;
  readonly #settings: BlobSettings;
  readonly #dates: DateFormatter;

  constructor(
    operations: () => Operations,
    bodies: Bodies,
    streams: AnswerStreams,
    problems: ProblemWriter,
    dates: DateFormatter,
    settings: BlobSettings,
  ) {
    this.#operations = operations;
    this.#bodies = bodies;
    this.#stored = new StoredReads(operations, streams);
    this.#problems = problems;
    this.#dates = dates;
    this.#settings = settings;
  }

  #handle(exchange: Exchange, key: string): void | Promise<void> {
    switch (exchange.request.method) {
      case "GET":
        return this.#read(exchange, key, true);
      case "HEAD":
        return this.#read(exchange, key, false);
      case "PUT":
        checkChangeable(key);
        return this.#put(exchange, key);
      default:
        checkChangeable(key);
        return this.#delete(exchange, key);
    }
  }

  /**
   * Answers in the same turn if the primary is this node and has the value in memory. A promise in between costs a
   * tenth of a GET.
   */
  #read(exchange: Exchange, key: string, wantValue: boolean): void | Promise<void> {
    const outcome = this.#operations().read(key, wantValue);
    if (outcome instanceof Promise) return this.#readLater(exchange, key, wantValue, outcome);
    if (this.#answerRead(exchange, outcome, wantValue) === undefined) return;
    return this.#readOn(exchange, key, wantValue, outcome);
  }

  /** Another node's values are mostly in memory there, too. */
  async #readLater(exchange: Exchange, key: string, wantValue: boolean, later: Promise<ReadOutcome>): Promise<void> {
    const outcome = await later;
    if (this.#answerRead(exchange, outcome, wantValue) === undefined) return;
    await this.#readOn(exchange, key, wantValue, outcome);
  }

  #readOn(exchange: Exchange, key: string, wantValue: boolean, first: ReadOutcome): Promise<void> {
    return this.#stored.answer(exchange, key, wantValue, first, {
      answer: (outcome) => this.#answerRead(exchange, outcome, wantValue),
      headersOf: ({ info, start, end, headers }) => this.#valueHeaders(info, end - start, headers),
    });
  }

  /** Answers, unless the answer needs bytes of the value from the store. Then returns which bytes. */
  #answerRead(exchange: Exchange, outcome: ReadOutcome, wantValue: boolean): PartOfValue | undefined {
    if (outcome.kind === "missing") {
      this.#problems.answer(exchange, "key_not_found", "there is no value under this key");
      return undefined;
    }
    const { info } = outcome;
    if (this.#judge(exchange, info)) return undefined;
    const part = this.#partOf(exchange, info);
    if (part === undefined || (outcome.kind === "stored" && wantValue)) return part;
    const { status, start, end, headers } = part;
    const value = outcome.kind === "value" ? outcome.value : undefined;
    const body = status === 200 ? value : value?.subarray(start, end);
    answer(exchange, status, this.#valueHeaders(info, end - start, headers), body);
    return undefined;
  }

  /** Judges the request's conditions. If one does not hold, answers that and returns true. */
  #judge(exchange: Exchange, info: ValueInfo): boolean {
    const { headers } = exchange.request;
    if (!hasReadConditions(headers)) return false;
    const decision = judgeRead(headers, info);
    if (decision === "serve") return false;
    if (decision === "not_modified") answer(exchange, 304, this.#validators(info));
    else {
      const detail = "the value does not meet the request's condition";
      this.#problems.answer(exchange, "precondition_failed", detail, ["ETag", `"${info.md5}"`]);
    }
    return true;
  }

  /**
   * Which bytes of the value the request asks for. If the value has none of them, answers that and returns undefined.
   */
  #partOf(exchange: Exchange, info: ValueInfo): PartOfValue | undefined {
    const { headers, method } = exchange.request;
    const { size } = info;
    const range =
      headers.range === undefined || method === "HEAD" ? undefined : requestedRange(headers, info.md5, size);
    if (range === undefined) return { info, status: 200, start: 0, end: size, headers: ["Accept-Ranges", "bytes"] };
    if (range === "unsatisfiable" || range === "malformed") {
      const header = ["Content-Range", `bytes */${size}`];
      const detail =
        range === "malformed"
          ? "Range is malformed: it is bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT"
          : `the value has ${size} bytes`;
      this.#problems.answer(exchange, "range_not_satisfiable", detail, header);
      return undefined;
    }
    const { start, end } = range;
    const contentRange = `bytes ${start}-${end - 1}/${size}`;
    return { info, status: 206, start, end, headers: ["Accept-Ranges", "bytes", "Content-Range", contentRange] };
  }

  /**
   * Adds to `headers`. They are not empty: so the first to come gets room for nearly all that come (the engine makes
   * room for half as many again, and 16).
   */
  #valueHeaders(info: ValueInfo, length: number, headers: HeaderList): HeaderList {
    // Kept headers come before Content-Length: behind it, node:http takes Content-Disposition for UTF-8.
    if (info.headers !== noHeaders) addKept(headers, info.headers);
    // As stores do. Without it, browsers would guess the type, and might run data as a script.
    if (info.headers["content-type"] === undefined) headers.push("Content-Type", "application/octet-stream");
    else headers.push(...sandboxed);
    addCaching(headers, info.headers);
    headers.push(
      "Content-Length",
      String(length),
      "ETag",
      `"${info.md5}"`,
      "Last-Modified",
      this.#dates.lastModified(info.modifiedMs),
      "Weir-Version",
      `${info.epoch}.${info.seq}`,
    );
    return headers;
  }

  /** For 304: what a cache needs to keep using its copy. */
  #validators(info: ValueInfo): HeaderList {
    const headers = ["ETag", `"${info.md5}"`, "Last-Modified", this.#dates.lastModified(info.modifiedMs)];
    headers.push("Weir-Version", `${info.epoch}.${info.seq}`);
    const caching = Object.entries(info.headers).filter(([name]) => cachingNames.includes(name));
    addKept(headers, Object.fromEntries(caching));
    addCaching(headers, info.headers);
    return headers;
  }

  async #put(exchange: Exchange, key: string): Promise<void> {
    const { headers, rawHeaders } = exchange.request;
    const durability = wantedDurability(headers["weir-durability"]);
    if (headers["content-range"] !== undefined) {
      throw new OperatingError("header_invalid", "Content-Range: a value can only be replaced as a whole");
    }
    const precondition = writePrecondition(headers);
    const md5 = announcedMd5(headers["content-md5"]);
    const kept = contentHeaders(rawHeaders, this.#settings.maxMetadataBytes);
    const write = { key, headers: kept, precondition };
    if (exchange.awaitsContinue && precondition !== undefined && !(await this.#isMet(key, precondition))) {
      this.#answerWrite(exchange, { kind: "precondition_failed" });
      return;
    }
    const { maxValueBytes, maxStreamBytes } = this.#settings;
    const length = announcedLength(exchange.request);
    if (length !== undefined && length > maxValueBytes && length <= maxStreamBytes) {
      await this.#putStream(exchange, { ...write, length, body: this.#bodies.stream(exchange) }, md5);
      return;
    }
    // The refusal of a body that is too long names the limit of all values.
    const maxBytes = length === undefined ? maxValueBytes : Math.max(maxValueBytes, maxStreamBytes);
    const body = await this.#bodies.read(exchange, maxBytes, maxStreamBytes > maxValueBytes);
    const { stream } = body;
    try {
      if (stream) {
        await this.#putStream(exchange, { ...write, length: undefined, body: stream }, md5);
        return;
      }
      const holder = exchange.place?.holder.name;
      const operation = { ...write, value: body.bytes, md5: md5Of(body.bytes, md5), durability, holder };
      this.#answerWrite(exchange, await this.#operations().write(operation));
    } finally {
      body.release();
    }
  }

  /**
   * Whether the condition holds now. If it does not, the client need not send the value. Otherwise it counts once more
   * where the key's writes are ordered. So it costs a look at the key, for requests that wait for `100 Continue` only.
   */
  async #isMet(key: string, precondition: Precondition): Promise<boolean> {
    const outcome = await this.#operations().read(key, false);
    return meets(outcome.kind === "missing" ? undefined : outcome.info, precondition);
  }

  async #putStream(exchange: Exchange, plain: StreamOperation, md5: string | undefined): Promise<void> {
    const operation = md5 === undefined ? plain : { ...plain, body: requiringMd5(plain.body, md5) };
    let outcome: WriteOutcome;
    let place: UploadPlace | undefined;
    try {
      place = this.#bodies.places.take(exchange, operation.length);
      outcome = await this.#operations().writeStream(operation);
    } finally {
      place?.release();
      // Gives up the rest of a body that was not wanted. A sender that is held back would never read the refusal.
      await operation.body.return?.();
    }
    this.#answerWrite(exchange, outcome);
  }

  async #delete(exchange: Exchange, key: string): Promise<void> {
    const { headers } = exchange.request;
    const durability = wantedDurability(headers["weir-durability"]);
    const precondition = writePrecondition(headers);
    const holder = exchange.place?.holder.name;
    const operation = { key, value: undefined, headers: noHeaders, precondition, md5: "", durability, holder };
    this.#answerWrite(exchange, await this.#operations().write(operation));
  }

  #answerWrite(exchange: Exchange, outcome: WriteOutcome): void {
    if (outcome.kind === "precondition_failed") {
      this.#problems.answer(exchange, "precondition_failed", "the value does not meet the request's condition");
      return;
    }
    const { version, tag, durability } = outcome;
    const headers = ["Weir-Version", `${version.epoch}.${version.seq}`, "Weir-Durability", durability];
    if (tag !== "") headers.push("ETag", `"${tag}"`);
    answer(exchange, 204, headers);
  }
}

/** An object of others in the store may have headers that HTTP cannot carry. They are left out. */
function addKept(headers: HeaderList, kept: ValueInfo["headers"]): void {
  for (const name in kept) {
    const value = kept[name] as string;
    if (!isOwnHeader(name) && isSendable(value)) headers.push(name, value);
  }
}
