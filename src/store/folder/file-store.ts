/**
 * The store in a folder of this host, for development and for a cluster of one host. Any number of the host's processes
 * may share it. Names are paths (`file-names.ts`), bodies are plain files, metadata lies beside them
 * (`file-metadata.ts`). Nothing is acknowledged before it is on the disk.
 *
 * Changes of a name take turns under a lock (`file-writes.ts`). Reads take no lock (`file-lookup.ts`). A node's changes
 * are made in a thread of their own (`thread-writer.ts`): what they cost, reads of values in memory do not wait for.
 * Two weaknesses remain:
 * - A read may see a write that was not yet acknowledged. A power failure may undo that write. `stat` makes what it has
 *   seen durable, since it is asked what became of a write without an answer.
 * - A process may pause between its last look at the clock and the rename after it. Then it renames late, though under
 *   its lock.
 */

import path from "node:path";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { ListQuery } from "../../core/listing.ts";
import type { UploadedPart } from "../../core/operation.ts";
import { makeFolders } from "../../folders.ts";
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
} from "../blob-store.ts";
import { inTime } from "../deadline.ts";
import { tryOut } from "../probe-steps.ts";
import { exists, fileError } from "./durable-files.ts";
import { FileLanes } from "./file-lanes.ts";
import { FileListing } from "./file-listing.ts";
import { FileLookup, type FoundBlob } from "./file-lookup.ts";
import { asideFolder, filePaths, lockFolder, metadataFolder, temporaryFolder, uploadFolder } from "./file-names.ts";
import { FileStream } from "./file-stream.ts";
import { FileUploads } from "./file-uploads.ts";
import { FileWrites } from "./file-writes.ts";
import { pooledFiles } from "./files.ts";
import { FolderSyncs } from "./folder-syncs.ts";
import type { Change, FolderWriter, Limits } from "./folder-writer.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { PartedFiles } from "./parted-files.ts";

export interface FileStoreSettings {
  /** The folder. It is made if there is none. */
  readonly path: string;
}

export interface FileStorePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the changes. The store disposes of it. Unless given, the calling thread makes them. */
  readonly writer?: FolderWriter;
}

export class FileStore implements BlobStore {
  readonly description: string;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lanes = new FileLanes();
  readonly #syncs = new FolderSyncs(pooledFiles, this.#lanes);
  readonly #writer: FolderWriter;
  readonly #lookup: FileLookup;
  readonly #listing: FileListing;
  readonly #uploads: FileUploads;
  readonly #parted: PartedFiles;

  constructor(settings: FileStoreSettings, ports: FileStorePorts) {
    this.#root = path.resolve(settings.path);
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#writer = ports.writer ?? new FileWrites(this.#root, pooledFiles, ports);
    this.#lookup = new FileLookup(this.#root, pooledFiles, ports.clock);
    this.#listing = new FileListing(this.#root, this.#lookup, ports.clock);
    const uploads = this.#absolute(uploadFolder);
    const temporary = this.#absolute(temporaryFolder);
    const options = { ...ports, temporary, syncs: this.#syncs, lanes: this.#lanes };
    this.#uploads = new FileUploads({ ...options, folder: uploads });
    this.#parted = new PartedFiles({ ...options, uploads });
    this.description = `folder ${this.#root}`;
  }

  /** Any name fits: a name that is too long for a path lies aside. */
  fits(): boolean {
    return true;
  }

  async read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    const found = await this.#inTime(options, (limits) => this.#find(name, maxBytes, limits));
    if (found === undefined) return { kind: "missing" };
    if (found.body === undefined) return { kind: "too_large", info: found.info };
    return { kind: "found", blob: { ...found.info, body: found.body } };
  }

  async stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    return await this.#inTime(options, async (limits) => {
      const found = await this.#find(name, undefined, limits);
      // The change that made it so may have been cut off before its sync.
      await this.#syncs.syncPlaces(this.#root, filePaths(name));
      return found?.info;
    });
  }

  async write(
    name: string,
    content: BlobContent,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<WriteResult> {
    return await this.#change({ kind: "write", name, content, condition }, options);
  }

  async remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    return await this.#change({ kind: "remove", name, condition }, options);
  }

  async list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    return await this.#inTime(options, async ({ authorize, giveUpAt }) => {
      authorize?.();
      const page = await this.#listing.list(query, giveUpAt);
      await this.#requireFolder();
      return page;
    });
  }

  async beginUpload(_name: string, _content: UploadContent, options: RequestOptions): Promise<OpenUpload> {
    const upload = await this.#inTime(options, () => this.#uploads.begin());
    return { id: upload.id, sendPart: (part, limits) => this.#inTime(limits, () => upload.write(part)) };
  }

  async beginParted(_name: string, _content: UploadContent, options: RequestOptions): Promise<string> {
    return await this.#inTime(options, () => this.#parted.begin());
  }

  async sendPart(_name: string, id: string, part: PartContent, options: RequestOptions): Promise<string> {
    return await this.#inTime(options, async ({ giveUpAt }) => {
      const tag = await this.#parted.send(id, part, giveUpAt);
      if (tag !== undefined) return tag;
      await this.#requireFolder();
      throw new OperatingError("store_refused", `there is no upload ${id} in ${this.description}`);
    });
  }

  async assembleUpload(
    _name: string,
    id: string,
    parts: readonly UploadedPart[],
    options: RequestOptions,
  ): Promise<AssembleResult> {
    return await this.#inTime(options, async ({ giveUpAt }) => {
      const md5 = await this.#parted.assemble(id, parts, giveUpAt);
      if (md5 !== undefined) return { kind: "assembled", parts: [md5] };
      await this.#requireFolder();
      return { kind: "gone" };
    });
  }

  async completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    return await this.#inTime(options, (limits) =>
      this.#writer.change({ kind: "complete", name, upload, condition }, limits),
    );
  }

  async abortUpload(_name: string, id: string, options: RequestOptions): Promise<void> {
    await this.#inTime(options, () => this.#uploads.abort(id));
  }

  async listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    return await this.#inTime(options, () => this.#uploads.list());
  }

  async openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    const handle = await this.#inTime(
      options,
      (limits) => this.#lookup.open(filePaths(name), tag, limits.giveUpAt),
      (late) => late?.close(),
    );
    return handle ? { kind: "found", stream: new FileStream(handle, span, this.#root) } : { kind: "changed" };
  }

  async probe(options: RequestOptions): Promise<StoreAbilities> {
    const notes: string[] = [];
    await this.#inTime(options, async () => {
      const made = await makeFolders(this.#root);
      if (made !== undefined) await this.#syncs.syncUpTo(path.dirname(made), this.#root);
      for (const folder of [asideFolder, metadataFolder, temporaryFolder, uploadFolder, lockFolder]) {
        await makeFolders(this.#absolute(folder));
        await this.#syncs.syncUpTo(this.#root, this.#absolute(folder));
      }
      if (await this.#lookup.learnCase()) {
        notes.push("The folder's file system ignores case: of names that differ only so, one lies aside.");
      }
    });
    const findings = await tryOut(this, `.weir/probe/${this.#random.id()}`, options);
    await this.#inTime(options, () => sweepLeftovers(this.#absolute(temporaryFolder)));
    return {
      conditionalWrites: findings.absentHonoured && findings.unchangedHonoured,
      conditionalRemoves: findings.removesHonoured,
      conditionalCompletions: true,
      notes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  async #change(change: Change, options: RequestOptions): Promise<WriteResult> {
    const result = await this.#inTime(options, (limits) => this.#writer.change(change, limits));
    assert(result.kind === "written" || result.kind === "conflict", "only an upload can be gone, or incomplete");
    return result;
  }

  async #find(name: string, maxBytes: number | undefined, limits: Limits): Promise<FoundBlob | undefined> {
    limits.authorize?.();
    const found = await this.#lookup.find(filePaths(name), maxBytes, limits.giveUpAt);
    if (found === undefined) await this.#requireFolder();
    return found;
  }

  /** Called when nothing is found: a folder whose disk is gone looks like an empty one. */
  async #requireFolder(): Promise<void> {
    if (await exists(pooledFiles, this.#absolute(metadataFolder))) return;
    throw new OperatingError("store_unavailable", `${this.description} is gone, or its disk is`);
  }

  async #inTime<T>(
    options: RequestOptions,
    work: (limits: Limits) => Promise<T>,
    giveUp?: (late: T) => Promise<void> | undefined,
  ): Promise<T> {
    try {
      const giveUpAt = this.#clock.now() + options.deadlineMs;
      return await inTime(this.#clock, options.deadlineMs, work({ giveUpAt, authorize: options.authorize }), giveUp);
    } catch (error) {
      throw fileError(error, this.#root);
    }
  }

  #absolute(place: string): string {
    return `${this.#root}/${place}`;
  }
}
