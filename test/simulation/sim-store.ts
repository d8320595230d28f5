/**
 * The object store of a simulated world: one map, changed at one instant per request, so it is linearizable whatever happens to requests and
 * answers on their way (see `store-faults.ts`). A request that a process has sent may take effect after the process is gone.
 */

import { hash } from "node:crypto";
import { unreachable } from "../../src/base/assert.ts";
import type { Timer } from "../../src/base/clock.ts";
import { OperatingError } from "../../src/base/errors.ts";
import type {
  Blob,
  BlobContent,
  BlobInfo,
  BlobStore,
  ReadResult,
  RequestOptions,
  StoreAbilities,
  WriteCondition,
  WriteResult,
} from "../../src/store/blob-store.ts";
import type { SimRandom } from "./sim-random.ts";
import { drawFate, type StoreFaultSettings } from "./store-faults.ts";

export interface SimStoreModes {
  /** `md5`: of the body, so that a content which comes back has its old tag, as in S3; `unique`: another one for each write. */
  readonly tags: "md5" | "unique";
  /** Removes whatever the condition says, as some stores do. */
  readonly ignoresRemoveConditions: boolean;
}

/** The port's own limit of a name, which this store does not lower. */
const maxNameBytes = 1024;

/** Plans something in virtual milliseconds: a world for what happens in the store, a process for what comes back to it. */
export interface Scheduler {
  schedule(ms: number, callback: () => void): Timer;
}

/** A change of a blob; undefined where there is none. */
export type StoreWatcher = (name: string, before: Blob | undefined, after: Blob | undefined) => void;

export class SimStore {
  readonly #modes: SimStoreModes;
  readonly #random: SimRandom;
  readonly #scheduler: Scheduler;
  readonly #dateMs: () => number;
  readonly #blobs = new Map<string, Blob>();
  readonly #watchers: StoreWatcher[] = [];
  #faults: StoreFaultSettings;
  #outage = false;
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
    this.#faults = parts.faults;
    this.#random = parts.random;
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

  watch(watcher: StoreWatcher): void {
    this.#watchers.push(watcher);
  }

  /** The blob as it is at this instant, without a request. */
  peek(name: string): Blob | undefined {
    return this.#blobs.get(name);
  }

  /** The port for one process: answers come to it by its own scheduler. */
  connect(caller: Scheduler): BlobStore {
    return new Connection(this, caller);
  }

  /** Sends a request whose `effect` happens in the store, and answers the caller; a `conflict` fate answers with it if the request can have one. */
  request<T>(caller: Scheduler, options: RequestOptions, effect: () => T, conflict?: T): Promise<T> {
    this.#requests++;
    const fate = drawFate(this.#random, this.#faults, options.deadlineMs, this.#outage);
    return new Promise((resolve, reject) => {
      let result: T | undefined;
      if (fate.effectMs !== undefined) {
        this.#scheduler.schedule(fate.effectMs, () => {
          result = effect();
        });
      }
      caller.schedule(fate.answerMs, () => {
        switch (fate.answer) {
          case "result":
            return resolve(result as T);
          case "conflict":
            if (conflict !== undefined) return resolve(conflict);
            return reject(new OperatingError("store_unavailable", "the store failed"));
          case "throttled":
            return reject(new OperatingError("store_throttled", "the store asks for fewer requests"));
          case "unavailable":
            return reject(new OperatingError("store_unavailable", "the store does not answer"));
          default:
            return unreachable(fate.answer);
        }
      });
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
    const after: Blob = { tag, size: body.length, headers: { ...headers }, version, modifiedMs: this.#dateMs(), body };
    this.#blobs.set(name, after);
    this.#tell(name, before, after);
    return { kind: "written", tag };
  }

  remove(name: string, condition: WriteCondition): WriteResult {
    const before = this.#blobs.get(name);
    if (!this.#modes.ignoresRemoveConditions && !holds(condition, before)) return { kind: "conflict" };
    this.#blobs.delete(name);
    this.#tell(name, before, undefined);
    return { kind: "written", tag: "" };
  }

  #tell(name: string, before: Blob | undefined, after: Blob | undefined): void {
    for (const watcher of this.#watchers) watcher(name, before, after);
  }
}

class Connection implements BlobStore {
  readonly description = "sim://store";
  readonly #store: SimStore;
  readonly #caller: Scheduler;

  constructor(store: SimStore, caller: Scheduler) {
    this.#store = store;
    this.#caller = caller;
  }

  fits(name: string): boolean {
    return Buffer.byteLength(name) <= maxNameBytes;
  }

  read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    return this.#send(options, () => this.#store.read(name, maxBytes));
  }

  stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    return this.#send(options, () => this.#store.stat(name));
  }

  write(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    const conflict: WriteResult | undefined = condition.kind === "always" ? undefined : { kind: "conflict" };
    return this.#send(options, () => this.#store.write(name, content, condition), conflict);
  }

  remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    const conflict: WriteResult | undefined = condition.kind === "always" ? undefined : { kind: "conflict" };
    return this.#send(options, () => this.#store.remove(name, condition), conflict);
  }

  probe(options: RequestOptions): Promise<StoreAbilities> {
    const conditionalRemoves = !this.#store.modes.ignoresRemoveConditions;
    return this.#send(options, () => ({
      conditionalWrites: true,
      conditionalRemoves,
      notes: [],
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #send<T>(options: RequestOptions, effect: () => T, conflict?: T): Promise<T> {
    try {
      options.authorize?.();
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#store.request(this.#caller, options, effect, conflict);
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
