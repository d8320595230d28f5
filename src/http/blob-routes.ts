/**
 * `/kv/{key}`: values by their key. There is no query on these routes: a `?` in the path is refused, since it's more likely part
 * of a key that somebody forgot to encode than anything that we could ignore.
 */

import { OperatingError } from "../base/errors.ts";
import { noHeaders, type ValueInfo } from "../core/entry.ts";
import type { Operations, WriteOutcome } from "../core/operation.ts";
import type { Bodies } from "./body.ts";
import { contentHeaders, isSendable } from "./content-headers.ts";
import { wantedDurability } from "./durability.ts";
import { answer, type Exchange, type HeaderList } from "./exchange.ts";
import type { DateFormatter } from "./http-date.ts";
import { hasReadConditions, judgeRead, writePrecondition } from "./preconditions.ts";
import type { ProblemWriter } from "./problem.ts";
import { requestedRange } from "./range.ts";
import { type KeyRoute, reading } from "./route.ts";

export interface BlobSettings {
  readonly maxValueBytes: number;
  readonly maxMetadataBytes: number;
}

export class BlobRoutes {
  /** `/kv/{key}`. */
  readonly route: KeyRoute = {
    kind: "key",
    needs: { ...reading("read"), PUT: "write", DELETE: "write" },
    handle: (exchange, key) => this.#handle(exchange, key),
  };
  readonly #operations: Operations;
  readonly #bodies: Bodies;
  readonly #problems: ProblemWriter;
  readonly #settings: BlobSettings;
  readonly #dates: DateFormatter;

  constructor(
    operations: Operations,
    bodies: Bodies,
    problems: ProblemWriter,
    dates: DateFormatter,
    settings: BlobSettings,
  ) {
    this.#operations = operations;
    this.#bodies = bodies;
    this.#problems = problems;
    this.#dates = dates;
    this.#settings = settings;
  }

  #handle(exchange: Exchange, key: string): Promise<void> {
    switch (exchange.request.method) {
      case "GET":
        return this.#read(exchange, key, true);
      case "HEAD":
        return this.#read(exchange, key, false);
      case "PUT":
        return this.#put(exchange, key);
      default:
        return this.#delete(exchange, key);
    }
  }

  async #read(exchange: Exchange, key: string, wantValue: boolean): Promise<void> {
    const outcome = await this.#operations.read(key, wantValue);
    if (outcome.kind === "missing") {
      this.#problems.answer(exchange, "key_not_found", "there is no value under this key");
      return;
    }
    const { info, value } = outcome;
    const { headers } = exchange.request;
    if (hasReadConditions(headers)) {
      const decision = judgeRead(headers, info);
      if (decision === "failed") {
        this.#problems.answer(exchange, "precondition_failed", "the value is not as the request requires", [
          "ETag",
          `"${info.md5}"`,
        ]);
        return;
      }
      if (decision === "not_modified") {
        answer(exchange, 304, this.#validators(info));
        return;
      }
    }
    if (headers.range !== undefined && value !== undefined && this.#readRange(exchange, info, value)) return;
    this.#answerValue(exchange, 200, info, info.size, value, []);
  }

  /** Answers with part of the value, or with why not; false if the whole is to be sent. */
  #readRange(exchange: Exchange, info: ValueInfo, value: Buffer): boolean {
    const range = requestedRange(exchange.request.headers, info.md5, info.size);
    if (range === undefined) return false;
    if (range === "unsatisfiable") {
      this.#problems.answer(exchange, "range_not_satisfiable", `the value has ${info.size} bytes`, [
        "Content-Range",
        `bytes */${info.size}`,
      ]);
      return true;
    }
    const { start, end } = range;
    const contentRange = `bytes ${start}-${end - 1}/${info.size}`;
    this.#answerValue(exchange, 206, info, end - start, value.subarray(start, end), ["Content-Range", contentRange]);
    return true;
  }

  #answerValue(
    exchange: Exchange,
    status: number,
    info: ValueInfo,
    length: number,
    body: Buffer | undefined,
    headers: HeaderList,
  ): void {
    // Kept headers come before Content-Length: behind it, node:http takes Content-Disposition for UTF-8.
    if (info.headers !== noHeaders) addKept(headers, info.headers);
    // As stores do: without it browsers would guess, and might run what was meant as data.
    if (info.headers["content-type"] === undefined) headers.push("Content-Type", "application/octet-stream");
    headers.push(
      "Content-Length",
      String(length),
      "ETag",
      `"${info.md5}"`,
      "Last-Modified",
      this.#dates.lastModified(info.modifiedMs),
      "Accept-Ranges",
      "bytes",
      "Weir-Version",
      `${info.epoch}.${info.seq}`,
    );
    answer(exchange, status, headers, body);
  }

  /** For 304: what a cache needs to go on with what it has. */
  #validators(info: ValueInfo): HeaderList {
    const headers = ["ETag", `"${info.md5}"`, "Last-Modified", this.#dates.lastModified(info.modifiedMs)];
    headers.push("Weir-Version", `${info.epoch}.${info.seq}`);
    const caching = info.headers["cache-control"];
    if (caching !== undefined && isSendable(caching)) headers.push("Cache-Control", caching);
    return headers;
  }

  async #put(exchange: Exchange, key: string): Promise<void> {
    const { headers, rawHeaders } = exchange.request;
    const durability = wantedDurability(headers["weir-durability"]);
    if (headers["content-range"] !== undefined) {
      throw new OperatingError("header_invalid", "Content-Range: a value can only be replaced as a whole");
    }
    const precondition = writePrecondition(headers);
    const kept = contentHeaders(rawHeaders, this.#settings.maxMetadataBytes);
    const body = await this.#bodies.read(exchange, this.#settings.maxValueBytes);
    try {
      const operation = { key, value: body.bytes, headers: kept, durability };
      const outcome = await this.#operations.put(precondition ? { ...operation, precondition } : operation);
      this.#answerWrite(exchange, outcome);
    } finally {
      body.release();
    }
  }

  async #delete(exchange: Exchange, key: string): Promise<void> {
    const { headers } = exchange.request;
    const operation = { key, durability: wantedDurability(headers["weir-durability"]) };
    const precondition = writePrecondition(headers);
    this.#answerWrite(
      exchange,
      await this.#operations.delete(precondition ? { ...operation, precondition } : operation),
    );
  }

  #answerWrite(exchange: Exchange, outcome: WriteOutcome): void {
    if (outcome.kind === "precondition_failed") {
      this.#problems.answer(exchange, "precondition_failed", "the value is not as the request requires");
      return;
    }
    const { version, md5, durability } = outcome;
    const headers = ["Weir-Version", `${version.epoch}.${version.seq}`, "Weir-Durability", durability];
    if (md5 !== "") headers.push("ETag", `"${md5}"`);
    answer(exchange, 204, headers);
  }
}

/** An object that others put into the store may have headers that HTTP can't carry: it's served without those. */
function addKept(headers: HeaderList, kept: ValueInfo["headers"]): void {
  for (const name in kept) {
    const value = kept[name] as string;
    if (isSendable(value)) headers.push(name, value);
  }
}
