/**
 * Changes the folder's blobs. Changes of a name take turns under a lock (`file-locks.ts`). Those of many names go on
 * side by side: they share the syncs of folders (`folder-syncs.ts`), and leave a thread to the journal
 * (`file-lanes.ts`). What fails for one concerns that one only.
 *
 * A write takes these steps:
 *
 * 1. The body is made durable, in a temporary file.
 * 2. Under the lock, the condition is checked.
 * 3. The metadata is made durable, with its name. It is about the old body and the new one.
 * 4. The body is renamed into place. This is the moment of the change.
 * 5. The name is made durable.
 */

import { hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import path from "node:path";
import { unreachable } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { BlobContent, CompletedUpload, CompleteResult, WriteCondition, WriteResult } from "../blob-store.ts";
import {
  createDurably,
  exists,
  hasCode,
  makeFolder,
  removeEmptyFolders,
  removeFile,
  statOrUndefined,
} from "./durable-files.ts";
import { FileLanes } from "./file-lanes.ts";
import { FileLocks } from "./file-locks.ts";
import { FileLookup, type FoundBlob } from "./file-lookup.ts";
import { type FileState, formatMetadata, identityOf } from "./file-metadata.ts";
import { asideFolder, filePaths, lockFolder, metadataFolder, temporaryFolder, uploadFolder } from "./file-names.ts";
import type { Files } from "./files.ts";
import { FolderSyncs } from "./folder-syncs.ts";
import type { Change, FolderWriter, Limits } from "./folder-writer.ts";
import { discardUpload, joinedPath, uploadPath } from "./upload-paths.ts";

export class FileWrites implements FolderWriter {
  readonly #root: string;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lanes = new FileLanes();
  readonly #syncs: FolderSyncs;
  readonly #locks: FileLocks;
  readonly #lookup: FileLookup;
  #knowsCase = false;

  /** @param root The folder's absolute path. The store's own folders in it must exist when something is changed. */
  constructor(root: string, files: Files, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#root = root;
    this.#files = files;
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#syncs = new FolderSyncs(files, this.#lanes);
    this.#locks = new FileLocks(this.#absolute(lockFolder), ports.clock, ports.random);
    this.#lookup = new FileLookup(root, files, ports.clock);
  }

  async change(change: Change, limits: Limits): Promise<CompleteResult> {
    if (!this.#knowsCase) {
      await this.#lookup.learnCase();
      this.#knowsCase = true;
    }
    const { kind, name, condition } = change;
    switch (kind) {
      case "write":
        return await this.#write(name, change.content, condition, limits);
      case "remove":
        return await this.#locks.hold(name, limits.giveUpAt, () => this.#remove(name, condition, limits));
      case "complete":
        return await this.#complete(name, change.upload, condition, limits);
      default:
        return unreachable(kind);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locks.close();
  }

  async #write(name: string, content: BlobContent, condition: WriteCondition, limits: Limits): Promise<WriteResult> {
    const temporary = this.#temporary();
    let result: WriteResult | undefined;
    try {
      const stats = await this.#lanes.run(async () => {
        this.#checkTime(limits.giveUpAt);
        await createDurably(this.#files, temporary, content.body);
        return await this.#files.stat(temporary, { bigint: true });
      });
      const state = this.#describe(content, stats);
      result = await this.#locks.hold(name, limits.giveUpAt, () =>
        this.#replace(name, temporary, state, condition, limits),
      );
      return result;
    } finally {
      if (result?.kind !== "written") await removeFile(this.#files, temporary);
    }
  }

  /** Runs under the name's lock. */
  async #remove(name: string, condition: WriteCondition, limits: Limits): Promise<WriteResult> {
    const paths = filePaths(name);
    const found = await this.#lookup.find(paths, undefined, limits.giveUpAt);
    if (!holds(condition, found)) return { kind: "conflict" };
    if (found === undefined) {
      // An earlier removal may have been cut off before its sync.
      await this.#syncs.syncPlaces(this.#root, paths);
      return { kind: "written", tag: "" };
    }
    const file = this.#absolute(found.place);
    // Others may have put a file in the natural place of a blob that lay aside. The blob aside must not come back now.
    if (found.place !== paths.aside && (await exists(this.#files, this.#absolute(paths.aside)))) {
      await this.#lanes.run(() => this.#files.unlink(this.#absolute(paths.aside)));
      await this.#syncs.syncUpTo(this.#root, this.#absolute(asideFolder));
    }
    await this.#lanes.run(() => {
      this.#checkAllowed(limits);
      return this.#files.unlink(file);
    });
    await this.#syncs.syncUpTo(this.#root, path.dirname(file));
    await this.#lanes.run(async () => {
      // Metadata that a crash leaves behind is about no body. The next write replaces it.
      await removeFile(this.#files, this.#absolute(paths.metadata));
      if (found.place === paths.natural) await removeEmptyFolders(this.#files, path.dirname(file), this.#root);
    });
    return { kind: "written", tag: "" };
  }

  async #complete(
    name: string,
    upload: CompletedUpload,
    condition: WriteCondition,
    limits: Limits,
  ): Promise<CompleteResult> {
    const own = uploadPath(this.#absolute(uploadFolder), upload.id);
    const isParted = (await statOrUndefined(this.#files, own))?.isDirectory() === true;
    // The tag is the MD5. Clients see it as the entity tag, and S3's are hashes of the content as well.
    const md5 = upload.parts.at(-1) ?? hash("md5", "");
    const file = isParted ? joinedPath(own, md5) : own;
    const result = await this.#locks.hold(name, limits.giveUpAt, () =>
      this.#putUpload(name, file, upload, md5, condition, limits),
    );
    // It may be assembled again.
    if (isParted && result.kind === "gone") return { kind: "incomplete" };
    if (isParted && result.kind === "written") await this.#forgetParts(own);
    return result;
  }

  /** Runs under the name's lock. */
  async #putUpload(
    name: string,
    file: string,
    { headers, token, size }: CompletedUpload,
    md5: string,
    condition: WriteCondition,
    limits: Limits,
  ): Promise<CompleteResult> {
    const stats = await this.#seal(file, size);
    if (stats === undefined) return { kind: "gone" };
    const state = { tag: md5, headers: { ...headers }, upload: token, size, md5, ...identityOf(stats) };
    return await this.#replace(name, file, state, condition, limits);
  }

  /**
   * Called after the completion. If it fails, the upload stays listed until it is aborted, which then changes nothing.
   */
  async #forgetParts(upload: string): Promise<void> {
    try {
      await discardUpload(upload, this.#temporary());
    } catch {
      // The completion stands.
    }
  }

  /**
   * Makes the upload's bytes durable and returns the file's stats. Undefined if there is no such upload, or its size
   * differs.
   */
  async #seal(file: string, size: number): Promise<BigIntStats | undefined> {
    const stats = await statOrUndefined(this.#files, file);
    if (stats === undefined || Number(stats.size) !== size) return undefined;
    return await this.#lanes.run(async () => {
      await using handle = await this.#files.open(file, "r+");
      await handle.sync();
      return await handle.stat({ bigint: true });
    });
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
        await this.#syncs.syncUpTo(this.#root, path.dirname(this.#absolute(place)));
        return { kind: "written", tag: state.tag };
      }
    }
    throw new OperatingError("store_unavailable", `the place of ${name} in folder ${this.#root} was taken meanwhile`);
  }

  async #putMetadata(place: string, bytes: Buffer): Promise<void> {
    const temporary = this.#temporary();
    await this.#lanes.run(async () => {
      try {
        await createDurably(this.#files, temporary, bytes);
        await this.#files.rename(temporary, this.#absolute(place));
      } catch (error) {
        await removeFile(this.#files, temporary);
        throw error;
      }
    });
    await this.#syncs.sync(this.#absolute(metadataFolder));
  }

  /** The moment of the change. False if the place cannot be had because another's folder or file is in the way. */
  async #putBody(temporary: string, place: string, limits: Limits): Promise<boolean> {
    const file = this.#absolute(place);
    for (;;) {
      try {
        if (!(await this.#lookup.isSpelledSo(place))) return false;
        await this.#lanes.run(() => {
          // The last look comes once there is a lane: nothing of the folder's own is before the rename.
          this.#checkAllowed(limits);
          return this.#files.rename(temporary, file);
        });
        return true;
      } catch (error) {
        if (hasCode(error, "EISDIR", "ENOTEMPTY", "EEXIST", "ENOTDIR")) return false;
        if (!hasCode(error, "ENOENT") || !(await exists(this.#files, temporary))) throw error;
      }
      // The folder is missing, or another process has removed it, since it was empty.
      if (!(await makeFolder(path.dirname(file)))) return false;
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

  /** The last look before a change. The clock comes second: what the caller still allows may already be too late. */
  #checkAllowed({ authorize, giveUpAt }: Limits): void {
    authorize?.();
    this.#checkTime(giveUpAt);
  }

  #checkTime(giveUpAt: Instant): void {
    if (this.#clock.now() >= giveUpAt) {
      throw new OperatingError("store_unavailable", `folder ${this.#root} was too slow; nothing was changed`, {
        neverSent: true,
      });
    }
  }

  #temporary(): string {
    return this.#absolute(`${temporaryFolder}/${this.#random.id()}`);
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
