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

import { createHash, hash } from "node:crypto";
import { link, mkdir, open, rm } from "node:fs/promises";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { Random } from "../../base/random.ts";
import type { UploadedPart } from "../../core/operation.ts";
import type { PartContent } from "../blob-store.ts";
import { hasCode, openFile, readPieces, removeFile } from "./durable-files.ts";
import type { FileLanes } from "./file-lanes.ts";
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
  readonly lanes: FileLanes;
}

/** Bytes that are written at a time: what was given up reads no more of its memory than that. */
const pieceBytes = 1024 * 1024;

/** Bytes of a joined file between two syncs. The last one has little left to do then, as have others' meanwhile. */
const syncBytes = 32 * 1024 * 1024;

/** Joins parts into one file. */
interface Join {
  /** Names the parts. */
  readonly list: string;
  readonly md5: Promise<string | undefined>;
}

export class PartedFiles {
  readonly #options: PartedFilesOptions;
  /** By upload. */
  readonly #joins = new Map<string, Join>();

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

  /** The part's tag; undefined if there is no such upload. Nothing stays of a part that fails. */
  async send(id: string, { number, body }: PartContent, giveUpAt: Instant): Promise<string | undefined> {
    const { uploads, random, syncs } = this.#options;
    const upload = uploadPath(uploads, id);
    const tag = random.id();
    const file = partPath(upload, number, tag);
    try {
      await this.#write(file, body, giveUpAt);
      await syncs.sync(upload);
      // Nobody would know of it, and it would stay.
      this.#checkTime(giveUpAt);
    } catch (error) {
      await removeFile(pooledFiles, file);
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
    return tag;
  }

  async #write(file: string, body: Uint8Array, giveUpAt: Instant): Promise<void> {
    const { lanes } = this.#options;
    await using handle = await open(file, "wx");
    for (let offset = 0; offset < body.length; offset += pieceBytes) {
      await lanes.run(async () => {
        this.#checkTime(giveUpAt);
        await handle.writeFile(body.subarray(offset, offset + pieceBytes));
      });
    }
    await lanes.run(() => handle.sync());
  }

  /**
   * The MD5 of all bytes; undefined if there is no such upload, or a part is missing. Those who ask for the same at a
   * time share the work.
   */
  async assemble(id: string, parts: readonly UploadedPart[], giveUpAt: Instant): Promise<string | undefined> {
    const list = hash("md5", JSON.stringify(parts));
    for (let before = this.#joins.get(id); before; before = this.#joins.get(id)) {
      if (before.list === list) return await before.md5;
      // Who asked for that hears of its failure.
      await before.md5.catch(() => undefined);
    }
    const join = { list, md5: this.#assemble(id, parts, giveUpAt).finally(() => this.#joins.delete(id)) };
    this.#joins.set(id, join);
    return await join.md5;
  }

  async #assemble(id: string, parts: readonly UploadedPart[], giveUpAt: Instant): Promise<string | undefined> {
    const { uploads, temporary, random, syncs } = this.#options;
    const upload = uploadPath(uploads, id);
    const file = `${temporary}/${random.id()}`;
    try {
      const md5 = await this.#join(upload, parts, file, giveUpAt);
      if (md5 === undefined) return undefined;
      // Not renamed: one that is there may be on its way into place, and the blob's metadata is about that very file.
      await link(file, joinedPath(upload, md5)).catch((error: unknown) => {
        if (!hasCode(error, "EEXIST")) throw error;
      });
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
    const { lanes } = this.#options;
    const digest = createHash("md5");
    let unsyncedBytes = 0;
    await using output = await open(file, "wx");
    for (const { number, tag, size } of parts) {
      const opened = await openFile(pooledFiles, partPath(upload, number, tag));
      if (opened === undefined) return undefined;
      await using input = opened.handle;
      if (Number(opened.stats.size) !== size) return undefined;
      for await (const piece of readPieces(input, 0, size)) {
        this.#checkTime(giveUpAt);
        digest.update(piece);
        await lanes.run(() => output.writeFile(piece));
        unsyncedBytes += piece.length;
        free(piece);
        if (unsyncedBytes < syncBytes) continue;
        await lanes.run(() => output.datasync());
        unsyncedBytes = 0;
      }
    }
    await lanes.run(() => output.sync());
    return digest.digest("hex");
  }

  /** Who waited has given it up, and may have begun anew. */
  #checkTime(giveUpAt: Instant): void {
    if (this.#options.clock.now() >= giveUpAt) throw new OperatingError("store_unavailable", "the folder was too slow");
  }
}

function partPath(upload: string, number: number, tag: string): string {
  assert(/^[0-9a-f]{32}$/.test(tag), "a part's tag is one of those given out");
  return `${upload}/${number}-${tag}`;
}
