/**
 * The few operations on files that a durable store is made of. A name in a folder is durable only once the folder is
 * synced too.
 */

import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { constants, rmdirSync } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import path from "node:path";
import { OperatingError } from "../../base/errors.ts";
import { makeFolders } from "../../folders.ts";

/**
 * Makes a file and syncs it. Returns its stats, by which the file is recognized later.
 *
 * @throws when the file exists.
 */
export async function createDurably(file: string, bytes: Uint8Array): Promise<BigIntStats> {
  await using handle = await open(file, "wx");
  await handle.writeFile(bytes);
  await handle.sync();
  return await handle.stat({ bigint: true });
}

/**
 * Syncs the folder and those above it, up to and including `root`. All of them: another process may have made them a
 * moment ago. A folder that was empty may be gone meanwhile. It is skipped.
 */
export async function syncFolders(folder: string, root: string): Promise<void> {
  try {
    await using handle = await open(folder, constants.O_RDONLY);
    await handle.sync();
  } catch (error) {
    if (folder === root || !hasCode(error, "ENOENT")) throw error;
  }
  if (folder !== root) await syncFolders(path.dirname(folder), root);
}

/** False if the path runs through a file. */
export async function makeFolder(folder: string): Promise<boolean> {
  try {
    await makeFolders(folder);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST", "ENOTDIR")) return false;
    throw error;
  }
}

/**
 * Removes the folder and those above it, below `root`, as far as they are empty. A folder that gets a file meanwhile
 * stays.
 */
export function removeEmptyFolders(folder: string, root: string): void {
  let each = folder;
  try {
    while (each !== root) {
      rmdirSync(each);
      each = path.dirname(each);
    }
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY", "EACCES", "EPERM")) throw error;
  }
}

/** Opens the regular file for reading. Undefined if there is none. Does not wait for a pipe's writer. */
export async function openFile(file: string): Promise<{ handle: FileHandle; stats: BigIntStats } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "ENXIO")) return undefined;
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** The first `size` bytes, in a buffer of their own. Undefined if there are fewer. */
export async function readWhole(handle: FileHandle, size: number): Promise<Buffer | undefined> {
  const body = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  while (offset < size) {
    const { bytesRead } = await handle.read(body, offset, size - offset, offset);
    if (bytesRead === 0) return undefined;
    offset += bytesRead;
  }
  return body;
}

/** Bytes that are read at a time from a file that may be larger than memory. */
const pieceBytes = 256 * 1024;

/** The bytes from `start` to `end`, piece by piece. Fewer if the file ends before. */
export async function* readPieces(handle: FileHandle, start: number, end: number): AsyncGenerator<Buffer, void, void> {
  for (let offset = start; offset < end; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - offset));
    const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    offset += bytesRead;
  }
}

/** The MD5 of the file's bytes, in hexadecimal digits. */
export async function hashOf(handle: FileHandle): Promise<string> {
  const digest = createHash("md5");
  for await (const piece of readPieces(handle, 0, Number.POSITIVE_INFINITY)) digest.update(piece);
  return digest.digest("hex");
}

export async function statOrUndefined(file: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(file, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

export async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(error.code as string);
}

/**
 * What a failed operation on a file means to the port's caller. `store_refused` if a person must mend it. Otherwise it
 * may pass: `store_unavailable`.
 */
export function fileError(error: unknown, folder: string): Error {
  if (error instanceof OperatingError || !(error instanceof Error) || !("code" in error)) return error as Error;
  if (hasCode(error, "EROFS")) {
    const message = `the folder ${folder} can't be used: ${error.message}; its file system is mounted read-only`;
    return new OperatingError("store_refused", message, { cause: error });
  }
  if (hasCode(error, "EACCES", "EPERM")) {
    const message = `the folder ${folder} can't be used: ${error.message}; give weir's user the right to read and write it`;
    return new OperatingError("store_refused", message, { cause: error });
  }
  if (hasCode(error, "ENOTDIR", "EEXIST", "ENAMETOOLONG", "ELOOP", "EXDEV", "ERR_SQLITE_ERROR")) {
    return new OperatingError("store_refused", `the folder ${folder} can't be used: ${error.message}`, {
      cause: error,
    });
  }
  return new OperatingError("store_unavailable", `the folder ${folder} failed: ${error.message}`, { cause: error });
}
