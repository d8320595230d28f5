/** The few operations on files that a durable store is made of. `folder-syncs.ts` makes their names durable. */

import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import path from "node:path";
import { OperatingError } from "../../base/errors.ts";
import { makeFolders } from "../../folders.ts";
import type { Files, OpenFile } from "./files.ts";

/**
 * Makes a file and syncs it.
 *
 * @throws when the file exists.
 */
export async function createDurably(files: Files, file: string, bytes: Uint8Array): Promise<void> {
  await using handle = await files.open(file, "wx");
  await handle.writeFile(bytes);
  await handle.sync();
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
export async function removeEmptyFolders(files: Files, folder: string, root: string): Promise<void> {
  try {
    for (let each = folder; each !== root; each = path.dirname(each)) await files.rmdir(each);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY", "EACCES", "EPERM")) throw error;
  }
}

/** Removes the file, if it is there. */
export async function removeFile(files: Files, file: string): Promise<void> {
  try {
    await files.unlink(file);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/** Opens the regular file for reading. Undefined if there is none. Does not wait for a pipe's writer. */
export async function openFile(
  files: Files,
  file: string,
): Promise<{ handle: OpenFile; stats: BigIntStats } | undefined> {
  let handle: OpenFile;
  try {
    handle = await files.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
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
export async function readWhole(handle: OpenFile, size: number): Promise<Buffer | undefined> {
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
export async function* readPieces(handle: OpenFile, start: number, end: number): AsyncGenerator<Buffer, void, void> {
  for (let offset = start; offset < end; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - offset));
    const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    offset += bytesRead;
  }
}

/** The MD5 of the file's bytes, in hexadecimal digits. */
export async function hashOf(handle: OpenFile): Promise<string> {
  const digest = createHash("md5");
  for await (const piece of readPieces(handle, 0, Number.POSITIVE_INFINITY)) digest.update(piece);
  return digest.digest("hex");
}

export async function statOrUndefined(files: Files, file: string): Promise<BigIntStats | undefined> {
  try {
    return await files.stat(file, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

export async function exists(files: Files, file: string): Promise<boolean> {
  try {
    await files.lstat(file);
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
