/**
 * Syncs folders. A name in a folder is durable only once the folder is synced too. One sync makes all names durable
 * that were in the folder when it began. So writes that wait for a sync of one folder share it, if it has not begun
 * yet.
 */

import { constants } from "node:fs";
import path from "node:path";
import { hasCode } from "./durable-files.ts";
import type { FileLanes } from "./file-lanes.ts";
import type { FilePaths } from "./file-names.ts";
import type { Files } from "./files.ts";

export class FolderSyncs {
  readonly #files: Files;
  readonly #lanes: FileLanes;
  /** By folder: the sync that has not begun. */
  readonly #next = new Map<string, Promise<void>>();

  constructor(files: Files, lanes: FileLanes) {
    this.#files = files;
    this.#lanes = lanes;
  }

  /** Makes all names durable that are in the folder now. */
  sync(folder: string): Promise<void> {
    const waiting = this.#next.get(folder);
    if (waiting !== undefined) return waiting;
    let hasBegun = false;
    const next = this.#lanes.run(async () => {
      // Who comes from now on may have changed a name that this sync misses.
      hasBegun = true;
      this.#next.delete(folder);
      await using handle = await this.#files.open(folder, constants.O_RDONLY);
      await handle.sync();
    });
    if (!hasBegun) this.#next.set(folder, next);
    return next;
  }

  /**
   * Syncs the folder and those above it, up to and including `root`. All of them: another process may have made them a
   * moment ago. A folder that was empty may be gone meanwhile, and a file be in its place. It is skipped.
   */
  async syncUpTo(root: string, folder: string): Promise<void> {
    const folders = [folder];
    for (let each = folder; each !== root; folders.push(each)) each = path.dirname(each);
    await Promise.all(folders.map((each) => this.#syncIfThere(each, each === root)));
  }

  /** Makes durable what is in the places of a name now, and also that there is nothing. */
  async syncPlaces(root: string, { natural, aside }: FilePaths): Promise<void> {
    const places = natural === undefined ? [aside] : [natural, aside];
    await Promise.all(places.map((place) => this.syncUpTo(root, path.dirname(`${root}/${place}`))));
  }

  async #syncIfThere(folder: string, mustBeThere: boolean): Promise<void> {
    try {
      await this.sync(folder);
    } catch (error) {
      if (mustBeThere || !hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    }
  }
}
