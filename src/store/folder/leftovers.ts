/** What killed processes have left among the temporary files of a folder. */

import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { statOrUndefined } from "./durable-files.ts";
import { pooledFiles } from "./files.ts";

/**
 * From this age on, a temporary file is the leftover of a killed process, in milliseconds. No write's deadline is as
 * long, nor does an export wait as long for the next piece of a body.
 */
const leftoverMs = 3_600_000;

/**
 * Removes what killed processes left. "Now" is the folder's time of change, by the file system's own clock: the caller
 * has just changed the folder.
 */
export async function sweepLeftovers(folder: string): Promise<void> {
  const { mtimeMs } = await stat(folder);
  for (const each of await readdir(folder)) {
    const file = path.join(folder, each);
    const stats = await statOrUndefined(pooledFiles, file);
    if (stats !== undefined && mtimeMs - Number(stats.mtimeMs) > leftoverMs)
      await rm(file, { recursive: true, force: true });
  }
}
