/**
 * Operations over a Map, for the tests of what HTTP makes of them: immediate, with conditions judged as the protocol says, and with ways to
 * make them fail or wait.
 */

import { hash } from "node:crypto";
import { compareText } from "../../src/base/text-order.ts";
import type { ValueInfo } from "../../src/core/entry.ts";
import { entryOf, isCommonPrefix, type ListQuery } from "../../src/core/listing.ts";
import type { Precondition } from "../../src/core/message.ts";
import type {
  ClusterStatus,
  DeleteOperation,
  ListedKey,
  ListOutcome,
  Operations,
  PutOperation,
  PutStreamOperation,
  Readiness,
  ReadOutcome,
  WriteOutcome,
} from "../../src/core/operation.ts";
import { meets } from "../../src/core/precondition.ts";

export class MemoryOperations implements Operations {
  /** By key; the outcomes of reads, ready made. */
  readonly values = new Map<string, Extract<ReadOutcome, { kind: "value" }>>();
  /** The put that came last. */
  lastPut: PutOperation | undefined;
  /** The delete that came last. */
  lastDelete: DeleteOperation | undefined;
  /** The listing that came last. */
  lastList: ListQuery | undefined;
  /** What every operation rejects with, while it is set. */
  failure: Error | undefined;
  /** What every operation waits for, while it is set. */
  gate: Promise<void> | undefined;
  ready = true;
  /** Since it served, while it is not ready. */
  pausedMs: number | undefined;
  /** Operations that were begun. */
  calls = 0;
  /** The time of writes, milliseconds since 1970. */
  nowMs: () => number = Date.now;
  #seq = 0;

  async put(operation: PutOperation): Promise<WriteOutcome> {
    await this.#enter();
    this.lastPut = operation;
    if (!this.#allows(operation.key, operation.precondition)) return { kind: "precondition_failed" };
    const { key, value, headers } = operation;
    const md5 = hash("md5", value, "hex");
    const version = { epoch: 1, seq: ++this.#seq };
    const info: ValueInfo = { ...version, headers, md5, modifiedMs: this.nowMs(), size: value.length };
    this.values.set(key, { kind: "value", info, value });
    return { kind: "written", version, md5, durability: operation.durability ?? "replicated" };
  }

  /** What comes in is put like any other value, so that a test sees it. */
  async putStream({ key, headers, precondition, body }: PutStreamOperation): Promise<WriteOutcome> {
    // What is bound to fail is not read.
    if (!this.#allows(key, precondition)) return { kind: "precondition_failed" };
    const chunks: Uint8Array[] = [];
    // A chunk is gone once the next one is asked for.
    for await (const chunk of body) chunks.push(Buffer.from(chunk));
    const operation = { key, headers, value: Buffer.concat(chunks) };
    return await this.put(precondition ? { ...operation, precondition } : operation);
  }

  async delete(operation: DeleteOperation): Promise<WriteOutcome> {
    await this.#enter();
    this.lastDelete = operation;
    if (!this.#allows(operation.key, operation.precondition)) return { kind: "precondition_failed" };
    this.values.delete(operation.key);
    const version = { epoch: 1, seq: ++this.#seq };
    return { kind: "written", version, md5: "", durability: operation.durability ?? "replicated" };
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
      if (entry === undefined) continue;
      if (keys.length + prefixes.length === query.limit) return { keys, prefixes, next: position.after };
      position = { ...query, after: entry };
      const { info } = this.values.get(key) as { info: ValueInfo };
      if (isCommonPrefix(entry, query)) prefixes.push(entry);
      else keys.push({ key, size: info.size, etag: info.md5, modifiedMs: info.modifiedMs });
    }
    return { keys, prefixes, next: undefined };
  }

  /** Nothing here is too large to be answered as a value. */
  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  readiness(): Readiness {
    if (this.ready) return { ready: true, reason: "serving" };
    return { ready: false, reason: "joining", ...(this.pausedMs !== undefined && { pausedMs: this.pausedMs }) };
  }

  status(): ClusterStatus {
    const view = {
      cluster: "test",
      self: "a",
      epoch: 1,
      settled: true,
      leaseMs: 900,
      awaited: [],
      absent: [],
      replicas: 2,
    };
    return { ...view, store: "none", members: [] };
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
