/**
 * Calls to the file system that the calling thread makes itself, for a thread that does nothing else. A call by the
 * runtime's pool wakes one thread to begin and another to go on. That costs several times what most calls cost.
 *
 * Syncs are another matter: they wait for the disk. The pool does them, so that several go on at a time.
 */

import fs, { type BigIntStats } from "node:fs";
import { promisify } from "node:util";
import type { Files, OpenFile } from "./files.ts";

const fsync = promisify(fs.fsync);

class BlockingFile implements OpenFile {
  readonly #descriptor: number;
  #isOpen = true;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async writeFile(bytes: Uint8Array): Promise<void> {
    fs.writeFileSync(this.#descriptor, bytes);
  }

  async read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    return { bytesRead: fs.readSync(this.#descriptor, buffer, offset, length, position) };
  }

  async stat(options: { readonly bigint: true }): Promise<BigIntStats> {
    return fs.fstatSync(this.#descriptor, options);
  }

  async sync(): Promise<void> {
    await fsync(this.#descriptor);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    // The system has closed it even if it says that something failed. The number may be another file's by then.
    this.#isOpen = false;
    fs.closeSync(this.#descriptor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export const blockingFiles: Files = {
  open: async (path, flags) => new BlockingFile(fs.openSync(path, flags)),
  readFile: async (path) => fs.readFileSync(path),
  realpath: async (path) => fs.realpathSync(path),
  stat: async (path, options) => fs.statSync(path, options),
  lstat: async (path) => fs.lstatSync(path),
  readdir: async (path) => fs.readdirSync(path),
  rename: async (from, to) => fs.renameSync(from, to),
  unlink: async (path) => fs.unlinkSync(path),
  rmdir: async (path) => fs.rmdirSync(path),
};
