/**
 * The API of the stack that weir replaces: values in JSON, in Base64. It is kept so that its clients and its bucket
 * need no change. It serves the same values as `/kv/`. It knows one thing more, the extension, which is metadata of the
 * value.
 */

import { isUtf8 } from "node:buffer";
import { type ErrorCode, errorKinds, OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { ContentHeaders } from "../../core/entry.ts";
import { xxh32 } from "../../core/hash.ts";
import type { Operations } from "../../core/operation.ts";
import type { Bodies } from "../server/body.ts";
import { answer, answerJson, type Exchange, type HeaderList } from "../server/exchange.ts";
import { holderOf } from "../server/node-shares.ts";
import type { ProblemWriter } from "../server/problem.ts";
import { type FixedRoute, type KeyRoute, reading } from "../server/route.ts";
import type { Turns } from "../server/turns.ts";
import { isSendable, metadataPrefix, sizeProblem } from "./content-headers.ts";
import { md5Of } from "./content-md5.ts";
import { wantedDurability } from "./durability.ts";
import type { DateFormatter } from "./http-date.ts";
import { encodeData } from "./legacy-data.ts";
import { type LegacyPut, legacyBodyLimit, parseLegacyPut } from "./legacy-put.ts";
import { judgeRead } from "./preconditions.ts";

export interface LegacySettings {
  readonly inFlightBytes: number;
  readonly maxValueBytes: number;
  readonly maxMetadataBytes: number;
}

const extensionHeader = `${metadataPrefix}extension`;
const keyHeader = `${metadataPrefix}key`;

export class LegacyRoutes {
  /** `POST /put/`. */
  readonly put: FixedRoute;
  /** `GET /get/{key}`. */
  readonly get: KeyRoute;
  readonly #operations: () => Operations;
  readonly #bodies: Bodies;
  readonly #problems: ProblemWriter;
  readonly #dates: DateFormatter;
  readonly #settings: LegacySettings;
  readonly #bodyLimit: number;
  readonly #turns: Turns;

  constructor(
    operations: () => Operations,
    bodies: Bodies,
    problems: ProblemWriter,
    dates: DateFormatter,
    turns: Turns,
    settings: LegacySettings,
  ) {
    this.#turns = turns;
    this.#operations = operations;
    this.#bodies = bodies;
    this.#problems = problems;
    this.#dates = dates;
    this.#settings = settings;
    this.#bodyLimit = Math.min(legacyBodyLimit(settings.maxValueBytes), settings.inFlightBytes);
    const refuse = this.#refuse.bind(this);
    this.put = { kind: "fixed", needs: { POST: "write" }, refuse, handle: (exchange) => this.#put(exchange) };
    this.get = { kind: "key", needs: reading("read"), refuse, handle: (exchange, key) => this.#get(exchange, key) };
  }

  async #put(exchange: Exchange): Promise<void> {
    const { headers } = exchange.request;
    const durability = wantedDurability(headers["weir-durability"]);
    if (headers["content-encoding"] !== undefined) {
      throw new OperatingError("header_invalid", "Content-Encoding is not supported on this route");
    }
    // The conditions would be about /put/, which is no value. If they were ignored, the client would trust them.
    if ((headers["if-match"] ?? headers["if-none-match"] ?? headers["if-unmodified-since"]) !== undefined) {
      throw new OperatingError("header_invalid", "Conditions are not supported on this route; use PUT /kv/");
    }
    const body = await this.#bodies.read(exchange, this.#bodyLimit);
    try {
      const put = await parseLegacyPut(body.bytes, this.#settings.maxValueBytes, this.#turns.of(holderOf(exchange)));
      if ("missing" in put) {
        answerJson(exchange, 409, { msg: `Required field '${put.missing}' is missing!` });
        return;
      }
      exchange.grant.requireKey(put.key);
      const outcome = await this.#operations().write({
        key: put.key,
        value: put.value,
        headers: keptHeaders(put, this.#settings.maxMetadataBytes),
        precondition: undefined,
        md5: md5Of(put.value),
        durability,
        holder: exchange.place?.holder.name,
      });
      if (outcome.kind !== "written") throw new OperatingError("internal", "an unconditional put was refused");
      answerJson(exchange, 200, { msg: "OK!" }, ["Weir-Durability", outcome.durability]);
    } finally {
      // The value has memory of its own.
      free(body.bytes);
      body.release();
    }
  }

  async #get(exchange: Exchange, key: string): Promise<void> {
    const { method, headers } = exchange.request;
    const outcome = await this.#operations().read(key, method === "GET");
    if (outcome.kind === "missing") {
      answerJson(exchange, 404, { msg: `File with key ${key} not found!` }, ["Cache-Control", "no-store"]);
      return;
    }
    if (outcome.kind === "stored") {
      throw new OperatingError(
        "value_not_servable",
        `the value has ${outcome.info.size} bytes, too many for this API; read it with GET /kv/`,
      );
    }
    const { info, value } = outcome;
    const extension = textOf(info.headers[extensionHeader] ?? "");
    // The answer depends on the value, the extension and the key.
    const tag = `${info.md5}-${xxh32(extension).toString(16)}`;
    const validators = ["ETag", `"${tag}"`, "Last-Modified", this.#dates.lastModified(info.modifiedMs)];
    // Otherwise a cache may answer for days without asking.
    validators.push("Cache-Control", "no-cache");
    const decision = judgeRead(headers, { md5: tag, modifiedMs: info.modifiedMs });
    if (decision === "failed")
      throw new OperatingError("precondition_failed", "The value does not meet the request's condition!");
    if (decision === "not_modified") {
      answer(exchange, 304, validators);
      return;
    }
    const head = `{"key":${JSON.stringify(key)},"extension":${JSON.stringify(extension)},"data":"`;
    const length = Buffer.byteLength(head) + Math.ceil(info.size / 3) * 4 + 2;
    const body =
      value === undefined ? undefined : await encodeData(head, value, '"}', this.#turns.of(holderOf(exchange)));
    answer(exchange, 200, ["Content-Type", "application/json", "Content-Length", String(length), ...validators], body);
  }

  /** The old API's errors: its own form, with the statuses of the new API. */
  #refuse(exchange: Exchange, code: ErrorCode, detail: string, headers: HeaderList): void {
    this.#problems.answerAs(exchange, errorKinds[code].status, "application/json", { msg: detail }, [
      "Cache-Control",
      "no-store",
      ...headers,
    ]);
  }
}

/** @throws OperatingError `body_invalid` for an extension that cannot be metadata. */
function keptHeaders(put: LegacyPut, maxMetadataBytes: number): ContentHeaders {
  const extension = bytesOf(put.extension);
  if (!isHeaderValue(extension)) {
    throw new OperatingError(
      "body_invalid",
      "Field 'extension' has control characters, or spaces at an end: it can't be kept!",
    );
  }
  const headers = { [extensionHeader]: extension };
  if (sizeProblem(headers, maxMetadataBytes) !== undefined) {
    throw new OperatingError("body_invalid", "Field 'extension' is too long to be kept!");
  }
  // The old service wrote the key too. No reader of the value needs it, so it is left out if it does not fit.
  const key = bytesOf(put.key);
  const both = { ...headers, [keyHeader]: key };
  return isHeaderValue(key) && sizeProblem(both, maxMetadataBytes) === undefined ? both : headers;
}

/** Whether the text comes back from a header as it went in. */
function isHeaderValue(bytes: string): boolean {
  return isSendable(bytes) && !bytes.includes("\t") && !bytes.startsWith(" ") && !bytes.endsWith(" ");
}

/** Text as a byte string of UTF-8. */
function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The text of a byte string: UTF-8 if it is valid UTF-8, otherwise Latin-1, which every byte string is. */
function textOf(bytes: string): string {
  const buffer = Buffer.from(bytes, "latin1");
  return isUtf8(buffer) ? buffer.toString("utf8") : bytes;
}
