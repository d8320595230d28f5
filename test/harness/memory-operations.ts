/**
 * Operations over a Map, for the tests of what HTTP makes of them: immediate, with conditions judged as the protocol
 * says, and with ways to make them fail or wait.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../src/base/errors.ts";
import { compareText } from "../../src/base/text-order.ts";
import type { ContentHeaders, ValueInfo } from "../../src/core/entry.ts";
import { reservedPrefix } from "../../src/core/keys.ts";
import { entryOf, isCommonPrefix, isOwn, type ListQuery } from "../../src/core/listing.ts";
import type {
  CompleteOperation,
  ListedKey,
  ListOutcome,
  Operations,
  PartBody,
  PartedUpload,
  ReadOutcome,
  StreamOperation,
  ValueStream,
  WriteOperation,
  WriteOutcome,
} from "../../src/core/operation.ts";
import type { Precondition } from "../../src/core/precondition.ts";
import { meets } from "../../src/core/precondition.ts";

import { putOf } from "./write-operations.ts";

export class MemoryOperations implements Operations {
  /** By key; the outcomes of reads, ready made. */
  readonly values = new Map<string, Extract<ReadOutcome, { kind: "value" }>>();
  /** The put that came last. */
  lastPut: (WriteOperation & { readonly value: Buffer }) | undefined;
  /** The delete that came last. */
  lastDelete: WriteOperation | undefined;
  /** The listing that came last. */
  lastList: ListQuery | undefined;
  /** What every operation rejects with, while it is set. */
  failure: Error | undefined;
  /** What every operation waits for, while it is set. */
  gate: Promise<void> | undefined;
  /** Operations that were begun. */
  calls = 0;
  /** The time of writes, milliseconds since 1970. */
  nowMs: () => number = Date.now;
  /** By the id of an upload: by tag, the bytes of each part that was sent. */
  readonly uploads = new Map<string, Map<string, Buffer>>();
  /** By key, the token of the upload that made its value. */
  readonly #tokens = new Map<string, string>();
  #seq = 0;
  #tags = 0;

  async write(operation: WriteOperation): Promise<WriteOutcome> {
    await this.#enter();
    const { key, value, headers, precondition, md5, durability } = operation;
    if (value === undefined) this.lastDelete = operation;
    else this.lastPut = { ...operation, value };
    if (!this.#allows(key, precondition)) return { kind: "precondition_failed" };
    const version = { epoch: 1, seq: ++this.#seq };
    this.#tokens.delete(key);
    if (value === undefined) {
      this.values.delete(key);
    } else {
      const info: ValueInfo = { ...version, headers, md5, modifiedMs: this.nowMs(), size: value.length };
      this.values.set(key, { kind: "value", info, value });
    }
    return { kind: "written", version, tag: md5, durability };
  }

  /** What comes in is put like any other value, so that a test sees it. */
  async writeStream({ key, headers, precondition, body }: StreamOperation): Promise<WriteOutcome> {
    // What is bound to fail is not read.
    if (!this.#allows(key, precondition)) return { kind: "precondition_failed" };
    const chunks: Uint8Array[] = [];
    // A chunk is gone once the next one is asked for.
    for await (const chunk of body) chunks.push(Buffer.from(chunk));
    return await this.write(putOf(key, Buffer.concat(chunks), { headers, precondition }));
  }

  async beginUpload(_key: string, _headers: ContentHeaders): Promise<PartedUpload> {
    await this.#enter();
    const id = `upload-${++this.#tags}`;
    this.uploads.set(id, new Map());
    return { id, token: `token of ${id}` };
  }

  async sendPart(_key: string, { id }: PartedUpload, { body, length }: PartBody): Promise<string> {
    await this.#enter();
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    if (bytes.length !== length) throw new OperatingError("body_truncated", "the part has another length");
    const parts = this.uploads.get(id);
    if (!parts) throw new OperatingError("store_refused", "there is no such upload");
    const tag = `part-${++this.#tags}`;
    parts.set(tag, bytes);
    return tag;
  }

  /** The value's entity tag is made as S3 does. */
  async completeUpload({ key, headers, precondition, upload, parts }: CompleteOperation): Promise<WriteOutcome> {
    await this.#enter();
    const now = this.values.get(key)?.info;
    const isThere = now !== undefined && this.#tokens.get(key) === upload.token;
    if (isThere && this.#allows(key, precondition)) {
      return { kind: "written", version: now, tag: now.md5, durability: "stored" };
    }
    const sent = this.uploads.get(upload.id);
    const bytes = parts.map(({ tag }) => sent?.get(tag));
    if (bytes.includes(undefined))
      throw new OperatingError("store_unavailable", "the store has lost the upload; nothing was stored");
    const whole = bytes as Buffer[];
    const md5s = Buffer.concat(whole.map((each) => hash("md5", each, "buffer")));
    const put = putOf(key, Buffer.concat(whole), { headers, precondition });
    const outcome = await this.write({ ...put, md5: `${hash("md5", md5s)}-${parts.length}` });
    if (outcome.kind === "written") {
      this.uploads.delete(upload.id);
      this.#tokens.set(key, upload.token);
    }
    return outcome;
  }

  async abortUpload(_key: string, { id }: PartedUpload): Promise<void> {
    await this.#enter();
    this.uploads.delete(id);
  }

  async read(key: string, wantValue: boolean): Promise<ReadOutcome> {
    if (this.failure !== undefined || this.gate !== undefined) await this.#enter();
    else this.calls++;
    const found = this.values.get(key);
    if (found === undefined) return { kind: "missing" };
    return wantValue ? found : { ...found, value: undefined };
  }

  async list(query: ListQuery): Promise<ListOutcome> {
    await this.#enter();
    this.lastList = query;
    const keys: ListedKey[] = [];
    const prefixes: string[] = [];
    let position = query;
    for (const key of [...this.values.keys()].sort(compareText)) {
      const entry = entryOf(key, position);
      if (entry === undefined || (key.startsWith(reservedPrefix) && !isOwn(query))) continue;
      if (keys.length + prefixes.length === query.limit) return { keys, prefixes, next: position.after };
      position = { ...query, after: entry };
      const { info } = this.values.get(key) as { info: ValueInfo };
      if (isCommonPrefix(entry, query)) prefixes.push(entry);
      else keys.push({ key, size: info.size, etag: info.md5, modifiedMs: info.modifiedMs });
    }
    return { keys, prefixes, next: undefined };
  }

  /** Nothing here is too large to be answered as a value. */
  open(_key?: string, _tag?: string, _start?: number, _end?: number): Promise<ValueStream | undefined> {
    return Promise.resolve(undefined);
  }

  async #enter(): Promise<void> {
    this.calls++;
    if (this.gate !== undefined) await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }

  #allows(key: string, precondition: Precondition | undefined): boolean {
    const found = this.values.get(key);
    return precondition === undefined || meets(found?.info, precondition);
  }
}
