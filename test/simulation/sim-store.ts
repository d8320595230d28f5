/**
 * The object store of a simulated world: one map, changed at one instant per request, so it is linearizable whatever
 * happens to requests and answers on their way (see `store-faults.ts`). A request that a process has sent may take
 * effect after the process is gone.
 */

import { hash } from "node:crypto";
import { unreachable } from "../../src/base/assert.ts";
import type { Timer } from "../../src/base/clock.ts";
import { OperatingError } from "../../src/base/errors.ts";
import { compareText } from "../../src/base/text-order.ts";
import { entryOf, isCommonPrefix, type ListQuery } from "../../src/core/listing.ts";
import type {
  Blob,
  BlobContent,
  BlobInfo,
  BlobStore,
  CompleteResult,
  ListedBlob,
  ListPage,
  OpenResult,
  ReadResult,
  ReadSpan,
  RequestOptions,
  UploadContent,
  WriteCondition,
  WriteResult,
} from "../../src/store/blob-store.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { SimStoreConnection } from "./sim-store-connection.ts";
import { SimStream, type SimUploadModes, SimUploads, type UploadedBlob } from "./sim-uploads.ts";
import { drawFate, refusedFate, type StoreAnswer, type StoreFaultSettings } from "./store-faults.ts";

export interface SimStoreModes extends SimUploadModes {
  /**
   * `md5`: of the body, so that a content which comes back has its old tag, as in S3; `unique`: another one for each
   * write.
   */
  readonly tags: "md5" | "unique";
  /** Removes whatever the condition says, as some stores do. */
  readonly ignoresRemoveConditions: boolean;
  /**
   * A removal may come at the same moment as a write that hung: the store leaves what that has put, and answers with
   * success, as Ceph 16 does (F29).
   */
  readonly racesRemovals?: boolean;
  /** Completes uploads whatever the condition says, as some stores do. */
  readonly ignoresCompleteConditions?: boolean;
}

/**
 * Plans something in virtual milliseconds: a world for what happens in the store, a process for what comes back to it.
 */
export interface Scheduler {
  schedule(ms: number, callback: () => void): Timer;
  /** False once it is a process that has ended: what it has not sent by then is never sent. */
  readonly alive?: boolean;
}

/**
 * The way from one host to the store, which may be cut while others reach it: then requests fail, and answers are lost.
 * Or answers come late.
 */
export class StoreLine {
  #cuts = 0;
  /** Answers take so much longer, on average, in milliseconds. */
  slownessMs = 0;

  get isCut(): boolean {
    return this.#cuts > 0;
  }

  /** Cuts it until the returned function is called. */
  cut(): () => void {
    this.#cuts++;
    let isMended = false;
    return () => {
      if (!isMended) this.#cuts--;
      isMended = true;
    };
  }
}

/** A write or removal that was asked for and may still take effect. */
interface Change {
  readonly name: string;
  readonly caller: Scheduler;
  isSent: boolean;
  /** Of a write that takes effect late: has it do so now. */
  hurry?: () => void;
}

export interface StoreRequest<T> {
  readonly effect: () => T;
  /** What the store does some time before that. */
  readonly begin?: () => void;
  /** The answer when the store is unsure who won; without it that is a failure. */
  readonly conflict?: T;
  /** The blob that it changes. */
  readonly changes?: string;
  /** Whether it writes that blob, and neither removes it nor completes an upload. */
  readonly writes?: boolean;
  /** The client's object whose content the answer brings. */
  readonly reads?: string;
}

/** A change of a blob; undefined where there is none. */
export type StoreWatcher = (name: string, before: Blob | undefined, after: Blob | undefined) => void;

/** A write or removal of `name` by a process. */
export type RequestWatcher = (name: string, caller: Scheduler) => void;

export class SimStore {
  readonly #modes: SimStoreModes;
  readonly #random: SimRandom;
  readonly #races: SimRandom;
  readonly #scheduler: Scheduler;
  readonly #dateMs: () => number;
  readonly #blobs = new Map<string, Blob>();
  readonly uploads: SimUploads;
  readonly #watchers: StoreWatcher[] = [];
  #onAsked: RequestWatcher | undefined;
  #onSent: RequestWatcher | undefined;
  #onLate: RequestWatcher | undefined;
  #onRead: ((name: string) => Promise<void> | undefined) | undefined;
  readonly #underWay = new Set<Change>();
  #faults: StoreFaultSettings;
  #outage = false;
  readonly #refusals = new Set<{ readonly name: string }>();
  #tags = 0;
  #requests = 0;

  /** `dateMs` is the store's date, milliseconds since 1970. */
  constructor(parts: {
    modes: SimStoreModes;
    faults: StoreFaultSettings;
    random: SimRandom;
    scheduler: Scheduler;
    dateMs: () => number;
  }) {
    this.#modes = parts.modes;
    this.uploads = new SimUploads(parts.modes);
    this.#faults = parts.faults;
    this.#random = parts.random;
    this.#races = parts.random.fork("races");
    this.#scheduler = parts.scheduler;
    this.#dateMs = parts.dateMs;
  }

  get modes(): SimStoreModes {
    return this.#modes;
  }

  /** Requests so far. */
  get requests(): number {
    return this.#requests;
  }

  /** From now on requests fare so. */
  setFaults(faults: StoreFaultSettings): void {
    this.#faults = faults;
  }

  setOutage(outage: boolean): void {
    this.#outage = outage;
  }

  /** Refuses to change the blob until the returned function is called. */
  refuse(name: string): () => void {
    const refusal = { name };
    this.#refusals.add(refusal);
    return () => void this.#refusals.delete(refusal);
  }

  isRefusing(name: string): boolean {
    for (const refusal of this.#refusals) if (refusal.name === name) return true;
    return false;
  }

  watch(watcher: StoreWatcher): void {
    this.#watchers.push(watcher);
  }

  /** Tells of each write or removal that is asked for, before it is sent. */
  watchAsked(onAsked: RequestWatcher): void {
    this.#onAsked = onAsked;
  }

  /** Tells of each write or removal at the instant at which it is sent. */
  watchSent(onSent: RequestWatcher): void {
    this.#onSent = onSent;
  }

  /**
   * Tells of each read of a client's object that will bring its content: no sooner than what `onRead` returns, if
   * anything, is done.
   */
  watchRead(onRead: (name: string) => Promise<void> | undefined): void {
    this.#onRead = onRead;
  }

  /**
   * Tells of each write or removal that will take effect after its caller has been told that it failed, or has waited
   * in vain.
   */
  watchLate(onLate: RequestWatcher): void {
    this.#onLate = onLate;
  }

  /** The blob as it is at this instant, without a request. */
  peek(name: string): Blob | undefined {
    return this.#blobs.get(name);
  }

  /** Whether a write or removal of `name` was asked for and may still take effect. */
  isChanging(name: string): boolean {
    for (const each of this.#underWay) {
      if (each.name === name && (each.isSent || each.caller.alive !== false)) return true;
    }
    return false;
  }

  /** The port for one process, on the host with this line: answers come to it by its own scheduler. */
  connect(caller: Scheduler, line: StoreLine = new StoreLine()): BlobStore {
    return new SimStoreConnection(this, caller, line);
  }

  /** Sends a request, perhaps after a while in the caller's queue. */
  async request<T>(caller: Scheduler, line: StoreLine, options: RequestOptions, request: StoreRequest<T>): Promise<T> {
    this.#requests++;
    const change: Change = { name: request.changes ?? "", caller, isSent: false };
    if (request.changes !== undefined) {
      this.#underWay.add(change);
      this.#onAsked?.(request.changes, caller);
    }
    const askedMs = this.#dateMs();
    try {
      const { meanQueueMs } = this.#faults;
      if (meanQueueMs > 0 && this.#random.chance(0.5)) {
        const waitMs = this.#random.exponential(meanQueueMs);
        await new Promise<void>((resolve) => void caller.schedule(waitMs, resolve));
      }
      options.authorize?.();
      const deadlineMs = options.deadlineMs - (this.#dateMs() - askedMs);
      if (deadlineMs <= 0)
        throw new OperatingError("store_unavailable", "it was not sent in time", { neverSent: true });
      change.isSent = true;
      if (request.changes !== undefined) this.#onSent?.(request.changes, caller);
      return await this.#send(caller, line, deadlineMs, request, change);
    } finally {
      if (!change.isSent) this.#underWay.delete(change);
    }
  }

  #send<T>(
    caller: Scheduler,
    line: StoreLine,
    deadlineMs: number,
    { effect, begin, conflict, reads, writes }: StoreRequest<T>,
    change: Change,
  ): Promise<T> {
    const drawn = drawFate(this.#random, this.#faults, deadlineMs, this.#outage || line.isCut);
    const fate = change.name !== "" && this.isRefusing(change.name) ? refusedFate(drawn) : drawn;
    if (change.name !== "" && fate.answer === "unavailable" && fate.effectMs !== undefined) {
      this.#onLate?.(change.name, caller);
    }
    const neverSent = change.name !== "" && fate.neverSent === true;
    return new Promise((resolve, reject) => {
      let result: T | undefined;
      if (fate.effectMs === undefined) this.#underWay.delete(change);
      else {
        if (begin) this.#scheduler.schedule(this.#random.between(0, fate.effectMs), begin);
        const timer = this.#scheduler.schedule(fate.effectMs, () => {
          this.#underWay.delete(change);
          result = effect();
        });
        if (writes === true && fate.answer === "unavailable") {
          change.hurry = (): void => {
            timer.cancel();
            this.#underWay.delete(change);
            effect();
          };
        }
      }
      const meanMs = line.slownessMs + (reads !== undefined ? this.#faults.meanBodyMs : 0);
      const slownessMs = meanMs > 0 ? this.#random.exponential(meanMs) : 0;
      const held = reads !== undefined && fate.answer === "result" ? this.#onRead?.(reads) : undefined;
      const isLate = held !== undefined || fate.answerMs + slownessMs > deadlineMs;
      const tell = (answer: StoreAnswer) => {
        switch (answer) {
          case "result":
            return resolve(result as T);
          case "conflict":
            if (conflict !== undefined) return resolve(conflict);
            return reject(new OperatingError("store_unavailable", "the store failed"));
          case "throttled":
            return reject(new OperatingError("store_throttled", "the store asks for fewer requests"));
          case "refused":
            return reject(new OperatingError("store_refused", "the store refuses to change this"));
          case "unavailable":
            return reject(new OperatingError("store_unavailable", "the store does not answer", { neverSent }));
          default:
            return unreachable(answer);
        }
      };
      if (held) caller.schedule(fate.answerMs, () => void held.then(() => caller.schedule(0, () => tell("result"))));
      caller.schedule(isLate ? deadlineMs : fate.answerMs + slownessMs, () =>
        tell(line.isCut || isLate ? "unavailable" : fate.answer),
      );
    });
  }

  read(name: string, maxBytes: number): ReadResult {
    const blob = this.#blobs.get(name);
    if (blob === undefined) return { kind: "missing" };
    if (blob.size > maxBytes) return { kind: "too_large", info: infoOf(blob) };
    return { kind: "found", blob: { ...blob, body: ownCopy(blob.body) } };
  }

  stat(name: string): BlobInfo | undefined {
    const blob = this.#blobs.get(name);
    return blob === undefined ? undefined : infoOf(blob);
  }

  write(name: string, content: BlobContent, condition: WriteCondition): WriteResult {
    const before = this.#blobs.get(name);
    if (!holds(condition, before)) return { kind: "conflict" };
    const body = ownCopy(content.body);
    const tag = this.#modes.tags === "md5" ? hash("md5", body, "hex") : `tag-${++this.#tags}`;
    const { headers, version } = content;
    this.#put(name, { tag, size: body.length, headers: { ...headers }, version, upload: undefined, body });
    return { kind: "written", tag };
  }

  beginUpload(name: string, content: UploadContent): string {
    return this.uploads.begin(name, content, this.#dateMs());
  }

  /** Somebody else uploads a value, in parts of so many bytes. */
  upload(name: string, content: UploadContent, body: Buffer, partBytes: number): void {
    const id = this.beginUpload(name, content);
    const parts: string[] = [];
    for (let offset = 0; offset < body.length; offset += partBytes) {
      const part = { number: parts.length + 1, offset, body: body.subarray(offset, offset + partBytes) };
      parts.push(this.uploads.sendPart(id, part));
    }
    const uploaded = this.uploads.take({ ...content, id, parts, size: body.length });
    this.completeUpload(name, id, uploaded, { kind: "always" });
  }

  /** @param uploaded What was taken out for it; undefined if there was nothing. */
  completeUpload(
    name: string,
    id: string,
    uploaded: UploadedBlob | undefined,
    condition: WriteCondition,
  ): CompleteResult {
    if (!uploaded) {
      const remembered = this.uploads.tagOfCompleted(id);
      return remembered === undefined ? { kind: "gone" } : { kind: "written", tag: remembered };
    }
    if (!this.#modes.ignoresCompleteConditions && !holds(condition, this.#blobs.get(name))) {
      uploaded.putBack();
      return { kind: "conflict" };
    }
    const { content, body } = uploaded;
    // Also where others are unique: clients know it before.
    const { tag } = uploaded;
    const { headers, token } = content;
    this.#put(name, { tag, size: body.length, headers: { ...headers }, version: undefined, upload: token, body });
    this.uploads.completed(uploaded);
    return { kind: "written", tag };
  }

  /** The bytes asked for, if the blob still has this tag. Those of a broken line end early. */
  openBlob(name: string, tag: string, { start, end }: ReadSpan): OpenResult {
    const blob = this.#blobs.get(name);
    if (blob?.tag !== tag) return { kind: "changed" };
    const bytes = ownCopy(blob.body.subarray(start, end));
    const isCut = this.#outage || this.#random.chance(this.#faults.failAfterChance);
    return { kind: "found", stream: new SimStream(bytes, isCut ? this.#random.whole(0, bytes.length) : undefined) };
  }

  remove(name: string, condition: WriteCondition): WriteResult {
    const before = this.#blobs.get(name);
    if (!this.#modes.ignoresRemoveConditions && !holds(condition, before)) return { kind: "conflict" };
    if (this.#modes.racesRemovals === true && this.#isRaced(name)) return { kind: "written", tag: "" };
    this.#blobs.delete(name);
    this.#tell(name, before, undefined);
    return { kind: "written", tag: "" };
  }

  /** Whether a write that hung is done together with this removal, and what it puts stays. */
  #isRaced(name: string): boolean {
    const before = this.#blobs.get(name);
    for (const change of this.#underWay) {
      if (change.name !== name || change.hurry === undefined || !this.#races.chance(0.5)) continue;
      change.hurry();
      return this.#blobs.get(name) !== before;
    }
    return false;
  }

  /** One moment's page. */
  list(query: ListQuery): ListPage {
    const blobs: ListedBlob[] = [];
    const prefixes: string[] = [];
    let after = query.after;
    for (const name of [...this.#blobs.keys()].sort(compareText)) {
      const entry = entryOf(name, { ...query, after });
      if (entry === undefined) continue;
      if (blobs.length + prefixes.length === query.limit) return { blobs, prefixes, next: after };
      after = entry;
      if (isCommonPrefix(entry, query)) prefixes.push(entry);
      else {
        const { tag, size, modifiedMs, body } = this.#blobs.get(name) as Blob;
        blobs.push({ name, size, tag, md5: hash("md5", body, "hex"), modifiedMs });
      }
    }
    return { blobs, prefixes, next: undefined };
  }

  #put(name: string, content: Omit<Blob, "modifiedMs">): void {
    const before = this.#blobs.get(name);
    const after: Blob = { ...content, modifiedMs: this.#dateMs() };
    this.#blobs.set(name, after);
    this.#tell(name, before, after);
  }

  #tell(name: string, before: Blob | undefined, after: Blob | undefined): void {
    for (const watcher of this.#watchers) watcher(name, before, after);
  }
}

function holds(condition: WriteCondition, blob: Blob | undefined): boolean {
  switch (condition.kind) {
    case "always":
      return true;
    case "absent":
      return blob === undefined;
    case "unchanged":
      return blob?.tag === condition.tag;
    default:
      return unreachable(condition);
  }
}

/** A copy with memory of its own, not a part of the runtime's pool. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

function infoOf(blob: Blob): BlobInfo {
  const { body: _, ...info } = blob;
  return info;
}
