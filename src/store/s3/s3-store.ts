/**
 * The store in a bucket of S3, or of a server with its protocol. It turns the port's calls into requests and the
 * answers into the port's results. Servers differ in how they treat conditions. The probe finds out which form this
 * server honours.
 */

import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { ListQuery } from "../../core/listing.ts";
import type { UploadedPart } from "../../core/operation.ts";
import type {
  AssembleResult,
  BlobContent,
  BlobInfo,
  BlobStore,
  CompletedUpload,
  CompleteResult,
  ListPage,
  OpenResult,
  OpenUpload,
  PartContent,
  ReadResult,
  ReadSpan,
  RequestOptions,
  StoreAbilities,
  StorePorts,
  UploadContent,
  UploadInfo,
  WriteCondition,
  WriteResult,
} from "../blob-store.ts";
import type { ExchangeAnswer } from "../http/exchange.ts";
import { readTag } from "../http/wire-headers.ts";
import { type Findings, tryCompletions, tryOut } from "../probe-steps.ts";
import { S3Client } from "./s3-client.ts";
import { failureError, isObjectMissing, isStored, readFailure } from "./s3-errors.ts";
import { s3Headers } from "./s3-headers.ts";
import { listParameters, maxListBytes, parseList } from "./s3-listing.ts";
import { nameOfKey, storableName } from "./s3-names.ts";
import { type OddKind, refusedKinds } from "./s3-odd-names.ts";
import type { S3Location } from "./s3-target.ts";
import { formatPart, S3Uploads } from "./s3-uploads.ts";

export interface S3StoreSettings extends S3Location {
  /** Comes before every name, as it is. */
  readonly prefix: string;
  /** The most connections for reads, and the most for writes. Further requests wait for one. */
  readonly connections: number;
}

/** S3's limit on the UTF-8 of a key. */
const maxKeyBytes = 1_024;

/** More bytes than a bucket's answers about itself have. */
const maxDocumentBytes = 65_536;

export class S3Store implements BlobStore {
  readonly description: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #client: S3Client;
  readonly #uploads: S3Uploads;
  /** Whether `If-Match` takes the tag in quotes, as RFC 9110 and AWS say. Some servers never match a quoted tag. */
  #quotesTags = true;
  /** Kinds of names that this server refuses. */
  #refusedKinds: readonly OddKind[] = [];

  constructor(settings: S3StoreSettings, ports: StorePorts) {
    this.description = `s3://${settings.bucket}/${settings.prefix}`;
    this.#bucket = settings.bucket;
    this.#prefix = settings.prefix;
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#client = new S3Client(settings, settings.connections, ports.clock, ports.complaints);
    this.#uploads = new S3Uploads(this.#client, settings.bucket, ports.clock);
  }

  fits(name: string): boolean {
    const key = this.#prefix + storableName(name);
    return isKeyLength(key) && !this.#refusedKinds.some((kind) => kind.isOf(key));
  }

  async read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    const key = this.#key(name);
    const answer = await this.#client.send({ method: "GET", key, maxBodyBytes: maxBytes }, options);
    if (answer.status === 200) {
      const { body } = answer;
      if (body === undefined) return { kind: "too_large", info: s3Headers.infoOf(answer) };
      return { kind: "found", blob: { ...s3Headers.infoOf(answer, body.length), body } };
    }
    const failure = readFailure(answer);
    if (isObjectMissing(failure)) return { kind: "missing" };
    throw failureError(failure, `GET ${key}`, this.#bucket);
  }

  async stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    const key = this.#key(name);
    const called = this.#clock.now();
    const answer = await this.#client.send({ method: "HEAD", key }, options);
    if (answer.status === 200) return s3Headers.infoOf(answer);
    if (answer.status !== 404) throw failureError(readFailure(answer), `HEAD ${key}`, this.#bucket);
    // The answer has no body. It cannot tell a missing object from a missing bucket or from a proxy that does not find
    // the store.
    const found = await this.read(name, 0, { deadlineMs: options.deadlineMs - (this.#clock.now() - called) });
    return found.kind === "missing" ? undefined : found.kind === "found" ? found.blob : found.info;
  }

  async write(
    name: string,
    content: BlobContent,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<WriteResult> {
    const key = this.#key(name);
    const { content: headers, metadata } = s3Headers.toWire(content);
    // The MD5 is sent along, so the store cannot keep a body that was torn on its way.
    const md5 = { "content-md5": hash("md5", content.body, "base64") };
    const signedHeaders = { ...metadata, ...this.#conditionHeaders(condition), ...md5 };
    const answer = await this.#client.send({ method: "PUT", key, headers, signedHeaders, body: content.body }, options);
    if (isStored(answer)) return { kind: "written", tag: readTag(answer) };
    return this.#conflictOrThrow(answer, condition, `PUT ${key}`);
  }

  async remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    const key = this.#key(name);
    const signedHeaders = this.#conditionHeaders(condition);
    const answer = await this.#client.send({ method: "DELETE", key, signedHeaders }, options);
    if (answer.status === 204 || answer.status === 200) return { kind: "written", tag: "" };
    if (condition.kind === "always" && isObjectMissing(readFailure(answer))) return { kind: "written", tag: "" };
    return this.#conflictOrThrow(answer, condition, `DELETE ${key}`);
  }

  async list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    const deadline = this.#clock.now() + options.deadlineMs;
    for (let token: string | undefined; ; ) {
      const answer = await this.#client.send(
        {
          method: "GET",
          key: undefined,
          query: listParameters(this.#prefix, query, token),
          maxBodyBytes: maxListBytes,
        },
        { ...options, deadlineMs: deadline - this.#clock.now() },
      );
      if (answer.status !== 200) throw failureError(readFailure(answer), "listing the objects", this.#bucket);
      const { page, nextToken } = parseList(this.#prefix, query, answer.body);
      if (nextToken === undefined || page.next !== undefined) return page;
      // Nothing on this page was for the caller, and there is more.
      token = nextToken;
    }
  }

  async beginUpload(name: string, content: UploadContent, options: RequestOptions): Promise<OpenUpload> {
    const key = this.#key(name);
    const id = await this.#uploads.begin(key, content, options);
    const sendPart = async (part: PartContent, limits: RequestOptions): Promise<string> => {
      const { number } = part;
      return formatPart({ number, tag: await this.#uploads.sendPart(key, id, part, limits) }, number - 1);
    };
    return { id, sendPart };
  }

  async beginParted(name: string, content: UploadContent, options: RequestOptions): Promise<string> {
    return await this.#uploads.begin(this.#key(name), content, options);
  }

  async sendPart(name: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    return await this.#uploads.sendPart(this.#key(name), id, part, options);
  }

  /** The server has all it needs. */
  async assembleUpload(_name: string, _id: string, parts: readonly UploadedPart[]): Promise<AssembleResult> {
    return { kind: "assembled", parts: parts.map(formatPart) };
  }

  async completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    return await this.#uploads.complete(this.#key(name), upload, this.#conditionHeaders(condition), options);
  }

  async abortUpload(name: string, id: string, options: RequestOptions): Promise<void> {
    await this.#uploads.abort(this.#key(name), id, options);
  }

  async listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    const found = await this.#uploads.list(this.#prefix, options);
    return found.flatMap((each) => {
      const name = nameOfKey(each.name);
      // A value has a name: one that is the prefix alone is another's.
      return name === undefined || name === "" ? [] : [{ ...each, name }];
    });
  }

  async openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    return await this.#uploads.open(this.#key(name), tag, span, options);
  }

  async probe(options: RequestOptions): Promise<StoreAbilities> {
    const greeting = await this.#client.greet(options);
    // The greeting has no rights, so a refusal says nothing. A 301 says that the bucket is elsewhere.
    if (greeting.status === 301) throw failureError(readFailure(greeting), "HEAD", this.#bucket);
    const notes: string[] = [];
    const findings = await this.#findForm(options);
    if (!this.#quotesTags) notes.push("The store wants If-Match without quotes.");
    const conditionalWrites = findings.absentHonoured && findings.unchangedHonoured;
    if (!conditionalWrites) notes.push("The store ignores conditions on writes: only a cluster of one node is safe.");
    if (!findings.removesHonoured) notes.push("The store ignores conditions on removals; weir does without.");
    await this.#tryOddNames(options, notes);
    const versioning = await this.#versioning(options, notes);
    if (versioning !== undefined && !conditionalWrites) {
      throw new OperatingError(
        "store_refused",
        `the bucket ${this.#bucket} has versioning ${versioning}, and this server ignores conditions on writes there; ` +
          "use a bucket without versioning",
      );
    }
    if (versioning === "enabled") {
      notes.push("The bucket has versioning enabled: old versions pile up until a lifecycle rule removes them.");
    }
    const conditionalCompletions = conditionalWrites && (await this.#tryCompletions(options, notes));
    return { conditionalWrites, conditionalRemoves: findings.removesHonoured, conditionalCompletions, notes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #findForm(options: RequestOptions): Promise<Findings> {
    const name = `.weir/probe/${this.#random.id()}`;
    const quoted = await tryOut(this, name, options);
    if (quoted.unchangedHonoured) return quoted;
    this.#quotesTags = false;
    const unquoted = await tryOut(this, name, options);
    if (!unquoted.unchangedHonoured) this.#quotesTags = true;
    return unquoted;
  }

  async #tryOddNames(options: RequestOptions, notes: string[]): Promise<void> {
    const folder = `.weir/probe/${this.#random.id()}`;
    this.#refusedKinds = await refusedKinds(this, folder, this.#prefix, options);
    if (this.#refusedKinds.length === 0) return;
    const kinds = this.#refusedKinds.map(({ what }) => what).join("; ");
    notes.push(`The store refuses some names, so writes of such keys are refused: those with ${kinds}.`);
  }

  /** Without the rights of an upload, a node can do all but write large values. */
  async #tryCompletions(options: RequestOptions, notes: string[]): Promise<boolean> {
    try {
      const honoured = await tryCompletions(this, `.weir/probe/${this.#random.id()}`, options);
      if (!honoured) notes.push("The store ignores conditions where an upload is completed; weir does without.");
      return honoured;
    } catch (error) {
      if (!isOperatingError(error, "store_refused")) throw error;
      notes.push(`The store refuses uploads, so no value over buffer.maxValueBytes can be written: ${error.message}.`);
      return false;
    }
  }

  /** `enabled`, `suspended`, or undefined if the bucket never had versions or does not say. */
  async #versioning(options: RequestOptions, notes: string[]): Promise<string | undefined> {
    const answer = await this.#client.send(
      { method: "GET", key: undefined, query: [["versioning", ""]], maxBodyBytes: maxDocumentBytes },
      options,
    );
    if (answer.status === 200) {
      return /<Status>(\w+)<\/Status>/.exec(answer.body?.toString() ?? "")?.[1]?.toLowerCase();
    }
    const failure = readFailure(answer);
    const error = failureError(failure, "reading the bucket's versioning", this.#bucket);
    // A server without versioning may say so in any way.
    const isUnknown = failure.status === 501 || (failure.status === 404 && failure.code === "");
    // weir does not need the right to read it.
    if (!isUnknown && !isOperatingError(error, "store_refused")) throw error;
    notes.push(`Whether the bucket keeps old versions is not known: ${error.message}.`);
    return undefined;
  }

  #key(name: string): string {
    const key = this.#prefix + storableName(name);
    if (!isKeyLength(key)) {
      throw new OperatingError(
        "store_refused",
        `S3 takes keys of at most ${maxKeyBytes} bytes, prefix included: ${key}`,
      );
    }
    return key;
  }

  #conditionHeaders(condition: WriteCondition): Record<string, string> {
    if (condition.kind === "absent") return { "if-none-match": "*" };
    if (condition.kind === "always") return {};
    return { "if-match": this.#quotesTags ? `"${condition.tag}"` : condition.tag };
  }

  #conflictOrThrow(answer: ExchangeAnswer, condition: WriteCondition, what: string): WriteResult {
    const failure = readFailure(answer);
    if (condition.kind !== "always") {
      // AWS answers 409 when it cannot tell who won, and 404 to If-Match when there is no object.
      if (failure.status === 412 || failure.status === 409 || isObjectMissing(failure)) return { kind: "conflict" };
    }
    throw failureError(failure, what, this.#bucket);
  }
}

function isKeyLength(key: string): boolean {
  return key.length * 3 <= maxKeyBytes || Buffer.byteLength(key) <= maxKeyBytes;
}
