/**
 * Uploads in a folder. Each upload is a file. Parts are written into it at their offsets. A rename turns it into the
 * blob's body.
 *
 * Another process than the writer may complete the upload. So the parts' tags carry what that process must know. Each
 * tag is the MD5 of all bytes up to the end of its part. The last tag is the MD5 of the whole.
 *
 * A parted upload is a folder instead (`parted-files.ts`).
 */

import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { updateInTurns } from "../../base/hash-in-turns.ts";
import type { Random } from "../../base/random.ts";
import type { UploadInfo, UploadPart } from "../blob-store.ts";
import { createDurably, statOrUndefined } from "./durable-files.ts";
import type { FileLanes } from "./file-lanes.ts";
import { pooledFiles } from "./files.ts";
import type { FolderSyncs } from "./folder-syncs.ts";
import { discardUpload, isUploadId, uploadPath } from "./upload-paths.ts";

/** So many bytes of a part are written at a time. */
const pieceBytes = 1024 * 1024;

/** Both folders must exist when an upload is begun. */
export interface FileUploadsOptions {
  /** Of the uploads. */
  readonly folder: string;
  readonly temporary: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly syncs: FolderSyncs;
  readonly lanes: FileLanes;
}

export class FileUploads {
  readonly #options: FileUploadsOptions;

  constructor(options: FileUploadsOptions) {
    this.#options = options;
  }

  async begin(): Promise<FileUpload> {
    const { folder, random, syncs } = this.#options;
    const id = random.id();
    const file = uploadPath(folder, id);
    await createDurably(pooledFiles, file, Buffer.alloc(0));
    await syncs.sync(folder);
    return new FileUpload(id, file, this.#options);
  }

  /** Parted uploads, too. */
  async abort(id: string): Promise<void> {
    const { folder, temporary, random } = this.#options;
    await discardUpload(uploadPath(folder, id), `${temporary}/${random.id()}`);
  }

  /**
   * Parted uploads, too. `startedMs` is when the last part came. So an upload that is still being written is never old.
   */
  async list(): Promise<UploadInfo[]> {
    const { folder } = this.#options;
    const found: UploadInfo[] = [];
    for (const id of await readdir(folder)) {
      // Others may put files there, such as a program for backups.
      if (!isUploadId(id)) continue;
      const stats = await statOrUndefined(pooledFiles, uploadPath(folder, id));
      if (stats !== undefined) found.push({ name: "", id, startedMs: Number(stats.mtimeMs) });
    }
    return found;
  }
}

export class FileUpload {
  readonly id: string;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #lanes: FileLanes;
  readonly #digest = createHash("md5");
  /** By part, which are hashed one after the other. */
  readonly #tags: Promise<string>[] = [];
  /**
   * By part, its last write, until that has succeeded. A write that was given up as too slow goes on. It reads memory
   * that is reused for another part once this part has been written.
   */
  readonly #writes = new Map<number, Promise<void>>();

  constructor(id: string, file: string, { clock, lanes }: Pick<FileUploadsOptions, "clock" | "lanes">) {
    this.id = id;
    this.#file = file;
    this.#clock = clock;
    this.#lanes = lanes;
  }

  async write(part: UploadPart): Promise<string> {
    const { number, body } = part;
    assert(number >= 1 && number <= this.#tags.length + 1, "parts are begun in order");
    if (number > this.#tags.length) this.#tags.push(this.#tagOf(body, this.#tags.at(-1)));
    const before = this.#writes.get(number)?.catch(() => undefined);
    const write = before ? before.then(() => this.#put(part)) : this.#put(part);
    this.#writes.set(number, write);
    // The body's memory may be used for something else once this ends, however it ends.
    const [tag] = await Promise.all([this.#tags[number - 1] as Promise<string>, write.catch(() => undefined)]);
    await write;
    if (this.#writes.get(number) === write) this.#writes.delete(number);
    return tag;
  }

  async #tagOf(body: Uint8Array, before: Promise<string> | undefined): Promise<string> {
    await before;
    await updateInTurns(this.#digest, body, this.#clock);
    return this.#digest.copy().digest("hex");
  }

  async #put({ offset, body }: UploadPart): Promise<void> {
    // Not "w": an upload that was aborted meanwhile must not be made again.
    await using handle = await open(this.#file, "r+");
    for (let written = 0; written < body.length; ) {
      const length = Math.min(pieceBytes, body.length - written);
      const { bytesWritten } = await this.#lanes.run(() => handle.write(body, written, length, offset + written));
      written += bytesWritten;
    }
    // Syncs each part. The completion has a deadline, and so has little left to sync.
    await this.#lanes.run(() => handle.datasync());
  }
}
