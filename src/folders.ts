/**
 * Makes folders, with those above them. A system may say that the parent is missing although it is there, as /proc
 * does. Node's own way never ends then: it makes the parent, tries again, and so on.
 */

import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Other processes may remove empty folders meanwhile, and each time the parent has to be made once more. This many
 * times in a row is no coincidence.
 */
const maxAttempts = 10;

/**
 * Makes the folder, and those above it that are missing.
 *
 * @param mode of the folder itself, less the process's umask
 * @returns the absolute path of the highest folder that was made; undefined if the folder was there
 * @throws the system's error for the first folder that can't be made
 */
export async function makeFolders(path: string, mode = 0o777): Promise<string | undefined> {
  const folder = resolve(path);
  const parent = dirname(folder);
  let highest: string | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(folder, mode);
      return highest ?? folder;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isParentMissing = code === "ENOENT" && parent !== folder;
      if (!isParentMissing && (await isFolder(folder))) return highest;
      // It was there and has been removed since. Try again: otherwise the error would say that something else is in its
      // place.
      const isGone = code === "EEXIST" && (await isRemoved(folder));
      if ((!isParentMissing && !isGone) || attempt === maxAttempts) throw error;
      if (isGone) continue;
    }
    highest = (await makeFolders(parent)) ?? highest;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Whether nothing is there, or a folder by now. A link that leads nowhere counts as something. */
async function isRemoved(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
