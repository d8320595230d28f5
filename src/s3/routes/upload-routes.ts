/** CreateMultipartUpload, CompleteMultipartUpload and AbortMultipartUpload. */

import { TLSSocket } from "node:tls";
import { z } from "zod";
import type { Operations } from "../../core/operation.ts";
import { maxParts } from "../../core/part-sizes.ts";
import type { Bodies } from "../../http/server/body.ts";
import { holderOf } from "../../http/server/node-shares.ts";
import {
  type Checksum,
  checksumAlgorithms,
  isChecksum,
  isChecksumAlgorithm,
  wantedAlgorithm,
} from "../body/checksum.ts";
import { readDocument, requireNoBody } from "../body/object-body.ts";
import { answerCall, answerXml, type S3Call } from "../call.ts";
import type { SlowAnswers } from "../slow-answers.ts";
import type { ClientUploads } from "../uploads/client-uploads.ts";
import type { Completed, Completions, ListedPart } from "../uploads/completion.ts";
import { checksumRule } from "../uploads/part-checksums.ts";
import { writeCondition } from "../words/conditions.ts";
import { etagOf } from "../words/etag.ts";
import { parsePartNumber } from "../words/part-number.ts";
import { notImplemented, S3Error } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { encodeUriPath } from "../words/uri-encoding.ts";
import { element, readXml, xmlDocument } from "../words/xml.ts";
import { noSuchKey, preconditionFailed } from "./get-object.ts";
import { checksumElement, keptHeaders } from "./object-headers.ts";

/** 10,000 parts with the longest checksum. */
const maxDocumentBytes = 4 * 1024 * 1024;
/** The document, and for each part its number, its ETag and its checksums. */
const maxElements = 1 + maxParts * (3 + checksumAlgorithms.length);

/** How long a completion waits for a place among the uploads. */
const maxWaitMs = 50_000;

const checksumPrefix = "x-amz-checksum-";

const partSchema = z.object({
  PartNumber: z.string(),
  ETag: z.string(),
  ChecksumCRC32: z.string().optional(),
  ChecksumCRC32C: z.string().optional(),
  ChecksumCRC64NVME: z.string().optional(),
  ChecksumSHA1: z.string().optional(),
  ChecksumSHA256: z.string().optional(),
});

/** The parts of a list that is too long are not looked at, one by one: that would hold the event loop. */
const partCountSchema = z
  .unknown()
  .refine((parts) => !Array.isArray(parts) || parts.length <= maxParts, `an upload has ${maxParts} parts at most`);

const documentSchema = z.object({
  CompleteMultipartUpload: z.object({
    Part: partCountSchema.pipe(z.union([z.array(partSchema), partSchema.transform((each) => [each])])),
  }),
});

export interface UploadRouteParts {
  readonly operations: () => Operations;
  readonly uploads: ClientUploads;
  readonly completions: Completions;
  readonly bodies: Bodies;
  readonly slowly: SlowAnswers;
  readonly maxMetadataBytes: number;
  /** Whether the node takes values that are too large to be buffered, and buffers records. */
  readonly takesParts: boolean;
}

export class UploadRoutes {
  readonly #parts: UploadRouteParts;

  constructor(parts: UploadRouteParts) {
    this.#parts = parts;
  }

  async create(call: S3Call, key: string): Promise<void> {
    const { headers, target, exchange } = call;
    const { uploads, maxMetadataBytes, takesParts } = this.#parts;
    requireNoBody(call);
    refuseUnspoken(headers);
    if (!takesParts) {
      throw notImplemented(
        "multipart uploads need a buffer.maxValueBytes of 16 KiB at least, and a large.maxValueBytes that is more",
      );
    }
    const kept = keptHeaders(call, maxMetadataBytes);
    const rule = checksumRule(wantedAlgorithm(headers), headers[`${checksumPrefix}type`]);
    const id = await uploads.begin(key, kept, rule, holderOf(exchange));
    const answerHeaders =
      rule === undefined
        ? []
        : [`${checksumPrefix}algorithm`, rule.algorithm.toUpperCase(), `${checksumPrefix}type`, rule.type];
    const inner = element("Bucket", target.bucket) + element("Key", target.key) + element("UploadId", id);
    answerXml(call, xmlDocument("InitiateMultipartUploadResult", inner), answerHeaders);
  }

  async complete(call: S3Call, key: string): Promise<void> {
    const { headers, target, exchange } = call;
    const { bodies, completions, slowly } = this.#parts;
    refuseUnspoken(headers);
    const precondition = writeCondition(headers);
    const size = sizeIn(headers["x-amz-mp-object-size"]);
    const checksum = checksumIn(headers);
    const turns = bodies.turnsOf(exchange);
    // What is said of the object is not said of the document.
    const body = await readDocument({ ...call, headers: withoutChecksum(headers) }, bodies, maxDocumentBytes);
    // The list takes memory, and the store may have to put the value together. So both have a share until the answer.
    try {
      const document = await readXml(body.bytes, documentSchema, turns, maxElements);
      const parts = partsIn(document.CompleteMultipartUpload.Part);
      const id = target.query.get("uploadId") ?? "";
      const holder = exchange.place?.holder.name;
      await slowly.answer(call, async () => {
        const place = await bodies.places.wait(exchange, 0, maxWaitMs);
        try {
          const request = { key, id, parts, precondition, size, checksum, holder, turns };
          const completed = await completions.complete(request);
          if (completed === undefined) throw await this.#refusal(key, precondition?.match !== undefined);
          return completedXml(call, completed);
        } finally {
          place.release();
        }
      });
    } finally {
      body.release();
    }
  }

  async abort(call: S3Call, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspoken(call.headers);
    await this.#parts.uploads.abort(key, call.target.query.get("uploadId") ?? "");
    answerCall(call, 204, []);
  }

  /** S3 says that there is no such key where `If-Match` finds none. */
  async #refusal(key: string, hasMatch: boolean): Promise<S3Error> {
    if (!hasMatch) return preconditionFailed();
    const outcome = await this.#parts.operations().read(key, false);
    return outcome.kind === "missing" ? noSuchKey() : preconditionFailed();
  }
}

function completedXml({ exchange, target }: S3Call, { tag, checksum, checksumType }: Completed): string {
  const { bucket = "", key = "" } = target;
  const { socket, headers } = exchange.request;
  const origin = `${socket instanceof TLSSocket ? "https" : "http"}://${headers.host ?? ""}`;
  const inner = [
    element("Location", `${origin}/${encodeUriPath(bucket)}/${encodeUriPath(key)}`),
    element("Bucket", bucket),
    element("Key", key),
    element("ETag", `"${etagOf(tag)}"`),
    checksumElement(checksum),
    element("ChecksumType", checksumType),
  ];
  return xmlDocument("CompleteMultipartUploadResult", inner.join(""));
}

/** @throws S3Error `InvalidArgument`. */
function sizeIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new S3Error("InvalidArgument", "x-amz-mp-object-size must be a number of bytes");
}

/**
 * The checksum that the whole object is to have.
 *
 * @throws S3Error `InvalidRequest`.
 */
function checksumIn(headers: S3Call["headers"]): Checksum | undefined {
  const unknown = Object.keys(headers).find((name) => name.startsWith(checksumPrefix) && !isChecksumHeader(name));
  if (unknown !== undefined) throw new S3Error("InvalidRequest", `${unknown} names a checksum that is not known here`);
  const found = checksumAlgorithms.filter((algorithm) => headers[checksumPrefix + algorithm] !== undefined);
  const [algorithm, second] = found;
  if (algorithm === undefined) return undefined;
  const value = headers[checksumPrefix + algorithm] as string;
  const [own = "", count, more] = value.split("-");
  if (second === undefined && more === undefined && isChecksum(algorithm, own) && /^\d*$/.test(count ?? "")) {
    return { algorithm, value };
  }
  throw new S3Error("InvalidRequest", `${checksumPrefix}${algorithm} is no such checksum of an object`);
}

/** With a checksum that is known here, or what says which one it is. */
function isChecksumHeader(name: string): boolean {
  const rest = name.slice(checksumPrefix.length);
  return rest === "type" || rest === "algorithm" || isChecksumAlgorithm(rest);
}

function withoutChecksum(headers: S3Call["headers"]): S3Call["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(checksumPrefix)));
}

/** @throws S3Error `InvalidArgument`, `InvalidPartOrder`. */
function partsIn(listed: readonly z.infer<typeof partSchema>[]): ListedPart[] {
  const parts = listed.map((part) => ({
    number: parsePartNumber(part.PartNumber.trim()),
    md5: part.ETag.trim().replace(/^"(.*)"$/, "$1"),
    checksum: checksumOfPart(part),
  }));
  if (parts.some(({ number }, index) => index > 0 && number <= (parts[index - 1] as ListedPart).number)) {
    throw new S3Error("InvalidPartOrder", "parts are listed in the order of their numbers, each once");
  }
  return parts;
}

function checksumOfPart(part: z.infer<typeof partSchema>): Checksum | undefined {
  for (const algorithm of checksumAlgorithms) {
    const value = part[checksumName(algorithm)];
    if (value !== undefined) return { algorithm, value: value.trim() };
  }
  return undefined;
}

function checksumName(algorithm: (typeof checksumAlgorithms)[number]) {
  return `Checksum${algorithm.toUpperCase() as "CRC32" | "CRC32C" | "CRC64NVME" | "SHA1" | "SHA256"}` as const;
}
