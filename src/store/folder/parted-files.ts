/**
 * Parted uploads in a folder: the parts come in any order and from any process. Each upload is a folder of its own, and
 * each part a file in it.
 *
 * 1. A part's file is called by its number and by chance. So a part that is sent again is another file. What a part
 *    that was given up still writes is in a file that nobody names.
 * 2. Assembling joins the files of the parts into one, which is called by the MD5 of all bytes. So a completion takes
 *    the very bytes that it was assembled of, or none.
 * 3. A rename turns that file into the blob's body, as with any upload. Then the folder is removed.
 *
 * An upload ends at one moment: its folder is renamed out of the way. Parts and assembling find it gone from then on.
 */

import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { Random } from "../../base/random.ts";
import type { UploadedPart } from "../../core/operation.ts";
import type { PartContent } from "../blob-store.ts";
import { createDurably, exists, hasCode, openFile, readPieces } from "./durable-files.ts";
import { pooledFiles } from "./files.ts";
import type { FolderSyncs } from "./folder-syncs.ts";
import { joinedPath, uploadPath } from "./upload-paths.ts";

export interface PartedFilesOptions {
  /** The folder of uploads, and that of temporary files. Both must exist when an upload is begun. */
  readonly uploads: string;
  readonly temporary: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly syncs: FolderSyncs;
}

export class PartedFiles {
  readonly #options: PartedFilesOptions;

  constructor(options: PartedFilesOptions) {
    this.#options = options;
  }

  async begin(): Promise<string> {
    const { uploads, random, syncs } = this.#options;
    const id = random.id();
    await mkdir(uploadPath(uploads, id));
    await syncs.sync(uploads);
    return id;
  }

  /** The part's tag; undefined if there is no such upload. */
  async send(id: string, { number, body }: PartContent): Promise<string | undefined> {
    const { uploads, random, syncs } = this.#options;
    const upload = uploadPath(uploads, id);
    const tag = random.id();
    try {
      await createDurably(pooledFiles, partPath(upload, number, tag), body);
      await syncs.sync(upload);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
    return tag;
  }

  /** The MD5 of all bytes; undefined if there is no such upload, or a part is missing. */
  async assemble(id: string, parts: readonly UploadedPart[], giveUpAt: Instant): Promise<string | undefined> {
    const { uploads, temporary, random, syncs } = this.#options;
    const upload = uploadPath(uploads, id);
    const file = `${temporary}/${random.id()}`;
    try {
      const md5 = await this.#join(upload, parts, file, giveUpAt);
      if (md5 === undefined) return undefined;
      const joined = joinedPath(upload, md5);
      // One that is there may be on its way into place: the blob's metadata will be about that file.
      if (!(await exists(pooledFiles, joined))) await rename(file, joined);
      await syncs.sync(upload);
      return md5;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Writes all parts into a new file, durably. Its MD5; undefined if a part is missing. */
  async #join(
    upload: string,
    parts: readonly UploadedPart[],
    file: string,
    giveUpAt: Instant,
  ): Promise<string | undefined> {
    const digest = createHash("md5");
    await using output = await open(file, "wx");
    for (const { number, tag, size } of parts) {
      const opened = await openFile(pooledFiles, partPath(upload, number, tag));
      if (opened === undefined) return undefined;
      await using input = opened.handle;
      if (Number(opened.stats.size) !== size) return undefined;
      for await (const piece of readPieces(input, 0, size)) {
        this.#checkTime(giveUpAt);
        digest.update(piece);
        await output.writeFile(piece);
        free(piece);
      }
    }
    await output.sync();
    return digest.digest("hex");
  }

  /** Who waited has given it up, and may have begun anew. */
  #checkTime(giveUpAt: Instant): void {
    if (this.#options.clock.now() >= giveUpAt)
      throw new OperatingError("store_unavailable", "joining the parts took too long");
  }
}

function partPath(upload: string, number: number, tag: string): string {
  assert(/^[0-9a-f]{32}$/.test(tag), "a part's tag is one of those given out");
  return `${upload}/${number}-${tag}`;
}
