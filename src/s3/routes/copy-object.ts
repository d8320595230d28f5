/**
 * CopyObject: a value becomes that of another key, with its own headers or with new ones. The copy is a write like any
 * other, of the value as it was read. A value that is only in the store passes through this node.
 */

import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Share } from "../../base/shares.ts";
import { type ContentHeaders, checksumHeader } from "../../core/entry.ts";
import type { Operations, ReadOutcome, StreamOperation, ValueStream, WriteOutcome } from "../../core/operation.ts";
import { meets, type Precondition } from "../../core/precondition.ts";
import type { Bodies } from "../../http/server/body.ts";
import type { AnswerStreams } from "../../http/server/stream.ts";
import { makeChecksum } from "../body/body-checks.ts";
import { type Checksum, type ChecksumAlgorithm, wantedAlgorithm } from "../body/checksum.ts";
import { requireNoBody } from "../body/object-body.ts";
import { checksumOf, copiedHeaders, typeOf, withFacts } from "../body/object-facts.ts";
import { summedBody } from "../body/part-body.ts";
import type { S3Call } from "../call.ts";
import type { SlowAnswers } from "../slow-answers.ts";
import { isSourceMet, writeCondition } from "../words/conditions.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { element, xmlDocument } from "../words/xml.ts";
import { noSuchKey, preconditionFailed } from "./get-object.ts";
import { checksumElement, keptHeaders } from "./object-headers.ts";
import type { ObjectSettings } from "./put-object.ts";

interface Wishes {
  /** New metadata instead of the source's. */
  readonly replaces: boolean;
  /** Of the checksum that the copy is to have. */
  readonly algorithm: ChecksumAlgorithm | undefined;
  readonly precondition: Precondition | undefined;
}

type FoundValue = Exclude<ReadOutcome, { kind: "missing" }>;

/** How often a value that is only in the store is looked up again because it was replaced meanwhile. */
export const maxCopyAttempts = 8;

export class ObjectCopies {
  readonly #operations: () => Operations;
  readonly #bodies: Bodies;
  readonly #streams: AnswerStreams;
  readonly #slowly: SlowAnswers;
  readonly #clock: Clock;
  readonly #settings: ObjectSettings;

  constructor(
    operations: () => Operations,
    bodies: Bodies,
    streams: AnswerStreams,
    slowly: SlowAnswers,
    clock: Clock,
    settings: ObjectSettings,
  ) {
    this.#operations = operations;
    this.#bodies = bodies;
    this.#streams = streams;
    this.#slowly = slowly;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** The caller may read `source` and write `key`. */
  async copy(call: S3Call, source: string, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspoken(call.headers);
    const replaces = isReplacing(call.headers);
    if (source === key && !replaces) {
      throw new S3Error("InvalidRequest", "a copy onto itself must replace the metadata (x-amz-metadata-directive)");
    }
    const algorithm = wantedAlgorithm(call.headers);
    const precondition = writeCondition(call.headers);
    await this.#slowly.answer(call, () => this.#copy(call, source, key, { replaces, algorithm, precondition }));
  }

  async #copy(
    call: S3Call,
    source: string,
    key: string,
    { replaces, algorithm, precondition }: Wishes,
  ): Promise<string> {
    let changed: string | undefined;
    for (let attempt = 0; attempt < maxCopyAttempts; attempt++) {
      const found = await this.#operations().read(source, true, changed);
      if (found.kind === "missing") throw noSuchKey();
      if (!isSourceMet(call.headers, found.info)) throw preconditionFailed();
      const copied = copiedHeaders(found.info.headers);
      const checksum = await this.#checksumFor(call, found, checksumOf(copied), algorithm);
      const headers = this.#headersFor(call, copied, replaces, checksum);
      if (source === key && precondition !== undefined && !meets(found.info, precondition)) throw preconditionFailed();
      const condition = source === key ? onlyOver(found) : precondition;
      const write = { key, headers, precondition: condition };
      const outcome = await this.#write(call, source, found, write, algorithm);
      if (outcome !== undefined && (outcome.result.kind === "written" || source !== key)) {
        return this.#answer(outcome.result, outcome.checksum ?? checksum);
      }
      changed = outcome === undefined ? found.info.md5 : undefined;
    }
    throw new OperatingError("store_unavailable", "the source was replaced each time it was about to be copied");
  }

  /**
   * The checksum that is kept with the copy: that of the value, which stays the same, or another one that is wanted.
   * One of a value that only passes through is not known before all of it has.
   */
  async #checksumFor(
    call: S3Call,
    found: FoundValue,
    kept: Checksum | undefined,
    algorithm: ChecksumAlgorithm | undefined,
  ): Promise<Checksum | undefined> {
    if (algorithm === undefined || algorithm === kept?.algorithm) return kept;
    if (found.kind !== "value" || found.value === undefined) return kept;
    return await makeChecksum(algorithm, found.value, this.#bodies.turnsOf(call.exchange));
  }

  #headersFor(call: S3Call, copied: ContentHeaders, replaces: boolean, checksum: Checksum | undefined): ContentHeaders {
    const { maxMetadataBytes } = this.#settings;
    const { [checksumHeader]: _, ...others } = copied;
    return withFacts(replaces ? keptHeaders(call, maxMetadataBytes) : others, { checksum }, maxMetadataBytes);
  }

  /** Undefined if the store has another value than was found. The checksum is that of a value that passed through. */
  async #write(
    call: S3Call,
    source: string,
    found: FoundValue,
    write: Pick<StreamOperation, "key" | "headers" | "precondition">,
    algorithm: ChecksumAlgorithm | undefined,
  ): Promise<{ readonly result: WriteOutcome; readonly checksum?: Checksum | undefined } | undefined> {
    if (found.kind === "value" && found.value !== undefined) {
      const { value } = found;
      const holder = call.exchange.place?.holder.name;
      const md5 = hash("md5", value);
      return { result: await this.#operations().write({ ...write, value, md5, durability: "replicated", holder }) };
    }
    const { md5, size } = found.info;
    const place = this.#streams.takePlace(call.exchange);
    try {
      const upload = this.#bodies.places.take(call.exchange, size);
      try {
        const stream = await this.#operations().open(source, md5, 0, size);
        if (stream === undefined) return undefined;
        await using _ = stream;
        const plain = iterate(stream, place);
        if (algorithm === undefined)
          return { result: await this.#operations().writeStream({ ...write, length: size, body: plain }) };
        const { body, sums } = summedBody(plain, size, algorithm, this.#bodies.turnsOf(call.exchange));
        const result = await this.#operations().writeStream({ ...write, length: size, body });
        return { result, checksum: result.kind === "written" ? sums().checksum : undefined };
      } finally {
        upload.release();
      }
    } finally {
      place.release();
    }
  }

  #answer(outcome: WriteOutcome, checksum: Checksum | undefined): string {
    if (outcome.kind !== "written") throw preconditionFailed();
    const modified = new Date(this.#clock.wallMs()).toISOString();
    return xmlDocument(
      "CopyObjectResult",
      element("LastModified", modified) +
        element("ETag", `"${etagOf(outcome.tag)}"`) +
        checksumElement(checksum) +
        (checksum === undefined ? "" : element("ChecksumType", typeOf(checksum))),
    );
  }
}

/** Fails once the place was given up for another caller. */
export async function* iterate(stream: ValueStream, place: Share): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of stream) {
    if (!place.isTaken)
      throw new OperatingError("overloaded", "too many large values are being read through this node");
    yield chunk;
  }
}

/** A copy onto itself must not undo a write that came after the value was read. */
function onlyOver({ info }: FoundValue): Precondition {
  return { match: [info.md5] };
}

/** @throws S3Error `InvalidArgument`. */
function isReplacing(headers: S3Call["headers"]): boolean {
  const directive = headers["x-amz-metadata-directive"] ?? "COPY";
  const tagging = headers["x-amz-tagging-directive"] ?? "COPY";
  if (!["COPY", "REPLACE"].includes(directive) || !["COPY", "REPLACE"].includes(tagging)) {
    throw new S3Error("InvalidArgument", "a directive must be COPY or REPLACE");
  }
  return directive === "REPLACE";
}
