/**
 * A folder of its own for a test, on a disk that takes `A` for `a`, as a USB stick, a share of Windows and macOS do.
 * What the code under test asks of the file system there goes to the entry that such a disk would find.
 */

import sync, { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { foldName } from "../../src/store/folder/file-names.ts";

const { open, lstat, stat, readFile, readdir, realpath, rename, mkdir, unlink, rm, writeFile } = fs;
const originals = { open, lstat, stat, readFile, readdir, realpath, rename, mkdir, unlink, rm, writeFile };

/** With a path in front, and maybe more behind it. */
type Call = (path: string, ...rest: unknown[]) => Promise<unknown>;

export class FoldingFiles implements Disposable {
  /** The folder's path. */
  readonly path = sync.realpathSync(mkdtempSync(join(tmpdir(), "weir-folding-")));

  /** @param tellsSpelling Whether `realpath` gives the spelling on the disk, as on macOS, or the one asked for. */
  constructor(tellsSpelling: boolean) {
    const patched: Record<string, Call> = {};
    for (const [name, call] of Object.entries(originals) as [string, Call][])
      patched[name] = (path, ...rest) => call(this.#find(path), ...rest);
    if (!tellsSpelling)
      patched["realpath"] = async (path) => {
        await lstat(this.#find(path));
        return path;
      };
    // What finds a name and takes it is one step of a disk.
    patched["rename"] = async (from, to) => sync.renameSync(this.#find(from), this.#find(to as string));
    patched["mkdir"] = async (path, mode) => sync.mkdirSync(this.#find(path), mode as number);
    Object.assign(fs, patched);
    syncBuiltinESMExports();
  }

  [Symbol.dispose](): void {
    Object.assign(fs, originals);
    syncBuiltinESMExports();
    rmSync(this.path, { recursive: true });
  }

  /** The path with the spelling of what is there. */
  #find(path: unknown): string {
    const place = relative(this.path, String(path));
    if (place === "" || place.startsWith("..")) return String(path);
    let found = this.path;
    for (const part of place.split(sep)) {
      const names = existsSync(found) && sync.statSync(found).isDirectory() ? readdirSync(found) : [];
      found = join(found, names.find((each) => foldName(each) === foldName(part)) ?? part);
    }
    return found;
  }
}
