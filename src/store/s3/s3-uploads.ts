/**
 * S3's multipart uploads and reads of parts of objects, as requests and answers. The ETag of an object from such an
 * upload is a hash of its parts' hashes and tells how many parts there were.
 */

import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { md5InTurns } from "../../base/hash-in-turns.ts";
import type { UploadedPart } from "../../core/operation.ts";
import type {
  CompletedUpload,
  CompleteResult,
  OpenResult,
  PartContent,
  ReadSpan,
  RequestOptions,
  UploadContent,
  UploadInfo,
  WriteResult,
} from "../blob-store.ts";
import { BoundedStream } from "../http/bounded-stream.ts";
import { type ExchangeAnswer, header } from "../http/exchange.ts";
import { readTag } from "../http/wire-headers.ts";
import { elementIn } from "../http/xml.ts";
import type { S3Client } from "./s3-client.ts";
import { failureError, isObjectMissing, isStored, isUploadMissing, readFailure } from "./s3-errors.ts";
import { s3Headers } from "./s3-headers.ts";

/** Bytes of an answer that names an upload, completes one, or lists a thousand of the longest names. */
const maxDocumentBytes = 16 * 1024 * 1024;

/** Codes that say that an upload is there, but not with these parts. */
const incompleteCodes = new Set(["InvalidPart", "InvalidPartOrder", "EntityTooSmall"]);

export class S3Uploads {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #clock: Clock;

  constructor(client: S3Client, bucket: string, clock: Clock) {
    this.#client = client;
    this.#bucket = bucket;
    this.#clock = clock;
  }

  async begin(key: string, { headers, token }: UploadContent, options: RequestOptions): Promise<string> {
    const { content, metadata } = s3Headers.toWire({ headers, upload: token });
    const answer = await this.#client.send(
      {
        method: "POST",
        key,
        query: [["uploads", ""]],
        headers: content,
        signedHeaders: metadata,
        maxBodyBytes: maxDocumentBytes,
      },
      options,
    );
    const id = answer.status === 200 ? elementIn(textOf(answer), "UploadId") : undefined;
    if (id !== undefined && id !== "") return id;
    throw failureError(readFailure(answer), `beginning an upload of ${key}`, this.#bucket);
  }

  async sendPart(key: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    const { number, body } = part;
    const md5 = part.md5 ?? (await md5InTurns(body, this.#clock));
    const answer = await this.#client.send(
      {
        method: "PUT",
        key,
        query: [
          ["partNumber", String(number)],
          ["uploadId", id],
        ],
        // The MD5 is sent along, so the store cannot keep a part that was torn on its way.
        signedHeaders: { "content-md5": md5 },
        body,
      },
      options,
    );
    if (isStored(answer)) return readTag(answer);
    throw failureError(readFailure(answer), `part ${number} of ${key}`, this.#bucket);
  }

  async complete(
    key: string,
    upload: CompletedUpload,
    conditions: Readonly<Record<string, string>>,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    const { id, parts } = upload;
    const items = parts.map((text, index) => {
      const { number, tag } = readPart(text, index);
      return `<Part><PartNumber>${number}</PartNumber><ETag>"${tag}"</ETag></Part>`;
    });
    const text = `<CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`;
    const answer = await this.#client.send(
      {
        method: "POST",
        key,
        query: [["uploadId", id]],
        headers: { "content-type": "application/xml" },
        signedHeaders: conditions,
        body: Buffer.from(text),
        maxBodyBytes: maxDocumentBytes,
      },
      options,
    );
    // A completion takes long. So AWS may begin its answer with 200 and say later that it failed.
    const failure = readFailure(answer);
    if (answer.status === 200 && failure.code === "") return await this.#completed(key, upload, answer, options);
    if (failure.code === "NoSuchUpload") return { kind: "gone" };
    if (incompleteCodes.has(failure.code)) return { kind: "incomplete" };
    const conflicts = failure.status === 412 || failure.status === 409 || isObjectMissing(failure);
    if (Object.keys(conditions).length > 0 && conflicts) return conflict;
    const status = answer.status === 200 ? 500 : answer.status;
    // Ceph answers 500 for an upload that is gone too. For any other upload, a 500 does not tell how far the completion
    // came.
    if (status === 500 && !(await this.#exists(key, id, options))) return { kind: "gone", isUnsure: true };
    throw failureError({ ...failure, status }, `completing the upload of ${key}`, this.#bucket);
  }

  /**
   * Ceph leaves the tag out of its answer. Then the object's own tag is taken, unless another write has replaced the
   * object.
   */
  async #completed(
    key: string,
    { token }: CompletedUpload,
    answer: ExchangeAnswer,
    { deadlineMs }: RequestOptions,
  ): Promise<WriteResult> {
    const tag = elementIn(textOf(answer), "ETag")?.replace(/^"(.*)"$/, "$1") ?? "";
    if (tag !== "") return { kind: "written", tag };
    const found = await this.#client.send({ method: "HEAD", key }, { deadlineMs });
    if (found.status === 404) return conflict;
    if (found.status !== 200) throw failureError(readFailure(found), `HEAD ${key}`, this.#bucket);
    return s3Headers.fromWire(found.headers).upload === token ? { kind: "written", tag: readTag(found) } : conflict;
  }

  async #exists(key: string, id: string, { deadlineMs }: RequestOptions): Promise<boolean> {
    const query = [
      ["uploadId", id],
      ["max-parts", "1"],
    ] as const;
    const answer = await this.#client.send(
      { method: "GET", key, query, maxBodyBytes: maxDocumentBytes },
      { deadlineMs },
    );
    return !isUploadMissing(readFailure(answer));
  }

  async abort(key: string, id: string, options: RequestOptions): Promise<void> {
    const answer = await this.#client.send({ method: "DELETE", key, query: [["uploadId", id]] }, options);
    if (answer.status === 204 || answer.status === 200) return;
    const failure = readFailure(answer);
    if (isUploadMissing(failure)) return;
    throw failureError(failure, `aborting an upload of ${key}`, this.#bucket);
  }

  /** Lists the uploads of all keys with the prefix. Their names are what comes after it. */
  async list(prefix: string, options: RequestOptions): Promise<UploadInfo[]> {
    const found: UploadInfo[] = [];
    let after: readonly (readonly [string, string])[] = [];
    for (;;) {
      const query = [["uploads", ""], ["prefix", prefix], ...after] as [string, string][];
      const answer = await this.#client.send(
        { method: "GET", key: undefined, query, maxBodyBytes: maxDocumentBytes },
        options,
      );
      if (answer.status !== 200) throw failureError(readFailure(answer), "listing the bucket's uploads", this.#bucket);
      const text = textOf(answer);
      for (const [, each] of text.matchAll(/<Upload>(.*?)<\/Upload>/gs)) {
        const key = elementIn(each as string, "Key") ?? "";
        const startedMs = Date.parse(elementIn(each as string, "Initiated") ?? "");
        const id = elementIn(each as string, "UploadId") ?? "";
        if (!key.startsWith(prefix) || id === "" || Number.isNaN(startedMs)) continue;
        found.push({ name: key.slice(prefix.length), id, startedMs });
      }
      if (elementIn(text, "IsTruncated") !== "true") return found;
      const next = [
        ["key-marker", elementIn(text, "NextKeyMarker") ?? ""],
        ["upload-id-marker", elementIn(text, "NextUploadIdMarker") ?? ""],
      ] as const;
      if (String(next) === String(after) || next[0][1] === "") {
        throw new OperatingError("store_unavailable", "the store's list of uploads does not say how it goes on");
      }
      after = next;
    }
  }

  async open(key: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    const { start, end } = span;
    const headers = { range: `bytes=${start}-${end - 1}` };
    const answer = await this.#client.stream({ method: "GET", key, headers }, options);
    const { stream } = answer;
    if (stream === undefined) {
      const failure = readFailure(answer);
      const isChanged = failure.status === 416 || isObjectMissing(failure);
      if (isChanged) return { kind: "changed" };
      throw failureError(failure, `GET ${key}`, this.#bucket);
    }
    // The answer is checked: not every server honours a range. No `If-Match` is sent: some never match one in quotes.
    const isPart = answer.status === 206 && header(answer, "content-range")?.startsWith(`bytes ${start}-${end - 1}/`);
    // A stream that nobody reads would keep its connection for ever. So every other way out of here disposes of it.
    await using stack = new AsyncDisposableStack();
    stack.use(stream);
    if (readTag(answer) !== tag || !(isPart === true || answer.status === 200)) return { kind: "changed" };
    stack.move();
    return { kind: "found", stream: new BoundedStream(stream, isPart === true ? 0 : start, end - start) };
  }
}

/**
 * A part as {@link CompletedUpload} has it: its tag, and before it its number where its place does not tell that.
 *
 * @param index The part's place in the list.
 */
export function formatPart({ number, tag }: Pick<UploadedPart, "number" | "tag">, index: number): string {
  return number === index + 1 && !numbered.test(tag) ? tag : `${number}/${tag}`;
}

function readPart(text: string, index: number): { readonly number: number; readonly tag: string } {
  const found = numbered.exec(text);
  return found ? { number: Number(found[1]), tag: text.slice(found[0].length) } : { number: index + 1, tag: text };
}

const numbered = /^(\d+)\//;

const conflict: WriteResult = { kind: "conflict" };

function textOf(answer: ExchangeAnswer): string {
  return answer.body?.toString() ?? "";
}
