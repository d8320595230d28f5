/**
 * A folder that one program alone fills or reads, for export and import. It is laid out like the folder store's
 * (`file-names.ts`, `file-metadata.ts`). So any name has its place, headers are kept, and the folder may serve as a
 * store.
 *
 * Unlike the store, it takes no locks and syncs nothing. Bodies of any size stream. Metadata is written only for what
 * the file itself does not tell. A folder that nobody exported is read as it is: each file's path is its name.
 */

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { type ContentHeaders, noHeaders } from "../../core/entry.ts";
import { makeFolders } from "../../folders.ts";
import { fileError, hasCode, makeFolder, readPieces } from "./durable-files.ts";
import { FileListing, type ListedFile, type OnUnreadable } from "./file-listing.ts";
import { FileLookup, type FoundBlob } from "./file-lookup.ts";
import { type FileState, formatMetadata, identityOf } from "./file-metadata.ts";
import { type FilePaths, filePaths, metadataFolder, ownFolder, temporaryFolder } from "./file-names.ts";
import { type OpenFile, pooledFiles } from "./files.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { NameTurns } from "./name-turns.ts";

export interface CopiedFile {
  readonly name: string;
  /** The file's path on this host. */
  readonly path: string;
  readonly size: number;
  readonly headers: ContentHeaders;
  /** The ETag of the copied value, if it is known. */
  readonly etag: string | undefined;
}

/** What a body turned out to be. */
export interface BodyFacts {
  readonly size: number;
  /** 32 hexadecimal digits. */
  readonly md5: string;
}

export class FolderCopy {
  readonly #root: string;
  readonly #random: Random;
  readonly #lookup: FileLookup;
  readonly #listing: FileListing;
  readonly #turns = new NameTurns();

  constructor(folder: string, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#root = path.resolve(folder);
    this.#random = ports.random;
    this.#lookup = new FileLookup(this.#root, pooledFiles, ports.clock);
    this.#listing = new FileListing(this.#root, this.#lookup, ports.clock);
  }

  /**
   * Makes the folder, if there is none, ready to be filled.
   *
   * @throws OperatingError `store_refused`, `store_unavailable`.
   */
  async prepare(): Promise<void> {
    try {
      await makeFolders(this.#absolute(metadataFolder));
      await makeFolders(this.#absolute(temporaryFolder));
      await this.#lookup.learnCase();
      await this.#sweep();
    } catch (error) {
      if (hasCode(error, "ENOENT")) {
        const message = `the folder ${this.#root} can't be made: ${(error as Error).message}`;
        throw new OperatingError("store_refused", message, { cause: error });
      }
      throw fileError(error, this.#root);
    }
  }

  /** Removes what exports have left that were interrupted. Another export may fill the folder at the same time. */
  async #sweep(): Promise<void> {
    const trial = this.#temporary();
    await writeFile(trial, "");
    await rm(trial);
    await sweepLeftovers(path.dirname(trial));
  }

  /**
   * Every file in it that can be read, in the order of names.
   *
   * @throws OperatingError `store_refused` when there is no such folder.
   */
  async *files(onUnreadable: OnUnreadable): AsyncGenerator<CopiedFile> {
    const stats = await stat(this.#root).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) throw new OperatingError("store_refused", `there is no folder ${this.#root}`);
      throw fileError(error, this.#root);
    });
    if (!stats.isDirectory()) throw new OperatingError("store_refused", `${this.#root} is not a folder`);
    await this.#lookup.learnCase().catch((error: unknown) => {
      throw fileError(error, this.#root);
    });
    for await (const listed of this.#listing.files(onUnreadable)) {
      let file: CopiedFile | undefined;
      try {
        file = await this.#fileOf(listed);
      } catch (error) {
        onUnreadable(listed.place, error as Error);
      }
      if (file) yield file;
    }
  }

  async #fileOf({ name, place }: ListedFile): Promise<CopiedFile | undefined> {
    const found = name === undefined ? undefined : await this.#lookUp(name);
    // A file of others may have per cent signs in its name. They are escapes only in a file that was exported.
    if (name !== undefined && (name === place || found?.state))
      return found && this.#describe(name, found.place, found.info.size, found.state);
    if (place.startsWith(`${ownFolder}/`)) throw new Error("it is not what its metadata says: export it once more");
    const own = await stat(this.#absolute(place)).catch(() => undefined);
    return own?.isFile() ? this.#describe(place, place, own.size, undefined) : undefined;
  }

  /** The file of this name. Undefined if there is none. */
  async find(name: string): Promise<CopiedFile | undefined> {
    const found = await this.#find(name);
    return found && this.#describe(name, found.place, found.info.size, found.state);
  }

  /**
   * Writes a file, whole or not at all.
   *
   * @param accept Throws when the body is not the expected one. Then nothing is changed.
   */
  async put(
    name: string,
    body: AsyncIterable<Buffer>,
    about: { readonly headers: ContentHeaders; readonly etag: string },
    accept: (facts: BodyFacts) => void,
  ): Promise<BodyFacts> {
    const temporary = this.#temporary();
    try {
      const facts = await writeBody(body, temporary);
      accept(facts);
      const known = { ...facts, ...identityOf(await stat(temporary, { bigint: true })) };
      const state = { ...known, tag: about.etag, headers: { ...about.headers } };
      await this.#turns.take(name, () => this.#place(name, temporary, state));
      return facts;
    } catch (error) {
      throw fileError(error, this.#root);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #place(name: string, temporary: string, state: FileState): Promise<void> {
    const paths = filePaths(name);
    const found = await this.#find(name);
    const places = found ? [found.place] : [paths.natural, paths.aside];
    for (const place of places) {
      if (place === undefined || !(await this.#makeRoom(place))) continue;
      const isPlain = place === name && state.tag === state.md5 && Object.keys(state.headers).length === 0;
      if (!isPlain) await this.#putMetadata(name, paths, found?.state ? [state, found.state] : [state]);
      try {
        await rename(temporary, this.#absolute(place));
      } catch (error) {
        if (hasCode(error, "EISDIR", "ENOTEMPTY", "EEXIST", "ENOTDIR")) continue;
        throw error;
      }
      if (isPlain) await rm(this.#absolute(paths.metadata), { force: true });
      return;
    }
    throw new OperatingError("store_refused", `there is no place for ${JSON.stringify(name)} in ${this.#root}`);
  }

  async #makeRoom(place: string): Promise<boolean> {
    return (await makeFolder(path.dirname(this.#absolute(place)))) && (await this.#lookup.isSpelledSo(place));
  }

  async #putMetadata(name: string, paths: FilePaths, states: readonly FileState[]): Promise<void> {
    const temporary = this.#temporary();
    await writeFile(temporary, formatMetadata(name, states));
    await rename(temporary, this.#absolute(paths.metadata));
  }

  async #find(name: string): Promise<FoundBlob | undefined> {
    try {
      return await this.#lookUp(name);
    } catch (error) {
      throw fileError(error, this.#root);
    }
  }

  #lookUp(name: string): Promise<FoundBlob | undefined> {
    return this.#lookup.find(filePaths(name), undefined, Number.POSITIVE_INFINITY);
  }

  #describe(name: string, place: string, size: number, state: FileState | undefined): CopiedFile {
    return { name, path: this.#absolute(place), size, headers: state?.headers ?? noHeaders, etag: state?.tag };
  }

  #temporary(): string {
    return this.#absolute(`${temporaryFolder}/${this.#random.id()}`);
  }

  #absolute(place: string): string {
    return path.join(this.#root, place);
  }
}

/** MD5 and size of the file. */
export async function factsOf(file: string): Promise<BodyFacts> {
  const md5 = createHash("md5");
  let size = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    md5.update(chunk);
    size += chunk.length;
  }
  return { size, md5: md5.digest("hex") };
}

/** The first bytes of an open file. It stays open, unlike by a stream of its own. */
export function contentOf(file: OpenFile, size: number): Readable {
  return Readable.from(readPieces(file, 0, size));
}

async function writeBody(body: AsyncIterable<Buffer>, file: string): Promise<BodyFacts> {
  const md5 = createHash("md5");
  let size = 0;
  await pipeline(
    body,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        md5.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file, { flags: "wx" }),
  );
  return { size, md5: md5.digest("hex") };
}
