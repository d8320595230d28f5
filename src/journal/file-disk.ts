/**
 * The disk port over a folder of the file system: one `writev` and one `fdatasync` a group. Files are written by
 * position, so that bytes which are already there can be written once more.
 */

import { constants } from "node:fs";
import { access, type FileHandle, open, readdir, readFile, rename, stat, statfs, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isOperatingError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { makeFolders } from "../folders.ts";
import type { Disk, DiskFile, DiskSpace } from "./disk.ts";
import { diskFailure, notTheSame, unusable } from "./failure.ts";
import { lockFolder } from "./folder-lock.ts";

/** The values in it are for the node's user alone. A folder that somebody made before stays as it is. */
const folderMode = 0o700;
const fileMode = 0o600;

/** The file that keeps the folder's name. */
const nameFile = "folder";
const namePattern = /^[0-9a-f]{32}$/;

/** The folder may be new, or has to be there with its name. */
export type FolderAge = "any" | "old";

/**
 * Opens the data folder at `path`, for this process alone. Makes it if there is none, unless it has to be old.
 *
 * @throws OperatingError `config_invalid` when another process has the folder or it can't be used; `disk_failed` when
 *   the disk fails, or an old folder is not there. The message says what to do.
 */
export async function openFileDisk(path: string, random: Random, age: FolderAge = "any"): Promise<Disk> {
  try {
    if (age === "any") await makeFolder(path);
    else if ((await folderNameAt(path)) === undefined) throw notTheSame(path);
    // SQLite, which takes the lock, would not say what is wrong.
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const lock = lockFolder(path);
    if (lock === undefined) {
      throw unusable(
        `another process uses the data folder ${path}: give each node a folder of its own, or stop the other process first`,
      );
    }
    try {
      const name = (await folderNameAt(path)) ?? (age === "any" ? await nameFolder(path, random) : undefined);
      if (name === undefined) throw notTheSame(path);
      return new FileDisk(path, name, await placeOf(path), lock);
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    throw error instanceof Error && "code" in error && !isOperatingError(error) ? diskFailure(path, error) : error;
  }
}

/** Makes the folder, and those above it, and makes them durable. */
async function makeFolder(path: string): Promise<void> {
  const highest = await makeFolders(path, folderMode).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    // For a folder that was there, "gone" would be the word. This one has never been there.
    throw unusable(`the data folder ${path} can't be made (${(cause as Error).message}): choose another one`, cause);
  });
  if (highest === undefined) return;
  for (let folder = resolve(path); folder.length >= highest.length; folder = dirname(folder)) {
    await syncFolder(dirname(folder));
  }
}

/**
 * The name that is kept in the folder at `path`; undefined if there is none, or no folder.
 * @throws OperatingError `config_invalid` if it is damaged; the file system's error if it can't be read.
 */
export async function folderNameAt(path: string): Promise<string | undefined> {
  const file = `${path}/${nameFile}`;
  const kept = await readFile(file, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  const name = kept?.trimEnd();
  if (name === undefined || namePattern.test(name)) return name;
  throw unusable(`${file} is damaged: restore it, or start this node on an empty data folder`);
}

/** Draws a name for a new folder and makes it durable. */
async function nameFolder(path: string, random: Random): Promise<string> {
  const file = `${path}/${nameFile}`;
  const others = (await readdir(path)).filter((name) => name.endsWith(".wal"));
  if (others.length > 0) {
    throw unusable(`${file} is missing beside ${others[0]}: restore it, or start this node on an empty data folder`);
  }
  const name = random.id();
  const draft = `${file}.new`;
  await using handle = await open(draft, "w", fileMode);
  await handle.writeFile(`${name}\n`);
  await handle.sync();
  await rename(draft, file);
  await syncFolder(path);
  return name;
}

async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, "r");
  await handle.sync();
}

async function spaceOf(folder: string): Promise<DiskSpace> {
  const sizes = (await readdir(folder)).map(async (name) => await sizeOf(`${folder}/${name}`));
  const ownBytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  const { freeBytes, totalBytes } = await fileSystemAt(folder);
  return { freeBytes, ownBytes, totalBytes };
}

/** 0 if it has just been removed. */
async function sizeOf(path: string): Promise<number> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return { size: 0 };
    throw error;
  });
  return size;
}

/**
 * How much room a data folder has, without a lock on it. It need not have been made yet.
 * @throws OperatingError `config_invalid` or `disk_failed`
 */
export async function spaceAt(path: string): Promise<DiskSpace> {
  try {
    for (let folder = resolve(path); ; folder = dirname(folder)) {
      try {
        const found = await fileSystemAt(folder);
        if (folder !== resolve(path)) return { ...found, ownBytes: 0 };
        await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
        return await spaceOf(folder);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || folder === dirname(folder)) throw error;
      }
    }
  } catch (error) {
    throw diskFailure(path, error);
  }
}

/** Bytes that are free on the file system of this path, for this process. */
export async function freeBytesAt(path: string): Promise<number> {
  return (await fileSystemAt(path)).freeBytes;
}

async function fileSystemAt(path: string): Promise<Omit<DiskSpace, "ownBytes">> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

class FileDisk implements Disk {
  readonly folder: string;
  readonly description: string;
  /** Of the folder when it was opened; see {@link placeOf}. */
  readonly #place: string;
  readonly #lock: Disposable;

  constructor(path: string, folder: string, place: string, lock: Disposable) {
    this.description = path;
    this.folder = folder;
    this.#place = place;
    this.#lock = lock;
  }

  list(): Promise<readonly string[]> {
    return readdir(this.description);
  }

  open(name: string): Promise<DiskFile> {
    return openFile(this.description, name, "r+");
  }

  async create(name: string): Promise<DiskFile> {
    await this.#requireSame();
    return await openFile(this.description, name, "wx+");
  }

  async remove(name: string): Promise<void> {
    await this.#requireSame();
    await unlink(`${this.description}/${name}`);
  }

  space(): Promise<DiskSpace> {
    return spaceOf(this.description);
  }

  syncFolder(): Promise<void> {
    return syncFolder(this.description);
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock[Symbol.dispose]();
  }

  /** A file system that is mounted over the folder would lose its own files, which have the same names (J12). */
  async #requireSame(): Promise<void> {
    if ((await placeOf(this.description)) !== this.#place) throw notTheSame(this.description);
  }
}

/** Which folder of which file system is at this path. */
async function placeOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}/${ino}`;
}

async function openFile(folder: string, name: string, flags: string): Promise<DiskFile> {
  const handle = await open(`${folder}/${name}`, flags, fileMode);
  try {
    return new OpenFile(name, handle, (await handle.stat()).size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class OpenFile implements DiskFile {
  readonly name: string;
  readonly #handle: FileHandle;
  #size: number;

  constructor(name: string, handle: FileHandle, size: number) {
    this.name = name;
    this.#handle = handle;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, offset + done);
      if (bytesRead === 0) throw unusable(`${this.name} has got shorter while it was read`);
      done += bytesRead;
    }
    return buffer;
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    this.#size = await this.#writeAt(buffers, this.#size);
  }

  async rewrite(offset: number, bytes: Buffer): Promise<void> {
    await this.#writeAt([bytes], offset);
  }

  /** Resolves with the position behind the written bytes. */
  async #writeAt(buffers: readonly Buffer[], position: number): Promise<number> {
    const total = buffers.reduce((bytes, buffer) => bytes + buffer.length, 0);
    const { bytesWritten } = await this.#handle.writev(buffers, position);
    if (bytesWritten === total) return position + total;
    // A disk that is getting full takes only a part. Writing the rest then fails, or not.
    return await this.#writeAt(rest(buffers, bytesWritten), position + bytesWritten);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size);
    this.#size = size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The buffers without their first `bytes` bytes. */
function rest(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  const result: Buffer[] = [];
  for (const buffer of buffers) {
    if (left < buffer.length) result.push(buffer.subarray(left));
    left = Math.max(0, left - buffer.length);
  }
  return result;
}
