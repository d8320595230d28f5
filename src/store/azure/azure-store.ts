/**
 * The store in a container of Azure Blob Storage. It turns the port's calls into requests and the answers into the
 * port's results. Every blob is a block blob. ETags are unique there. Conditions hold for removals too.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../base/errors.ts";
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
import { type ExchangeAnswer, header } from "../http/exchange.ts";
import { readTag } from "../http/wire-headers.ts";
import { tryOut } from "../probe-steps.ts";
import { AzureClient } from "./azure-client.ts";
import { failureError, isBlobMissing, isConflict, readFailure } from "./azure-errors.ts";
import { azureHeaders } from "./azure-headers.ts";
import { AzureListing } from "./azure-listing.ts";
import { blobName, prefixFits } from "./azure-names.ts";
import type { AzureLocation } from "./azure-target.ts";
import { AzureUploads } from "./azure-uploads.ts";

export interface AzureStoreSettings extends AzureLocation {
  /** Comes before every name, as it is. */
  readonly prefix: string;
  /** The most connections for reads, and the most for writes. Further requests wait for one. */
  readonly connections: number;
}

/** A tag that no blob has, in the form of Azure's tags. */
const foreignTag = "0x8D0000000000000";

export class AzureStore implements BlobStore {
  readonly description: string;
  readonly #container: string;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #client: AzureClient;
  readonly #listing: AzureListing;
  readonly #uploads: AzureUploads;

  /** @throws OperatingError `store_refused` when the prefix leaves no room for names. */
  constructor(settings: AzureStoreSettings, ports: StorePorts) {
    this.description = `azure://${settings.container}/${settings.prefix}`;
    if (!prefixFits(settings.prefix)) {
      throw new OperatingError(
        "store_refused",
        `the prefix of ${this.description} leaves no room for long names, or has characters that Azure can't hold: use a short plain one`,
      );
    }
    const { container, prefix } = settings;
    const { clock, random } = ports;
    this.#container = container;
    this.#prefix = prefix;
    this.#random = random;
    this.#client = new AzureClient(settings, settings.connections, clock, ports.complaints);
    this.#listing = new AzureListing(this.#client, clock, container, prefix);
    this.#uploads = new AzureUploads({
      client: this.#client,
      listing: this.#listing,
      clock,
      random,
      container,
      prefix,
    });
  }

  /** Any name fits: a name that is too long for Azure lies aside. */
  fits(): boolean {
    return true;
  }

  async read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    const blob = blobName(this.#prefix, name);
    const answer = await this.#client.send({ method: "GET", blob, permission: "r", maxBodyBytes: maxBytes }, options);
    if (answer.status === 200) {
      const { body } = answer;
      if (body === undefined) return { kind: "too_large", info: azureHeaders.infoOf(answer) };
      return { kind: "found", blob: { ...azureHeaders.infoOf(answer, body.length), body } };
    }
    const failure = readFailure(answer);
    if (isBlobMissing(failure)) return { kind: "missing" };
    throw failureError(failure, `GET ${blob}`, this.#container);
  }

  async stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    const blob = blobName(this.#prefix, name);
    const answer = await this.#client.send({ method: "HEAD", blob, permission: "r" }, options);
    if (answer.status === 200) return azureHeaders.infoOf(answer);
    const failure = readFailure(answer);
    if (isBlobMissing(failure)) return undefined;
    throw failureError(failure, `HEAD ${blob}`, this.#container);
  }

  async write(
    name: string,
    content: BlobContent,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<WriteResult> {
    const { answer, blob } = await this.#put(name, content, condition, options);
    if (answer.status === 201) return { kind: "written", tag: readTag(answer) };
    return this.#conflictOrThrow(answer, condition, `PUT ${blob}`);
  }

  async remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    const { answer, blob } = await this.#delete(name, condition, options);
    if (answer.status === 202) return { kind: "written", tag: "" };
    if (condition.kind === "always" && isBlobMissing(readFailure(answer))) return { kind: "written", tag: "" };
    return this.#conflictOrThrow(answer, condition, `DELETE ${blob}`);
  }

  async list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    return await this.#listing.list(query, options);
  }

  async beginUpload(name: string, _content: UploadContent, options: RequestOptions): Promise<OpenUpload> {
    const id = await this.#uploads.begin(name, options);
    return { id, sendPart: (part, limits) => this.#uploads.sendPart(name, id, part, limits) };
  }

  async beginParted(name: string, _content: UploadContent, options: RequestOptions): Promise<string> {
    return await this.#uploads.begin(name, options);
  }

  async sendPart(name: string, _id: string, part: PartContent, options: RequestOptions): Promise<string> {
    return await this.#uploads.sendLoosePart(name, part, options);
  }

  /** The account has all it needs. */
  async assembleUpload(_name: string, _id: string, parts: readonly UploadedPart[]): Promise<AssembleResult> {
    return { kind: "assembled", parts: parts.map(({ tag }) => tag).filter((tag) => tag !== "") };
  }

  async completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    return await this.#uploads.complete(name, upload, conditionHeaders(condition), options);
  }

  async abortUpload(_name: string, id: string, options: RequestOptions): Promise<void> {
    await this.#uploads.abort(id, options);
  }

  async listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    return await this.#uploads.list(options);
  }

  async openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    return await this.#uploads.open(name, tag, span, options);
  }

  async probe(options: RequestOptions): Promise<StoreAbilities> {
    await this.#client.greet(options);
    const name = `.weir/probe/${this.#random.id()}`;
    const findings = await tryOut(this, name, options, foreignTag);
    const notes = await this.#tryNames(name, options);
    const conditionalWrites = findings.absentHonoured && findings.unchangedHonoured;
    if (!conditionalWrites) notes.push("The store ignores conditions on writes: only a cluster of one node is safe.");
    const conditionalRemoves = findings.removesHonoured;
    return { conditionalWrites, conditionalRemoves, conditionalCompletions: conditionalWrites, notes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  /**
   * Tries whether a blob can lie beside others whose names run through its own. It cannot if the account has folders.
   * The answers also tell whether the account keeps blobs that are replaced or removed.
   */
  async #tryNames(name: string, options: RequestOptions): Promise<string[]> {
    const content = { body: Buffer.from(name), headers: {} };
    const names = [name, `${name}/`, `${name}//x`, `${name}/x`];
    const notes: string[] = [];
    for (const [index, each] of names.entries()) {
      const body = Buffer.from(`${name} ${index}`);
      const { answer, blob } = await this.#put(each, { ...content, body }, { kind: "absent" }, options);
      if (answer.status !== 201) {
        const failure = readFailure(answer);
        if (failure.status !== 409 && failure.status !== 400)
          throw failureError(failure, `PUT ${blob}`, this.#container);
        throw this.#hasFolders(`${failure.code} for ${blob}`);
      }
      if (index === 0 && header(answer, "x-ms-version-id") !== undefined) {
        notes.push("The account keeps versions of blobs: old ones pile up until a lifecycle rule removes them.");
      }
    }
    for (const [index, each] of names.entries()) {
      const result = await this.read(each, 1_024, options);
      const isRight = result.kind === "found" && result.blob.body.toString() === `${name} ${index}`;
      if (!isRight) throw this.#hasFolders(`${each} is not what was written there`);
    }
    for (const [index, each] of names.entries()) {
      const { answer, blob } = await this.#delete(each, { kind: "always" }, options);
      if (answer.status !== 202) throw failureError(readFailure(answer), `DELETE ${blob}`, this.#container);
      if (index === 0 && header(answer, "x-ms-delete-type-permanent") === "false") {
        notes.push(
          "The account keeps removed blobs for a while (soft delete), and what is overwritten too; they cost as much as others.",
        );
      }
    }
    return notes;
  }

  #hasFolders(finding: string): OperatingError {
    return new OperatingError(
      "store_refused",
      `${this.description} treats slashes in names as folders (${finding}), so it can't hold every key; ` +
        "use a storage account without hierarchical namespace",
    );
  }

  async #put(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions) {
    const blob = blobName(this.#prefix, name);
    const { content: contentHeaders, metadata } = azureHeaders.toWire(content);
    const headers = {
      "x-ms-blob-type": "BlockBlob",
      // The MD5 is sent along, so the store cannot keep a body that was torn on its way.
      "content-md5": hash("md5", content.body, "base64"),
      ...contentHeaders,
      ...metadata,
      ...conditionHeaders(condition),
    };
    const answer = await this.#client.send(
      { method: "PUT", blob, permission: "w", headers, body: content.body },
      options,
    );
    return { answer, blob };
  }

  async #delete(name: string, condition: WriteCondition, options: RequestOptions) {
    const blob = blobName(this.#prefix, name);
    const headers = conditionHeaders(condition);
    return { answer: await this.#client.send({ method: "DELETE", blob, permission: "d", headers }, options), blob };
  }

  #conflictOrThrow(answer: ExchangeAnswer, condition: WriteCondition, what: string): WriteResult {
    const failure = readFailure(answer);
    if (condition.kind !== "always" && isConflict(failure)) return { kind: "conflict" };
    throw failureError(failure, what, this.#container);
  }
}

function conditionHeaders(condition: WriteCondition): Record<string, string> {
  if (condition.kind === "absent") return { "if-none-match": "*" };
  return condition.kind === "always" ? {} : { "if-match": `"${condition.tag}"` };
}
