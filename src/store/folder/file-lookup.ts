/**
 * Finds the blob of a name in the folder, without a lock. An open file is one body, even if another file is renamed
 * over its name meanwhile. The result is the blob at the moment when that file was opened.
 *
 * A name has two possible places. The place is chosen when there is no blob, and kept until the blob is removed. So a
 * look-up that tries one place after the other misses nothing.
 */

import { hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import path from "node:path";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { noHeaders } from "../../core/entry.ts";
import type { BlobInfo } from "../blob-store.ts";
import { exists, hasCode, hashOf, openFile, readWhole, statOrUndefined } from "./durable-files.ts";
import { type FileState, matchState, parseMetadata } from "./file-metadata.ts";
import { type FilePaths, foldName, ownFolder } from "./file-names.ts";
import type { Files, OpenFile } from "./files.ts";

export interface FoundBlob {
  /** Relative to the store's folder. */
  readonly place: string;
  readonly info: BlobInfo;
  /** Undefined for a file that others put there. */
  readonly state: FileState | undefined;
  /** Undefined if the body was not wanted or is over the limit. */
  readonly body: Buffer | undefined;
}

/** The most looks for a name in a folder that has it, or another that the file system takes for it. */
const maxPasses = 3;

interface Opened {
  readonly place: string;
  readonly handle: OpenFile;
  readonly stats: BigIntStats;
}

export class FileLookup {
  readonly #root: string;
  readonly #files: Files;
  readonly #clock: Clock;
  /** Whether the file system takes `A` for `a`. */
  #foldsCase = false;
  /** Whether `realpath` gives the spelling on the disk. Linux repeats what it was asked for. */
  #tellsSpelling = false;

  constructor(root: string, files: Files, clock: Clock) {
    this.#root = root;
    this.#files = files;
    this.#clock = clock;
  }

  /** Finds out whether the file system ignores case, and returns it. The store's own folder must exist. */
  async learnCase(): Promise<boolean> {
    const shouted = this.#absolute(ownFolder.toUpperCase());
    this.#foldsCase = await exists(this.#files, shouted);
    if (this.#foldsCase)
      this.#tellsSpelling = (await this.#files.realpath(shouted)).endsWith(path.normalize(ownFolder));
    return this.#foldsCase;
  }

  /**
   * The blob as it is at one moment within the call.
   *
   * @param maxBytes A larger body is not read. Undefined if the body is not wanted.
   */
  async find(paths: FilePaths, maxBytes: number | undefined, giveUpAt: Instant): Promise<FoundBlob | undefined> {
    for (;;) {
      const found = await this.#findOnce(paths, maxBytes);
      if (found !== "changed") return found;
      this.#requireTime(giveUpAt);
    }
  }

  /** The body of the blob, open for reading, if the blob has this tag. The caller owns the handle. */
  async open(paths: FilePaths, tag: string, giveUpAt: Instant): Promise<OpenFile | undefined> {
    for (;;) {
      await using stack = new AsyncDisposableStack();
      const opened = await this.#open(paths);
      if (opened === undefined) return undefined;
      const handle = stack.use(opened.handle);
      const found = await this.#look(handle, opened.stats, opened.place, paths.metadata, undefined);
      if (found !== "changed") {
        if (found.info.tag !== tag) return undefined;
        stack.move();
        return handle;
      }
      this.#requireTime(giveUpAt);
    }
  }

  async #findOnce(paths: FilePaths, maxBytes: number | undefined): Promise<FoundBlob | undefined | "changed"> {
    const opened = await this.#open(paths);
    if (opened === undefined) return undefined;
    await using handle = opened.handle;
    return await this.#look(handle, opened.stats, opened.place, paths.metadata, maxBytes);
  }

  /** Opens the first of the name's places that has a file. */
  async #open(paths: FilePaths): Promise<Opened | undefined> {
    for (const place of [paths.natural, paths.aside]) {
      if (place === undefined) continue;
      await using stack = new AsyncDisposableStack();
      const opened = await openFile(this.#files, this.#absolute(place));
      if (opened === undefined) continue;
      stack.use(opened.handle);
      if (place === paths.natural && !(await this.isSpelledSo(place))) continue;
      stack.move();
      return { place, ...opened };
    }
    return undefined;
  }

  async #look(
    handle: OpenFile,
    stats: BigIntStats,
    place: string,
    metadata: string,
    maxBytes: number | undefined,
  ): Promise<FoundBlob | "changed"> {
    const size = Number(stats.size);
    const wanted = maxBytes !== undefined && size <= maxBytes;
    const body = wanted ? await readWhole(handle, size) : undefined;
    if (wanted && body === undefined) return "changed";
    const states = await this.#states(metadata);
    const md5 = async (): Promise<string> => (body ? hash("md5", body) : await hashOf(handle));
    const state = await matchState(states, stats, md5);
    if (state === undefined) {
      // Either the file is another program's, or it was replaced after it was opened, and its metadata too.
      const now = await statOrUndefined(this.#files, this.#absolute(place));
      if (now?.ino !== stats.ino || now.ctimeNs !== stats.ctimeNs || now.size !== stats.size) return "changed";
    }
    return { place, state, body, info: describeFile(stats, state) };
  }

  async #states(metadata: string): Promise<readonly FileState[]> {
    try {
      return parseMetadata(await this.#files.readFile(this.#absolute(metadata)));
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
      throw error;
    }
  }

  /** Whether the file that the file system finds at this place has this very spelling. True if there is none. */
  async isSpelledSo(place: string): Promise<boolean> {
    if (!this.#foldsCase) return true;
    if (!this.#tellsSpelling) return await this.#isListedSo(place);
    let existing = this.#absolute(place);
    while (!(await exists(this.#files, existing))) existing = path.dirname(existing);
    const [root, real] = await Promise.all([this.#files.realpath(this.#root), this.#files.realpath(existing)]);
    return path.relative(root, real) === path.relative(this.#root, existing);
  }

  /** The same, by the names that the folders list. */
  async #isListedSo(place: string): Promise<boolean> {
    let folder = this.#root;
    for (const part of place.split("/")) {
      const file = `${folder}/${part}`;
      if (!(await exists(this.#files, file))) return true;
      if (!(await this.#lists(folder, part))) return false;
      folder = file;
    }
    return true;
  }

  async #lists(folder: string, name: string): Promise<boolean> {
    const folded = foldName(name);
    for (let pass = 0; pass < maxPasses; pass++) {
      const names = await this.#files.readdir(folder);
      if (names.includes(name)) return true;
      if (names.some((other) => foldName(other) === folded)) return false;
      // A pass may miss a file that is replaced meanwhile.
    }
    return false;
  }

  #requireTime(giveUpAt: Instant): void {
    if (this.#clock.now() < giveUpAt) return;
    throw new OperatingError("store_unavailable", "the file changed each time it was looked at");
  }

  #absolute(place: string): string {
    return `${this.#root}/${place}`;
  }
}

function describeFile(stats: BigIntStats, state: FileState | undefined): BlobInfo {
  return {
    tag: state?.tag ?? `found-${stats.ino}-${stats.size}-${stats.mtimeNs}-${stats.ctimeNs}`,
    size: Number(stats.size),
    headers: state?.headers ?? noHeaders,
    version: state?.version,
    upload: state?.upload,
    modifiedMs: Number(stats.mtimeMs),
  };
}
