/**
 * The store port with nothing in it but the view's record, which a test can change behind a member's back, and whose
 * requests can be made to wait or fail.
 */

import { OperatingError } from "../../src/base/errors.ts";
import { formatView, parseView, type View } from "../../src/core/view.ts";
import type {
  AssembleResult,
  BlobContent,
  BlobInfo,
  BlobStore,
  CompleteResult,
  ListPage,
  OpenResult,
  OpenUpload,
  ReadResult,
  StoreAbilities,
  UploadInfo,
  WriteCondition,
  WriteResult,
} from "../../src/store/blob-store.ts";

function notAsked(): Promise<never> {
  return Promise.reject(new Error("only the view's record is asked for"));
}

/** How the next request ends: as it should; not done; done, and said to have failed. */
export type Ending = "well" | "not_done" | "done_unsaid" | "refused";

export class ViewStore implements BlobStore {
  readonly description = "view-store";
  reads = 0;
  writes = 0;
  /** For the next reads and writes, each in order; then all end well. */
  readonly readEndings: Ending[] = [];
  readonly writeEndings: Ending[] = [];
  /** Runs after a write has been done, before its caller learns of it. */
  onWritten: () => void | Promise<void> = () => undefined;
  #body: Buffer | undefined;
  #tag = 0;

  constructor(view?: View) {
    if (view) this.view = view;
  }

  get view(): View | undefined {
    return this.#body && parseView(this.#body);
  }

  set view(view: View) {
    this.bytes = formatView(view);
  }

  set bytes(body: Buffer | undefined) {
    this.#body = body;
    this.#tag++;
  }

  fits(): boolean {
    return true;
  }

  async read(): Promise<ReadResult> {
    this.reads++;
    fail(this.readEndings.shift());
    if (!this.#body) return { kind: "missing" };
    const body = this.#body;
    const info = {
      tag: String(this.#tag),
      size: body.length,
      headers: {},
      version: undefined,
      upload: undefined,
      modifiedMs: 0,
    };
    return { kind: "found", blob: { ...info, body } };
  }

  stat(): Promise<BlobInfo | undefined> {
    return notAsked();
  }

  beginUpload(): Promise<OpenUpload> {
    return notAsked();
  }

  beginParted(): Promise<string> {
    return notAsked();
  }

  sendPart(): Promise<string> {
    return notAsked();
  }

  assembleUpload(): Promise<AssembleResult> {
    return notAsked();
  }

  completeUpload(): Promise<CompleteResult> {
    return notAsked();
  }

  abortUpload(): Promise<void> {
    return notAsked();
  }

  listUploads(): Promise<readonly UploadInfo[]> {
    return Promise.resolve([]);
  }

  openBlob(): Promise<OpenResult> {
    return notAsked();
  }

  async write(_name: string, { body }: BlobContent, condition: WriteCondition): Promise<WriteResult> {
    this.writes++;
    const ending = this.writeEndings.shift();
    if (ending !== "done_unsaid") fail(ending);
    const isMet = condition.kind === "unchanged" ? condition.tag === String(this.#tag) : this.#body === undefined;
    if (isMet) this.bytes = Buffer.from(body);
    await this.onWritten();
    fail(ending);
    return isMet ? { kind: "written", tag: String(this.#tag) } : { kind: "conflict" };
  }

  remove(): Promise<WriteResult> {
    return Promise.reject(new Error("the view's record is never deleted"));
  }

  list(): Promise<ListPage> {
    return Promise.reject(new Error("only the view's record is asked for"));
  }

  probe(): Promise<StoreAbilities> {
    return Promise.resolve({
      conditionalWrites: true,
      conditionalRemoves: true,
      conditionalCompletions: true,
      notes: [],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function fail(ending: Ending | undefined): void {
  if (ending === "refused") throw new OperatingError("store_refused", "not allowed");
  if (ending === "not_done" || ending === "done_unsaid") throw new OperatingError("store_unavailable", "no answer");
}
