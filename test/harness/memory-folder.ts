/**
 * A folder in memory for a whole run of the tests: a sync of it takes no time. On a disk, each of the many thousand
 * syncs takes milliseconds, and processor time of the kernel. What is there outlives a process that is killed, as on a
 * disk; no test switches the machine off.
 */

import { accessSync, constants, readFileSync, statfsSync } from "node:fs";

const folder = "/dev/shm";

/** More than all tests have in their folders at a time. */
const neededBytes = 4 * 1024 ** 3;

/** Undefined where there is none, or none that is large enough and from which programs may be run. */
export function memoryFolder(): string | undefined {
  try {
    const [, , kind, options] =
      readFileSync("/proc/mounts", "utf8")
        .split("\n")
        .map((line) => line.split(" "))
        .findLast(([, path]) => path === folder) ?? [];
    if (kind !== "tmpfs" || options?.split(",").includes("noexec") !== false) return undefined;
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > neededBytes ? folder : undefined;
  } catch {
    // Another system, or it may not be written to: the usual folder does.
    return undefined;
  }
}
