/** A store that counts each request to the store beneath, by kind and outcome, and measures how long it took. */

import type { Clock } from "../base/clock.ts";
import { isOperatingError } from "../base/errors.ts";
import { Histogram, latencyBounds } from "../base/histogram.ts";
import type { ListQuery } from "../core/listing.ts";
import type { UploadedPart } from "../core/operation.ts";
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
  UploadContent,
  UploadInfo,
  WriteCondition,
  WriteResult,
} from "./blob-store.ts";

export const storeOperations = [
  "read",
  "stat",
  "write",
  "remove",
  "list",
  "begin_upload",
  "send_part",
  "assemble_upload",
  "complete_upload",
  "abort_upload",
  "list_uploads",
  "open",
  "probe",
] as const;
export type StoreOperation = (typeof storeOperations)[number];

/**
 * How a request ended.
 * - `missing`: there is no such blob.
 * - `gone`: there is no such upload, or not with these parts.
 * - `conflict`: a condition did not hold.
 * - `withheld`: the sender's lease no longer allowed the request, so it was not sent.
 * - `refused`, `throttled`, `unavailable`: the port's errors.
 */
export const storeOutcomes = [
  "done",
  "missing",
  "gone",
  "too_large",
  "conflict",
  "withheld",
  "refused",
  "throttled",
  "unavailable",
] as const;
export type StoreOutcome = (typeof storeOutcomes)[number];

/** Requests of one kind. */
export class StoreOperationMetrics {
  readonly seconds = new Histogram(latencyBounds);
  readonly outcomes = Object.fromEntries(storeOutcomes.map((outcome) => [outcome, 0])) as Record<StoreOutcome, number>;
}

export type StoreMetrics = Readonly<Record<StoreOperation, StoreOperationMetrics>>;

export class MeteredStore implements BlobStore {
  readonly metrics: StoreMetrics = Object.fromEntries(
    storeOperations.map((operation) => [operation, new StoreOperationMetrics()]),
  ) as StoreMetrics;
  readonly #store: BlobStore;
  readonly #clock: Clock;

  /** Takes over the store beneath and disposes of it. */
  constructor(store: BlobStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get description(): string {
    return this.#store.description;
  }

  fits(name: string): boolean {
    return this.#store.fits(name);
  }

  read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    return this.#measure("read", this.#store.read(name, maxBytes, options), ({ kind }) =>
      kind === "found" ? "done" : kind,
    );
  }

  stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    return this.#measure("stat", this.#store.stat(name, options), (info) => (info ? "done" : "missing"));
  }

  write(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    return this.#measure("write", this.#store.write(name, content, condition, options), outcomeOfWrite);
  }

  remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    return this.#measure("remove", this.#store.remove(name, condition, options), outcomeOfWrite);
  }

  list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    return this.#measure("list", this.#store.list(query, options), isDone);
  }

  async beginUpload(name: string, content: UploadContent, options: RequestOptions): Promise<OpenUpload> {
    const upload = await this.#measure("begin_upload", this.#store.beginUpload(name, content, options), isDone);
    return {
      id: upload.id,
      sendPart: (part, partOptions) => this.#measure("send_part", upload.sendPart(part, partOptions), isDone),
    };
  }

  beginParted(name: string, content: UploadContent, options: RequestOptions): Promise<string> {
    return this.#measure("begin_upload", this.#store.beginParted(name, content, options), isDone);
  }

  sendPart(name: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    return this.#measure("send_part", this.#store.sendPart(name, id, part, options), isDone);
  }

  assembleUpload(
    name: string,
    id: string,
    parts: readonly UploadedPart[],
    options: RequestOptions,
  ): Promise<AssembleResult> {
    return this.#measure("assemble_upload", this.#store.assembleUpload(name, id, parts, options), ({ kind }) =>
      kind === "assembled" ? "done" : kind,
    );
  }

  completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    const work = this.#store.completeUpload(name, upload, condition, options);
    return this.#measure("complete_upload", work, outcomeOfWrite);
  }

  abortUpload(name: string, id: string, options: RequestOptions): Promise<void> {
    return this.#measure("abort_upload", this.#store.abortUpload(name, id, options), isDone);
  }

  listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    return this.#measure("list_uploads", this.#store.listUploads(options), isDone);
  }

  /** Measures until the first byte. */
  openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    return this.#measure("open", this.#store.openBlob(name, tag, span, options), ({ kind }) =>
      kind === "found" ? "done" : "conflict",
    );
  }

  probe(options: RequestOptions): Promise<StoreAbilities> {
    return this.#measure("probe", this.#store.probe(options), isDone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  async #measure<T>(operation: StoreOperation, work: Promise<T>, outcomeOf: (result: T) => StoreOutcome): Promise<T> {
    const sentAt = this.#clock.now();
    let outcome: StoreOutcome = "unavailable";
    try {
      const result = await work;
      outcome = outcomeOf(result);
      return result;
    } catch (error) {
      if (isOperatingError(error, "store_refused")) outcome = "refused";
      else if (isOperatingError(error, "store_throttled")) outcome = "throttled";
      else if (isOperatingError(error) && error.code !== "store_unavailable") outcome = "withheld";
      throw error;
    } finally {
      const { outcomes, seconds } = this.metrics[operation];
      outcomes[outcome] += 1;
      if (outcome !== "withheld") seconds.observeMs(this.#clock.now() - sentAt);
    }
  }
}

function isDone(): StoreOutcome {
  return "done";
}

function outcomeOfWrite({ kind }: CompleteResult): StoreOutcome {
  if (kind === "incomplete") return "gone";
  return kind === "written" ? "done" : kind;
}
