/**
 * Tries out whether a disk takes what a journal is about to write: before a node joins, and again after a failure. A
 * node that joined first would be lost again with its first write (J11).
 */

import { createCipheriv, createHash } from "node:crypto";
import { formatBytes } from "../base/quantity-text.ts";
import type { Disk } from "./disk.ts";
import { lacksRoom } from "./failure.ts";

export interface Trial {
  /** Bytes that have to be free. */
  readonly roomBytes: number;
  /** The most that the folder's files may ever take, in bytes. What they take already need not be free. */
  readonly limitBytes: number;
  /** Bytes that are written and synced; less, if less has to be free, and half of what is free at most. */
  readonly writtenBytes: number;
}

/** More than this part of the disk is never asked for: it could not be had on one that is small. */
const largestPart = 1 / 4;
const trialFile = "trial";
const chunkBytes = 1024 * 1024;
/** So much is written in any case. */
const leastBytes = 4 * 1024;

/**
 * Rejects with the file system's error, or OperatingError `disk_failed`, if the disk does not take it. Leaves nothing
 * behind; what a process that was killed left is removed.
 */
export async function tryDisk(disk: Disk, { roomBytes, limitBytes, writtenBytes }: Trial): Promise<void> {
  if ((await disk.list()).includes(trialFile)) await disk.remove(trialFile);
  const { freeBytes, ownBytes, totalBytes } = await disk.space();
  const neededBytes = Math.floor(Math.min(roomBytes, Math.max(0, limitBytes - ownBytes), totalBytes * largestPart));
  if (freeBytes < neededBytes)
    throw lacksRoom(disk.description, `${formatBytes(freeBytes)} are free, ${formatBytes(neededBytes)} are needed`);
  // A quota does not show in what is free, nor does a disk that fails.
  await write(disk, Math.max(leastBytes, Math.min(writtenBytes, neededBytes, Math.floor(freeBytes / 2))));
}

async function write(disk: Disk, bytes: number): Promise<void> {
  const file = await disk.create(trialFile);
  // What compresses, or is elsewhere on the disk, takes no room there.
  const noise = createCipheriv("aes-256-ctr", createHash("sha256").update(disk.folder).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.min(bytes, chunkBytes));
  try {
    for (let left = bytes; left > 0; left -= chunkBytes) await file.append([noise.update(zeros.subarray(0, left))]);
    await file.sync();
  } finally {
    await file.close();
    await disk.remove(trialFile);
  }
  await disk.syncFolder();
}
