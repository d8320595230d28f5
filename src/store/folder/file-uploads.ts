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
import type { Random } from "../../base/random.ts";
import type { UploadInfo, UploadPart } from "../blob-store.ts";
import { createDurably, statOrUndefined } from "./durable-files.ts";
import { pooledFiles } from "./files.ts";
import type { FolderSyncs } from "./folder-syncs.ts";
import { discardUpload, uploadPath } from "./upload-paths.ts";

export class FileUploads {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #random: Random;
  readonly #syncs: FolderSyncs;

  /** Both folders must exist when an upload is begun. */
  constructor(folder: string, temporary: string, random: Random, syncs: FolderSyncs) {
    this.#folder = folder;
    this.#temporary = temporary;
    this.#random = random;
    this.#syncs = syncs;
  }

  async begin(): Promise<FileUpload> {
    const id = this.#random.id();
    const file = uploadPath(this.#folder, id);
    await createDurably(pooledFiles, file, Buffer.alloc(0));
    await this.#syncs.sync(this.#folder);
    return new FileUpload(id, file);
  }

  /** Parted uploads, too. */
  async abort(id: string): Promise<void> {
    await discardUpload(uploadPath(this.#folder, id), `${this.#temporary}/${this.#random.id()}`);
  }

  /**
   * Parted uploads, too. `startedMs` is when the last part came. So an upload that is still being written is never old.
   */
  async list(): Promise<UploadInfo[]> {
    const found: UploadInfo[] = [];
    for (const id of await readdir(this.#folder)) {
      const stats = await statOrUndefined(pooledFiles, uploadPath(this.#folder, id));
      if (stats !== undefined) found.push({ name: "", id, startedMs: Number(stats.mtimeMs) });
    }
    return found;
  }
}

export class FileUpload {
  readonly id: string;
  readonly #file: string;
  readonly #digest = createHash("md5");
  readonly #tags: string[] = [];
  /**
   * By part, its last write, until that has succeeded. A write that was given up as too slow goes on. It reads memory
   * that is reused for another part once this part has been written.
   */
  readonly #writes = new Map<number, Promise<void>>();

  constructor(id: string, file: string) {
    this.id = id;
    this.#file = file;
  }

  async write(part: UploadPart): Promise<string> {
    const { number, body } = part;
    assert(number >= 1 && number <= this.#tags.length + 1, "parts are begun in order");
    if (number > this.#tags.length) this.#tags.push(this.#digest.update(body).copy().digest("hex"));
    const before = this.#writes.get(number)?.catch(() => undefined);
    const write = before ? before.then(() => this.#put(part)) : this.#put(part);
    this.#writes.set(number, write);
    await write;
    if (this.#writes.get(number) === write) this.#writes.delete(number);
    return this.#tags[number - 1] as string;
  }

  async #put({ offset, body }: UploadPart): Promise<void> {
    // Not "w": an upload that was aborted meanwhile must not be made again.
    await using handle = await open(this.#file, "r+");
    for (let written = 0; written < body.length; ) {
      const { bytesWritten } = await handle.write(body, written, body.length - written, offset + written);
      written += bytesWritten;
    }
    // Syncs each part. The completion has a deadline, and so has little left to sync.
    await handle.datasync();
  }
}
