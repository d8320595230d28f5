/**
 * The data folder of a process, which stays the same one for as long as the process lives (J12). A disk that fails may
 * be unmounted to be mended. What is then in the folder's place is an empty mount point, or another folder. A node that
 * took that would join with nothing, and the others would drop its real folder.
 */

import type { Random } from "../base/random.ts";
import type { Disk } from "./disk.ts";
import { notTheSame } from "./failure.ts";
import { folderNameAt, openFileDisk } from "./file-disk.ts";

export class DataFolder {
  readonly #path: string;
  readonly #random: Random;
  /** The folder is there, whether or not its name could be read: no new one is made in its place. */
  #isThere = false;
  #name: string | undefined;

  constructor(path: string, random: Random) {
    this.#path = path;
    this.#random = random;
  }

  /** Opens it, and makes it the first time if there is none. @throws OperatingError as {@link openFileDisk} does. */
  async open(): Promise<Disk> {
    if (this.#name === undefined) await this.#look();
    const disk = await openFileDisk(this.#path, this.#random, this.#isThere ? "old" : "any");
    this.#isThere = true;
    this.#name ??= disk.folder;
    if (disk.folder === this.#name) return disk;
    await disk[Symbol.asyncDispose]();
    throw notTheSame(this.#path);
  }

  /** What cannot be read is there. Opening it says what is wrong. */
  async #look(): Promise<void> {
    try {
      this.#name = await folderNameAt(this.#path);
      this.#isThere ||= this.#name !== undefined;
    } catch {
      this.#isThere = true;
    }
  }
}
