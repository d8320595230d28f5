/**
 * The store in a folder of this host, for development and for a cluster of one host. Any number of the host's processes
 * may share it. Names are paths (`file-names.ts`), bodies are plain files, metadata lies beside them
 * (`file-metadata.ts`). Nothing is acknowledged before it is on the disk.
 *
 * Writes of a name take turns under a lock (`file-locks.ts`). Reads take no lock (`file-lookup.ts`). Two weaknesses
 * remain:
 * - A read may see a write that was not yet acknowledged. A power failure may undo that write.
 * - A process may pause between its last look at the clock and the rename after it. Then it renames late, though under
 *   its lock.
 */

import { hash } from "node:crypto";
import { type BigIntStats, renameSync, unlinkSync } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { ListQuery } from "../../core/listing.ts";
import { makeFolders } from "../../folders.ts";
import type {
  BlobContent,
  BlobInfo,
  BlobStore,
  CompletedUpload,
  CompleteResult,
  ListPage,
  OpenResult,
  OpenUpload,
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
import {
  createDurably,
  exists,
  fileError,
  hasCode,
  makeFolder,
  removeEmptyFolders,
  statOrUndefined,
  syncFolders,
} from "./durable-files.ts";
import { FileListing } from "./file-listing.ts";
import { FileLocks } from "./file-locks.ts";
import { FileLookup, type FoundBlob } from "./file-lookup.ts";
import { type FileState, formatMetadata, identityOf } from "./file-metadata.ts";
import { asideFolder, filePaths, lockFolder, metadataFolder, temporaryFolder, uploadFolder } from "./file-names.ts";
import { FileStream } from "./file-stream.ts";
import { FileUploads } from "./file-uploads.ts";

export interface FileStoreSettings {
  /** The folder. It is made if there is none. */
  readonly path: string;
}

/**
 * From this age on, a temporary file is the leftover of a killed process, in milliseconds. No write's deadline is as
 * long.
 */
const leftoverMs = 3_600_000;

/** Until when a request may take effect, and who has the last word on it: see {@link RequestOptions}. */
interface Limits {
  readonly giveUpAt: Instant;
  readonly authorize: (() => void) | undefined;
}

export class FileStore implements BlobStore {
  readonly description: string;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #locks: FileLocks;
  readonly #lookup: FileLookup;
  readonly #listing: FileListing;
  readonly #uploads: FileUploads;

  constructor(settings: FileStoreSettings, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#root = path.resolve(settings.path);
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#locks = new FileLocks(this.#absolute(lockFolder), ports.clock, ports.random);
    this.#lookup = new FileLookup(this.#root, ports.clock);
    this.#listing = new FileListing(this.#root, this.#lookup, ports.clock);
    this.#uploads = new FileUploads(this.#absolute(uploadFolder), ports.random);
    this.description = `folder ${this.#root}`;
  }

  /** Any name fits: a name that is too long for a path lies aside. */
  fits(): boolean {
    return true;
  }

  async read(name: string, maxBytes: number, options: RequestOptions): Promise<ReadResult> {
    const found = await this.#find(name, maxBytes, options);
    if (found === undefined) return { kind: "missing" };
    if (found.body === undefined) return { kind: "too_large", info: found.info };
    return { kind: "found", blob: { ...found.info, body: found.body } };
  }

  async stat(name: string, options: RequestOptions): Promise<BlobInfo | undefined> {
    return (await this.#find(name, undefined, options))?.info;
  }

  async write(
    name: string,
    content: BlobContent,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<WriteResult> {
    return await this.#inTime(options, async (limits) => {
      const temporary = this.#absolute(`${temporaryFolder}/${this.#random.id()}`);
      try {
        const stats = await createDurably(temporary, content.body);
        const state = this.#describe(content, stats);
        return await this.#locks.hold(name, limits.giveUpAt, () =>
          this.#replace(name, temporary, state, condition, limits),
        );
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async remove(name: string, condition: WriteCondition, options: RequestOptions): Promise<WriteResult> {
    return await this.#inTime(options, (limits) =>
      this.#locks.hold(name, limits.giveUpAt, async () => {
        const paths = filePaths(name);
        const found = await this.#lookup.find(paths, undefined, limits.giveUpAt);
        if (!holds(condition, found)) return { kind: "conflict" };
        if (found === undefined) return { kind: "written", tag: "" };
        const file = this.#absolute(found.place);
        // Others may have put a file in the natural place of a blob that lay aside. The blob aside must not come back
        // now.
        if (found.place !== paths.aside && (await exists(this.#absolute(paths.aside)))) {
          unlinkSync(this.#absolute(paths.aside));
          await syncFolders(this.#absolute(asideFolder), this.#root);
        }
        this.#checkAllowed(limits);
        unlinkSync(file);
        await syncFolders(path.dirname(file), this.#root);
        // Metadata that a crash leaves behind is about no body. The next write replaces it.
        await rm(this.#absolute(paths.metadata), { force: true });
        if (found.place === paths.natural) removeEmptyFolders(path.dirname(file), this.#root);
        return { kind: "written", tag: "" };
      }),
    );
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

  async completeUpload(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    options: RequestOptions,
  ): Promise<CompleteResult> {
    return await this.#inTime(options, (limits) =>
      this.#locks.hold(name, limits.giveUpAt, async () => {
        const stats = await this.#uploads.seal(upload.id, upload.size);
        if (stats === undefined) return { kind: "gone" };
        const { headers, token, size, parts } = upload;
        const md5 = parts.at(-1) ?? hash("md5", "");
        // The tag is the MD5. Clients see it as the entity tag, and S3's are hashes of the content as well.
        const state = { tag: md5, headers: { ...headers }, upload: token, size, md5, ...identityOf(stats) };
        return await this.#replace(name, this.#uploads.pathOf(upload.id), state, condition, limits);
      }),
    );
  }

  async abortUpload(_name: string, id: string, options: RequestOptions): Promise<void> {
    await this.#inTime(options, () => this.#uploads.abort(id));
  }

  async listUploads(options: RequestOptions): Promise<readonly UploadInfo[]> {
    return await this.#inTime(options, () => this.#uploads.list());
  }

  async openBlob(name: string, tag: string, span: ReadSpan, options: RequestOptions): Promise<OpenResult> {
    const handle = await this.#inTime(options, (limits) => this.#lookup.open(filePaths(name), tag, limits.giveUpAt));
    return handle ? { kind: "found", stream: new FileStream(handle, span, this.#root) } : { kind: "changed" };
  }

  async probe(options: RequestOptions): Promise<StoreAbilities> {
    const notes: string[] = [];
    await this.#inTime(options, async () => {
      const made = await makeFolders(this.#root);
      if (made !== undefined) await syncFolders(this.#root, path.dirname(made));
      for (const folder of [asideFolder, metadataFolder, temporaryFolder, uploadFolder, lockFolder]) {
        await makeFolders(this.#absolute(folder));
        await syncFolders(this.#absolute(folder), this.#root);
      }
      if (await this.#lookup.learnCase()) {
        notes.push("The folder's file system ignores case: of names that differ only so, one lies aside.");
      }
    });
    const findings = await tryOut(this, `.weir/probe/${this.#random.id()}`, options);
    await this.#inTime(options, () => this.#sweep());
    return {
      conditionalWrites: findings.absentHonoured && findings.unchangedHonoured,
      conditionalRemoves: findings.removesHonoured,
      conditionalCompletions: true,
      notes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locks.close();
  }

  /** Runs under the name's lock. */
  async #replace(
    name: string,
    temporary: string,
    state: FileState,
    condition: WriteCondition,
    limits: Limits,
  ): Promise<WriteResult> {
    const paths = filePaths(name);
    const found = await this.#lookup.find(paths, undefined, limits.giveUpAt);
    if (!holds(condition, found)) return { kind: "conflict" };
    const states = found?.state === undefined ? [state] : [state, found.state];
    await this.#putMetadata(paths.metadata, formatMetadata(name, states));
    const places = found === undefined ? [paths.natural, paths.aside] : [found.place];
    for (const place of places) {
      if (place !== undefined && (await this.#putBody(temporary, place, limits))) {
        await syncFolders(path.dirname(this.#absolute(place)), this.#root);
        return { kind: "written", tag: state.tag };
      }
    }
    throw new OperatingError("store_unavailable", `the place of ${name} in ${this.description} was taken meanwhile`);
  }

  async #putMetadata(place: string, bytes: Buffer): Promise<void> {
    const temporary = this.#absolute(`${temporaryFolder}/${this.#random.id()}`);
    try {
      await createDurably(temporary, bytes);
      await rename(temporary, this.#absolute(place));
    } finally {
      await rm(temporary, { force: true });
    }
    await syncFolders(this.#absolute(metadataFolder), this.#absolute(metadataFolder));
  }

  /** The moment of the change. False if the place cannot be had because another's folder or file is in the way. */
  async #putBody(temporary: string, place: string, limits: Limits): Promise<boolean> {
    const file = this.#absolute(place);
    const folder = path.dirname(file);
    for (;;) {
      try {
        if (!(await makeFolder(folder)) || !(await this.#lookup.isSpelledSo(place))) return false;
        this.#checkAllowed(limits);
        // Synchronous: nothing may come between the look at the clock and the rename.
        renameSync(temporary, file);
        return true;
      } catch (error) {
        if (hasCode(error, "EISDIR", "ENOTEMPTY", "EEXIST", "ENOTDIR")) return false;
        // Another process removed the empty folder. Try again.
        if (!hasCode(error, "ENOENT") || !(await exists(temporary))) throw error;
      }
    }
  }

  #describe(content: BlobContent, stats: BigIntStats): FileState {
    return {
      tag: this.#random.id(),
      headers: { ...content.headers },
      ...(content.version === undefined ? {} : { version: content.version }),
      size: content.body.length,
      md5: hash("md5", content.body),
      ...identityOf(stats),
    };
  }

  /**
   * Removes what killed processes left. "Now" is the folder's time of change, by the file system's own clock: the probe
   * has just changed the folder.
   */
  async #sweep(): Promise<void> {
    const folder = this.#absolute(temporaryFolder);
    const { mtimeMs } = await stat(folder);
    for (const each of await readdir(folder)) {
      const file = path.join(folder, each);
      const stats = await statOrUndefined(file);
      if (stats !== undefined && mtimeMs - Number(stats.mtimeMs) > leftoverMs) await rm(file, { force: true });
    }
  }

  /** The last look before a change. The clock comes second: what the caller still allows may already be too late. */
  #checkAllowed({ authorize, giveUpAt }: Limits): void {
    authorize?.();
    if (this.#clock.now() >= giveUpAt) {
      throw new OperatingError("store_unavailable", `${this.description} was too slow; nothing was changed`, {
        neverSent: true,
      });
    }
  }

  async #find(name: string, maxBytes: number | undefined, options: RequestOptions): Promise<FoundBlob | undefined> {
    return await this.#inTime(options, async ({ authorize, giveUpAt }) => {
      authorize?.();
      const found = await this.#lookup.find(filePaths(name), maxBytes, giveUpAt);
      if (found === undefined) await this.#requireFolder();
      return found;
    });
  }

  /** Called when nothing is found: a folder whose disk is gone looks like an empty one. */
  async #requireFolder(): Promise<void> {
    if (await exists(this.#absolute(metadataFolder))) return;
    throw new OperatingError("store_unavailable", `${this.description} is gone, or its disk is`);
  }

  async #inTime<T>(options: RequestOptions, work: (limits: Limits) => Promise<T>): Promise<T> {
    try {
      const giveUpAt = this.#clock.now() + options.deadlineMs;
      return await inTime(this.#clock, options.deadlineMs, work({ giveUpAt, authorize: options.authorize }));
    } catch (error) {
      throw fileError(error, this.#root);
    }
  }

  #absolute(place: string): string {
    return `${this.#root}/${place}`;
  }
}

function holds(condition: WriteCondition, found: FoundBlob | undefined): boolean {
  if (condition.kind === "always") return true;
  if (condition.kind === "absent") return found === undefined;
  return found?.info.tag === condition.tag;
}
