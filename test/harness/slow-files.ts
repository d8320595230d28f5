/**
 * Files whose syncs take as long as a test wants. So a test sees which of them share a sync, and how many go on at a
 * time.
 */

import { basename } from "node:path";
import { type Files, type OpenFile, pooledFiles } from "../../src/store/folder/files.ts";

export class SlowFiles implements Files {
  /** The files and folders whose syncs have begun, without the folders above them, in order. */
  readonly syncs: string[] = [];
  /** The most syncs that went on at a time. */
  mostAtOnce = 0;
  /** What each sync waits for. */
  beforeSync: () => Promise<void> = () => Promise.resolve();
  #atOnce = 0;

  readonly readFile = pooledFiles.readFile;
  readonly realpath = pooledFiles.realpath;
  readonly stat = pooledFiles.stat;
  readonly lstat = pooledFiles.lstat;
  readonly readdir = pooledFiles.readdir;
  readonly rename = pooledFiles.rename;
  readonly unlink = pooledFiles.unlink;
  readonly rmdir = pooledFiles.rmdir;

  async open(path: string, flags: string | number): Promise<OpenFile> {
    const file = await pooledFiles.open(path, flags);
    return {
      writeFile: (bytes) => file.writeFile(bytes),
      read: (...args) => file.read(...args),
      stat: (options) => file.stat(options),
      sync: () => this.#sync(path, file),
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  }

  async #sync(path: string, file: OpenFile): Promise<void> {
    this.syncs.push(basename(path));
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      await this.beforeSync();
      await file.sync();
    } finally {
      this.#atOnce--;
    }
  }
}
