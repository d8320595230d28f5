/**
 * Uploads in blocks, and reads of parts of blobs. Blocks wait at the blob itself, and nobody sees them. A list of their
 * ids turns them into the blob. The ids name the part, and the upload or this very sending of the part. Azure drops
 * blocks after a week. It also drops them when another write replaces the blob: that upload is then gone.
 *
 * Azure has no uploads, so each upload is a small blob of weir's own. It exists from the upload's beginning to its end.
 * An upload without it is not completed any more.
 */

import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { md5InTurns } from "../../base/hash-in-turns.ts";
import type { Random } from "../../base/random.ts";
import type {
  CompletedUpload,
  CompleteResult,
  OpenResult,
  PartContent,
  ReadSpan,
  RequestOptions,
  UploadInfo,
} from "../blob-store.ts";
import { beforeSending } from "../deadline.ts";
import { BoundedStream } from "../http/bounded-stream.ts";
import { header } from "../http/exchange.ts";
import { readTag } from "../http/wire-headers.ts";
import type { AzureClient } from "./azure-client.ts";
import { failureError, isBlobMissing, isConflict, readFailure } from "./azure-errors.ts";
import { azureHeaders } from "./azure-headers.ts";
import type { AzureListing } from "./azure-listing.ts";
import { blobName, uploadFolder } from "./azure-names.ts";

/** Metadata of an upload's own blob: the name of the blob to be made, percent-encoded. */
const nameKey = "weir_name";

/** Digits of a part's number in its block's id. All ids of a blob must have the same length. */
const numberDigits = 5;

/** Codes that say that an upload is there, but not with these blocks: they are gone, or were never there. */
const incompleteCodes = new Set(["InvalidBlockList", "InvalidBlockId", "InvalidBlobOrBlock"]);

export class AzureUploads {
  readonly #client: AzureClient;
  readonly #listing: AzureListing;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #container: string;
  readonly #prefix: string;

  constructor(options: {
    readonly client: AzureClient;
    readonly listing: AzureListing;
    readonly clock: Clock;
    readonly random: Random;
    readonly container: string;
    readonly prefix: string;
  }) {
    this.#client = options.client;
    this.#listing = options.listing;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#container = options.container;
    this.#prefix = options.prefix;
  }

  async begin(name: string, options: RequestOptions): Promise<string> {
    const id = this.#random.id();
    const blob = this.#ownBlob(id);
    const headers = {
      "x-ms-blob-type": "BlockBlob",
      [`x-ms-meta-${nameKey}`]: encodeURIComponent(name),
      "if-none-match": "*",
    };
    const body = Buffer.alloc(0);
    const answer = await this.#client.send({ method: "PUT", blob, permission: "w", headers, body }, options);
    if (answer.status !== 201) throw failureError(readFailure(answer), `PUT ${blob}`, this.#container);
    return id;
  }

  /** A part that is sent again replaces the one before. */
  async sendPart(name: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    return await this.#sendBlock(name, `${id}.${digitsOf(part)}`, part, options);
  }

  /**
   * A part that is sent again is another block. Any random id has the length of an upload's. Azure takes no empty
   * block: an empty part has no id.
   */
  async sendLoosePart(name: string, part: PartContent, options: RequestOptions): Promise<string> {
    if (part.body.length === 0) return "";
    return await this.#sendBlock(name, `${digitsOf(part)}.${this.#random.id()}`, part, options);
  }

  async #sendBlock(name: string, blockId: string, part: PartContent, options: RequestOptions): Promise<string> {
    const { number, body } = part;
    const md5 = part.md5 ?? (await md5InTurns(body, this.#clock));
    const blob = blobName(this.#prefix, name);
    const block = Buffer.from(blockId).toString("base64");
    const answer = await this.#client.send(
      {
        method: "PUT",
        blob,
        permission: "w",
        query: `comp=block&blockid=${encodeURIComponent(block)}`,
        // The MD5 is sent along, so the store cannot keep a part that was torn on its way.
        headers: { "content-md5": md5 },
        body,
      },
      options,
    );
    if (answer.status === 201) return block;
    throw failureError(readFailure(answer), `part ${number} of ${blob}`, this.#container);
  }

  async complete(
    name: string,
    upload: CompletedUpload,
    conditions: Readonly<Record<string, string>>,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    const { deadlineMs } = options;
    const called = this.#clock.now();
    const own = await beforeSending(
      this.#client.send({ method: "HEAD", blob: this.#ownBlob(upload.id), permission: "r" }, { deadlineMs }),
    );
    if (own.status !== 200) {
      const failure = readFailure(own);
      if (isBlobMissing(failure)) return { kind: "gone" };
      throw failureError(failure, `looking for the upload ${upload.id}`, this.#container);
    }
    const blob = blobName(this.#prefix, name);
    const { content, metadata } = azureHeaders.toWire({ headers: upload.headers, upload: upload.token });
    // Not `Latest`: that would complete an upload that has been completed before.
    const ids = upload.parts.map((block) => `<Uncommitted>${block}</Uncommitted>`).join("");
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${ids}</BlockList>`);
    const headers = { "content-md5": hash("md5", body, "base64"), ...content, ...metadata, ...conditions };
    const answer = await this.#client.send(
      { method: "PUT", blob, permission: "w", query: "comp=blocklist", headers, body },
      { ...options, deadlineMs: deadlineMs - (this.#clock.now() - called) },
    );
    if (answer.status === 201) {
      await this.#forget(upload.id, deadlineMs);
      return { kind: "written", tag: readTag(answer) };
    }
    const failure = readFailure(answer);
    if (incompleteCodes.has(failure.code)) return { kind: "incomplete" };
    if (Object.keys(conditions).length > 0 && isConflict(failure)) return { kind: "conflict" };
    throw failureError(failure, `completing the upload of ${blob}`, this.#container);
  }

  /**
   * Called after the completion. If it fails, the upload stays listed until it is aborted, which then changes nothing.
   */
  async #forget(id: string, deadlineMs: number): Promise<void> {
    try {
      await this.abort(id, { deadlineMs });
    } catch {
      // The completion stands.
    }
  }

  /** Azure drops the upload's blocks within a week. Only a newer blob removes them sooner. */
  async abort(id: string, options: RequestOptions): Promise<void> {
    const blob = this.#ownBlob(id);
    const answer = await this.#client.send({ method: "DELETE", blob, permission: "d" }, options);
    if (answer.status === 202) return;
    const failure = readFailure(answer);
    if (!isBlobMissing(failure)) throw failureError(failure, `DELETE ${blob}`, this.#container);
  }

  /** Blobs that others have put among the uploads are none. */
  async list(options: RequestOptions): Promise<UploadInfo[]> {
    const found = await this.#listing.all(uploadFolder, options);
    return found.flatMap(({ blob, metadata, modifiedMs }) => {
      const name = decodeName(metadata[nameKey] ?? "");
      const id = blob.slice(this.#prefix.length + uploadFolder.length);
      return name === "" ? [] : [{ name, id, startedMs: modifiedMs }];
    });
  }

  async open(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    const { start, end } = span;
    const blob = blobName(this.#prefix, name);
    const headers = { "x-ms-range": `bytes=${start}-${end - 1}`, "if-match": `"${tag}"` };
    const answer = await this.#client.stream({ method: "GET", blob, permission: "r", headers }, options);
    const { stream } = answer;
    if (stream === undefined) {
      const failure = readFailure(answer);
      const isChanged = isConflict(failure) || isBlobMissing(failure) || failure.status === 416;
      if (isChanged) return { kind: "changed" };
      throw failureError(failure, `GET ${blob}`, this.#container);
    }
    const isPart = answer.status === 206 && header(answer, "content-range")?.startsWith(`bytes ${start}-${end - 1}/`);
    // A stream that nobody reads would keep its connection for ever. So every other way out of here disposes of it.
    await using stack = new AsyncDisposableStack();
    stack.use(stream);
    if (readTag(answer) !== tag || isPart !== true) return { kind: "changed" };
    stack.move();
    return { kind: "found", stream: new BoundedStream(stream, 0, end - start) };
  }

  #ownBlob(id: string): string {
    return this.#prefix + uploadFolder + id;
  }
}

function digitsOf({ number }: PartContent): string {
  return String(number).padStart(numberDigits, "0");
}

/** Empty for a text that {@link AzureUploads.begin} has not written. */
function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
