/** One process' way to the simulated store: the port, each of whose calls is a request that has its own fate. */

import { OperatingError } from "../../src/base/errors.ts";
import type { ListQuery } from "../../src/core/listing.ts";
import type { UploadedPart } from "../../src/core/operation.ts";
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
} from "../../src/store/blob-store.ts";
import type { Scheduler, SimStore, StoreLine, StoreRequest } from "./sim-store.ts";
import type { UploadedBlob } from "./sim-uploads.ts";

/** Names that are weir's own begin so. */
const ownPrefix = ".weir/";

/** The port's own limit of a name, which this store does not lower. */
const maxNameBytes = 1024;

export class SimStoreConnection implements BlobStore {
  readonly description = "sim://store";
  readonly #store: SimStore;
  readonly #caller: Scheduler;
  readonly #line: StoreLine;

  constructor(store: SimStore, caller: Scheduler, line: StoreLine) {
    this.#store = store;
    this.#caller = caller;
    this.#line = line;
  }

  fits(name: string): boolean {
    return Buffer.byteLength(name) <= maxNameBytes;
  }

  read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    const effect = (): ReadResult => this.#store.read(name, maxBytes);
    return this.#request(options, name.startsWith(ownPrefix) ? { effect } : { effect, reads: name });
  }

  stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    return this.#request(options, { effect: () => this.#store.stat(name) });
  }

  write(name: string, content: BlobContent, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    const effect = (): WriteResult => this.#store.write(name, content, condition);
    const conflict = condition.kind === "always" ? {} : { conflict: { kind: "conflict" } as const };
    return this.#request(options, { effect, changes: name, writes: true, ...conflict });
  }

  remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    return this.#change(name, options, condition, () => this.#store.remove(name, condition));
  }

  list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    return this.#request(options, { effect: () => this.#store.list(query) });
  }

  async beginUpload(name: string, content: UploadContent, options: RequestOptions): Promise<OpenUpload> {
    const id = await this.beginParted(name, content, options);
    return { id, sendPart: (part, limits) => this.sendPart(name, id, part, limits) };
  }

  beginParted(name: string, content: UploadContent, options: RequestOptions): Promise<string> {
    return this.#request(options, { effect: () => this.#store.beginUpload(name, content) });
  }

  sendPart(_name: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    // The sender uses its buffer again, also while a request that it has given up may still land.
    const sent = { ...part, body: Buffer.from(part.body) };
    return this.#request(options, { effect: () => attempt(() => this.#store.uploads.sendPart(id, sent)) }).then(
      outcome,
    );
  }

  assembleUpload(
    _name: string,
    id: string,
    parts: readonly UploadedPart[],
    options: RequestOptions,
  ): Promise<AssembleResult> {
    return this.#request(options, { effect: () => this.#store.uploads.assemble(id, parts) });
  }

  completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    // Not at one instant: for a while the upload is gone, and the blob is not there.
    let uploaded: UploadedBlob | undefined;
    let isIncomplete = false;
    const begin = (): void => {
      const isThere = this.#store.uploads.has(upload.id);
      uploaded = this.#store.uploads.take(upload);
      isIncomplete = isThere && uploaded === undefined;
      if (isIncomplete) this.#store.uploads.meddledWith.add(upload.id);
    };
    let isRefused = false;
    const effect = (): CompleteResult => {
      if (isIncomplete) return { kind: "incomplete" };
      isRefused = uploaded?.isUnwanted === true;
      if (!isRefused) return this.#store.completeUpload(name, upload.id, uploaded, condition);
      uploaded?.putBack();
      return { kind: "gone" };
    };
    return this.#change(name, options, condition, effect, begin).then((result) => {
      if (!isRefused || result.kind !== "gone") return result;
      throw new OperatingError("store_refused", "the store does not want this blob");
    });
  }

  abortUpload(_name: string, id: string, options: RequestOptions): Promise<void> {
    return this.#request(options, { effect: () => this.#store.uploads.delete(id) });
  }

  listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    return this.#request(options, { effect: () => this.#store.uploads.list() });
  }

  openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    return this.#request(options, { effect: () => this.#store.openBlob(name, tag, span) });
  }

  probe(options: RequestOptions): Promise<StoreAbilities> {
    const { ignoresRemoveConditions, ignoresCompleteConditions } = this.#store.modes;
    const abilities = {
      conditionalWrites: true,
      conditionalRemoves: !ignoresRemoveConditions,
      conditionalCompletions: !ignoresCompleteConditions,
      notes: [],
    };
    return this.#request(options, { effect: () => abilities });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #change<T extends WriteResult | CompleteResult>(
    name: string,
    options: RequestOptions,
    condition: WriteCondition,
    effect: () => T,
    begin?: () => void,
  ): Promise<T> {
    const conflict = condition.kind === "always" ? undefined : ({ kind: "conflict" } as T);
    return this.#request(options, {
      effect,
      changes: name,
      ...(conflict === undefined ? {} : { conflict }),
      ...(begin && { begin }),
    });
  }

  #request<T>(options: RequestOptions, request: StoreRequest<T>): Promise<T> {
    return this.#store.request(this.#caller, this.#line, options, request);
  }
}

/** What came of an effect in the store, to be told to the caller. */
type Attempt<T> = { readonly result: T } | { readonly error: unknown };

function attempt<T>(effect: () => T): Attempt<T> {
  try {
    return { result: effect() };
  } catch (error) {
    return { error };
  }
}

function outcome<T>(each: Attempt<T>): T {
  if ("error" in each) throw each.error;
  return each.result;
}
