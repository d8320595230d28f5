/**
 * Lists the folder's blobs in the order of their names. The order of the files is another one: parts are escaped, and
 * some blobs lie aside.
 *
 * Folders are read one after the other, when the listing comes to them. A folder without entries for the listing is
 * skipped. Each name is looked up like any other, so what is listed was there. Two things are not listed: files that
 * belong to no name, and files behind a link to a folder.
 *
 * Each page reads whole folders. That suits what this store is for.
 */

import type { Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import { entryOf, isCommonPrefix, type ListQuery } from "../../core/listing.ts";
import type { ListedBlob, ListPage } from "../blob-store.ts";
import { exists, hasCode, statOrUndefined } from "./durable-files.ts";
import { FileLanes } from "./file-lanes.ts";
import type { FileLookup } from "./file-lookup.ts";
import { parseName } from "./file-metadata.ts";
import { asideFolder, decodePart, filePaths, metadataOfAside, ownFolder } from "./file-names.ts";
import { pooledFiles } from "./files.ts";

/** Names that are looked up at a time: twice the runtime's threads for files. */
const lookupsAtOnce = 8;
/**
 * So many of them by all listings together. Their calls are short, and there are very many. Without a bound the
 * journal's next write would wait behind all of them for one of the runtime's threads.
 */
const laneCountOfListings = 4;

/**
 * The part of its time after which a page ends with what it has. A slow disk makes pages short. Without that, a listing
 * of many names would fail again and again, and would get no further.
 */
const fillPart = 1 / 2;

/** The most passes over a folder that changes meanwhile. */
const maxPasses = 3;

/**
 * Milliseconds. A folder that changed within this time may change again within the same tick of the file system's
 * clock.
 */
const tickMs = 50;

/** Where a listing is. The query's `after` is the last entry listed so far. */
interface Position {
  query: ListQuery;
  readonly giveUpAt: Instant;
  /** Without it, the first file or folder that cannot be read makes the listing fail. */
  readonly onUnreadable?: OnUnreadable;
}

/**
 * Hears of a file or folder that cannot be read, and why. `place` is relative to the listed folder. The listing skips
 * it.
 */
export type OnUnreadable = (place: string, error: Error) => void;

/** A file that may be a blob. */
export interface ListedFile {
  /** Relative to the store's folder. */
  readonly place: string;
  /** The name that the file belongs to. Undefined for a file that others have put there, whose path no name has. */
  readonly name: string | undefined;
}

export class FileListing {
  readonly #root: string;
  readonly #lookup: FileLookup;
  readonly #clock: Clock;
  readonly #lanes = new FileLanes(laneCountOfListings);

  constructor(root: string, lookup: FileLookup, clock: Clock) {
    this.#root = root;
    this.#lookup = lookup;
    this.#clock = clock;
  }

  async list(query: ListQuery, giveUpAt: Instant): Promise<ListPage> {
    const position: Position = { query, giveUpAt };
    const now = this.#clock.now();
    const shortAt = now + fillPart * (giveUpAt - now);
    const blobs: ListedBlob[] = [];
    const prefixes: string[] = [];
    let batch: string[] = [];
    let count = 0;
    for await (const { name } of this.#files(position)) {
      const entry = name === undefined ? undefined : entryOf(name, position.query);
      if (entry === undefined) continue;
      const isShort = this.#clock.now() >= shortAt && blobs.length + prefixes.length > 0;
      if (count === query.limit || isShort) {
        blobs.push(...(await this.#lookUp(batch, giveUpAt)));
        if (blobs.length + prefixes.length > 0) return { blobs, prefixes, next: position.query.after };
        // All entries of the batch have gone meanwhile.
        batch = [];
        count = 0;
      }
      if (isCommonPrefix(entry, query)) prefixes.push(entry);
      else batch.push(entry);
      count++;
      position.query = { ...query, after: entry };
      if (batch.length === lookupsAtOnce) {
        blobs.push(...(await this.#lookUp(batch, giveUpAt)));
        batch = [];
        this.#checkTime(position);
      }
    }
    blobs.push(...(await this.#lookUp(batch, giveUpAt)));
    return { blobs, prefixes, next: undefined };
  }

  /** All files that may be blobs, in the order of their names. Each folder is read when the listing comes to it. */
  files(onUnreadable: OnUnreadable): AsyncGenerator<ListedFile> {
    const query = { prefix: "", after: "", delimiter: "", limit: 1 };
    return this.#files({ query, giveUpAt: Number.POSITIVE_INFINITY, onUnreadable });
  }

  async #lookUp(names: readonly string[], giveUpAt: Instant): Promise<ListedBlob[]> {
    const found = await Promise.all(
      names.map((name) => this.#lanes.run(() => this.#lookup.find(filePaths(name), undefined, giveUpAt))),
    );
    return found.flatMap((each, index) => {
      if (each === undefined) return [];
      const { tag, size, modifiedMs } = each.info;
      return [{ name: names[index] as string, size, tag, md5: each.state?.md5, modifiedMs }];
    });
  }

  /**
   * All files that the position's query lists, ascending by name. The position may already have moved past some of
   * them.
   */
  async *#files(position: Position): AsyncGenerator<ListedFile> {
    const aside = (await this.#asideNames(position)).map((name) => ({ name, place: filePaths(name).aside }));
    let next = 0;
    for await (const file of this.#walk("", "", position)) {
      const start = file.name ?? file.place;
      for (; next < aside.length && compareText(aside[next]?.name as string, start) < 0; next++)
        yield aside[next] as ListedFile;
      if (aside[next]?.name === file.name) next++; // others have put a file in its natural place, which counts
      yield file;
    }
    yield* aside.slice(next);
  }

  async #asideNames(position: Position): Promise<string[]> {
    const names: string[] = [];
    for (const { name: file } of await this.#readable(`${asideFolder}/`, position)) {
      const name = await this.#nameOfAside(file, position);
      if (name !== undefined && entryOf(name, position.query) !== undefined) names.push(name);
      this.#checkTime(position);
    }
    return names.sort(compareText);
  }

  async #nameOfAside(file: string, { onUnreadable }: Position): Promise<string | undefined> {
    try {
      const name = parseName(await readFile(`${this.#root}/${metadataOfAside(file)}`));
      return name !== undefined && filePaths(name).aside === `${asideFolder}/${file}` ? name : undefined;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      if (onUnreadable === undefined) throw error;
      onUnreadable(`${asideFolder}/${file}`, error as Error);
      return undefined;
    }
  }

  /** @param folder Empty, or ending in a slash. So is `name`, with which the names of its files begin. */
  async *#walk(folder: string, name: string, position: Position): AsyncGenerator<ListedFile> {
    this.#checkTime(position);
    const files = (await this.#readable(folder, position)).map((each) => ({
      file: each.name,
      isFolder: each.isDirectory(),
      name: name + decodePart(each.name) + (each.isDirectory() ? "/" : ""),
    }));
    files.sort((a, b) => compareText(a.name, b.name));
    for (const each of files) {
      const place = folder + each.file;
      if (each.isFolder) {
        if (place !== ownFolder && mayHold(each.name, position.query))
          yield* this.#walk(`${place}/`, each.name, position);
      } else if (entryOf(each.name, position.query) !== undefined) {
        yield { place, name: isOf(each.name, place) ? each.name : undefined };
      }
    }
  }

  /** The folder's entries that can be named. */
  async #readable(folder: string, { onUnreadable }: Position): Promise<Dirent[]> {
    if (onUnreadable === undefined) return await this.#read(folder);
    const found: Dirent[] = [];
    try {
      for (const each of await this.#read(folder)) {
        // Node puts this character in a name that is not UTF-8. Such a path leads nowhere.
        const isNamed =
          !each.name.includes("\uFFFD") || (await exists(pooledFiles, `${this.#root}/${folder}${each.name}`));
        if (isNamed) found.push(each);
        else onUnreadable(folder + each.name, new Error("its name is not UTF-8"));
      }
    } catch (error) {
      onUnreadable(folder, error as Error);
    }
    return found;
  }

  /**
   * The folder's entries. A pass may miss a file that is replaced meanwhile. Then there is another pass, and the result
   * has the entries of all passes.
   */
  async #read(folder: string): Promise<Dirent[]> {
    const path = `${this.#root}/${folder}`;
    const seen = new Map<string, Dirent>();
    try {
      for (let pass = 0; pass < maxPasses; pass++) {
        const before = await statOrUndefined(pooledFiles, path);
        for (const each of await readdir(path, { withFileTypes: true })) seen.set(each.name, each);
        const after = await statOrUndefined(pooledFiles, path);
        const isRecent = after !== undefined && this.#clock.wallMs() - Number(after.mtimeMs) <= tickMs;
        if (before?.mtimeNs === after?.mtimeNs && !isRecent) break;
      }
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    }
    return [...seen.values()];
  }

  #checkTime({ giveUpAt }: Position): void {
    if (this.#clock.now() >= giveUpAt)
      throw new OperatingError("store_unavailable", "listing the folder took too long");
  }
}

/** Whether this is the name's own place. A file of others may have a path that no name has. */
function isOf(name: string, place: string): boolean {
  return name !== "" && name.isWellFormed() && filePaths(name).natural === place;
}

/** Whether the query may list names that begin with `start`. */
function mayHold(start: string, { prefix, after, delimiter }: ListQuery): boolean {
  if (!start.startsWith(prefix))
    return prefix.startsWith(start) && (after.startsWith(start) || compareText(start, after) > 0);
  const at = delimiter === "" ? -1 : start.indexOf(delimiter, prefix.length);
  if (at !== -1) return compareText(start.slice(0, at + delimiter.length), after) > 0;
  return after.startsWith(start) || compareText(start, after) > 0;
}
