/**
 * A disk that passes everything on to another one, counts what the journal asks of it, and can keep syncs from
 * beginning.
 */

import type { Disk, DiskFile, DiskSpace } from "../../src/journal/disk.ts";

export class CountingDisk implements Disk {
  readonly #disk: Disk;
  #syncs = 0;
  #writes = 0;
  #gate: Promise<void> = Promise.resolve();
  #onSync: (() => void)[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get folder(): string {
    return this.#disk.folder;
  }

  get description(): string {
    return this.#disk.description;
  }

  /** Syncs of files so far. */
  get syncs(): number {
    return this.#syncs;
  }

  /** Calls that wrote to the end of a file. */
  get writes(): number {
    return this.#writes;
  }

  /** Resolves when the next sync begins. */
  untilSync(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#onSync.push(resolve);
    });
  }

  /** No sync begins until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  list(): Promise<readonly string[]> {
    return this.#disk.list();
  }

  async open(name: string): Promise<DiskFile> {
    return this.#watched(await this.#disk.open(name));
  }

  async create(name: string): Promise<DiskFile> {
    return this.#watched(await this.#disk.create(name));
  }

  space(): Promise<DiskSpace> {
    return this.#disk.space();
  }

  remove(name: string): Promise<void> {
    return this.#disk.remove(name);
  }

  syncFolder(): Promise<void> {
    return this.#disk.syncFolder();
  }

  afterTurn(callback: () => void): void {
    this.#disk.afterTurn(callback);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk[Symbol.asyncDispose]();
  }

  #watched(file: DiskFile): DiskFile {
    return {
      name: file.name,
      get size() {
        return file.size;
      },
      read: (offset, length) => file.read(offset, length),
      append: (buffers) => {
        this.#writes += 1;
        return file.append(buffers);
      },
      rewrite: (offset, bytes) => file.rewrite(offset, bytes),
      sync: async () => {
        this.#syncs += 1;
        for (const each of this.#onSync.splice(0)) each();
        await this.#gate;
        await file.sync();
      },
      truncate: (size) => file.truncate(size),
      close: () => file.close(),
    };
  }
}
