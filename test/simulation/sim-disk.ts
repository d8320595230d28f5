/**
 * A simulated disk that outlives the processes which use it: one folder of files, some of whose bytes and names are
 * durable and some not yet.
 *
 * Faults that it makes: what was not synced is lost at a power loss, or kept as any prefix, with garbage behind it, or
 * sector by sector; names that were not synced vanish or stay, and removed ones come back; syncs are slow or stuck;
 * writes and syncs fail, and bytes of a failed sync are lost at a power loss although a later sync went well; a full
 * disk takes a part of a write. Each file fares by itself. Faults that it must not make: a byte that was synced
 * changes; a name that was synced is lost.
 */

import { assert } from "../../src/base/assert.ts";
import type { Disk, DiskFile, DiskSpace } from "../../src/journal/disk.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { SimFile } from "./sim-file.ts";
import type { Scheduler } from "./sim-store.ts";

export interface DiskFaultSettings {
  /** A write or a change of the folder takes up to this, in milliseconds. */
  readonly writeMs: number;
  /** A sync takes this on average. */
  readonly meanSyncMs: number;
  /** Part of the syncs that take `stuckMs`. */
  readonly stuckChance: number;
  readonly stuckMs: number;
  /** Parts of the writes and of the syncs that fail. */
  readonly failWriteChance: number;
  readonly failSyncChance: number;
  /** Bytes of all files that there is room for. */
  readonly capacityBytes: number;
}

export const healthyDisk: DiskFaultSettings = {
  writeMs: 0.1,
  meanSyncMs: 1,
  stuckChance: 0,
  stuckMs: 0,
  failWriteChance: 0,
  failSyncChance: 0,
  capacityBytes: Number.POSITIVE_INFINITY,
};

/** `process`: the process ends, what it wrote is there. `power`: what was not durable fares as it may. */
export type CrashKind = "process" | "power";

export class SimDisk {
  readonly #random: SimRandom;
  #folder: string;
  #faults: DiskFaultSettings;
  readonly #files = new Map<string, SimFile>();
  /** Names as they were when the folder was last synced. */
  #durableNames = new Map<string, SimFile>();
  /** The process that has it open; what an older one still does is void. */
  #owner: object | undefined;
  #syncs = 0;
  /** The last write, until its process learns that it is done. */
  #written: { readonly file: SimFile; readonly from: number } | undefined;

  constructor(random: SimRandom, faults: DiskFaultSettings = healthyDisk) {
    this.#random = random;
    this.#folder = random.id();
    this.#faults = faults;
  }

  get folder(): string {
    return this.#folder;
  }

  /** Syncs of files so far. */
  get syncs(): number {
    return this.#syncs;
  }

  /** Bytes in all files now. */
  get bytes(): number {
    let bytes = 0;
    for (const file of this.#files.values()) bytes += file.size;
    return bytes;
  }

  get names(): string[] {
    return [...this.#files.keys()].toSorted();
  }

  setFaults(faults: DiskFaultSettings): void {
    this.#faults = faults;
  }

  /** The port for one process; answers come to it by its own scheduler. */
  open(caller: Scheduler): Disk {
    assert(this.#owner === undefined, "one process has the folder at a time");
    const owner = {};
    this.#owner = owner;
    return new Port(this, caller, owner);
  }

  release(owner: object): void {
    if (this.#owner === owner) this.#owner = undefined;
  }

  /** The process that has it open is gone, and the power with it. */
  crash(kind: CrashKind): void {
    this.#owner = undefined;
    if (this.#written !== undefined && this.#random.chance(0.5))
      this.#written.file.interrupt(this.#random, this.#written.from);
    this.#written = undefined;
    if (kind === "process") return;
    this.#crashNames();
    for (const file of this.#files.values()) file.losePower(this.#random);
  }

  /** Another disk with the same files, all of it durable. */
  copy(): SimDisk {
    const copy = new SimDisk(this.#random, this.#faults);
    copy.#folder = this.#folder;
    for (const [name, file] of this.#files) copy.#files.set(name, file.copy());
    copy.#durableNames = new Map(copy.#files);
    return copy;
  }

  /** Damage: the file ends here. */
  cut(name: string, size: number): void {
    const file = this.#fileOf(name);
    file.truncate(size);
    file.synced();
  }

  /** The bytes of a file, for a look or for damage; not a copy. */
  bytesOf(name: string): Buffer {
    return this.#fileOf(name).visible();
  }

  #crashNames(): void {
    const names = new Set([...this.#files.keys(), ...this.#durableNames.keys()]);
    for (const name of names) {
      const now = this.#files.get(name);
      const before = this.#durableNames.get(name);
      if (now === before || this.#random.chance(0.5)) continue;
      if (before === undefined) this.#files.delete(name);
      else this.#files.set(name, before);
    }
    this.#durableNames = new Map(this.#files);
  }

  #fileOf(name: string): SimFile {
    const file = this.#files.get(name);
    if (file === undefined) throw systemError("ENOENT", "no such file");
    return file;
  }

  /** Does `effect` at once, for `owner`, who learns of it after `ms`. */
  step<T>(caller: Scheduler, owner: object, ms: number, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#owner !== owner) return;
      let failure: Error | undefined;
      let result: T | undefined;
      try {
        result = effect();
      } catch (error) {
        failure = error as Error;
      }
      caller.schedule(ms, () => {
        if (this.#owner !== owner) return;
        this.#written = undefined;
        if (failure !== undefined) reject(failure);
        else resolve(result as T);
      });
    });
  }

  shortMs(): number {
    return this.#random.next() * this.#faults.writeMs;
  }

  find(name: string): SimFile {
    return this.#fileOf(name);
  }

  create(name: string): SimFile {
    if (this.#files.has(name)) throw systemError("EEXIST", "the file exists");
    const file = new SimFile();
    this.#files.set(name, file);
    return file;
  }

  remove(name: string): void {
    this.#fileOf(name);
    this.#files.delete(name);
  }

  syncFolder(): void {
    if (this.#random.chance(this.#faults.failSyncChance)) throw systemError("EIO", "the folder's sync failed");
    this.#durableNames = new Map(this.#files);
  }

  append(file: SimFile, buffers: readonly Buffer[]): void {
    const wanted = buffers.reduce((bytes, buffer) => bytes + buffer.length, 0);
    const hasFailed = this.#random.chance(this.#faults.failWriteChance);
    const room = Math.max(0, this.#faults.capacityBytes - this.bytes);
    const taken = hasFailed ? this.#random.whole(0, wanted) : Math.min(wanted, room);
    this.#written = { file, from: file.size };
    file.append(buffers, taken);
    if (hasFailed) throw systemError("EIO", "the write failed");
    if (taken < wanted) throw systemError("ENOSPC", "no space left on device");
  }

  /** A sync is done when the process learns of it; until then nothing is sure. */
  sync(caller: Scheduler, owner: object, file: SimFile): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#owner !== owner) return;
      this.#syncs += 1;
      const { meanSyncMs, stuckChance, stuckMs, failSyncChance } = this.#faults;
      const hasFailed = this.#random.chance(failSyncChance);
      const ms = this.#random.chance(stuckChance) ? stuckMs : this.#random.exponential(meanSyncMs);
      caller.schedule(ms, () => {
        if (this.#owner !== owner) return;
        if (hasFailed) {
          file.syncFailed();
          reject(systemError("EIO", "the sync failed"));
        } else {
          file.synced();
          resolve();
        }
      });
    });
  }
}

/** An error as the file system has them. */
function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

class Port implements Disk {
  readonly folder: string;
  readonly description = "sim";
  readonly #disk: SimDisk;
  readonly #caller: Scheduler;
  readonly #owner: object;

  constructor(disk: SimDisk, caller: Scheduler, owner: object) {
    this.#disk = disk;
    this.#caller = caller;
    this.#owner = owner;
    this.folder = disk.folder;
  }

  list(): Promise<readonly string[]> {
    return this.#step(() => this.#disk.names);
  }

  open(name: string): Promise<DiskFile> {
    return this.#step(() => new OpenFile(this.#disk, this.#caller, this.#owner, name, this.#disk.find(name)));
  }

  create(name: string): Promise<DiskFile> {
    return this.#step(() => new OpenFile(this.#disk, this.#caller, this.#owner, name, this.#disk.create(name)));
  }

  remove(name: string): Promise<void> {
    return this.#step(() => this.#disk.remove(name));
  }

  space(): Promise<DiskSpace> {
    const bytes = Number.POSITIVE_INFINITY;
    return this.#step(() => ({ freeBytes: bytes, ownBytes: this.#disk.bytes, totalBytes: bytes }));
  }

  syncFolder(): Promise<void> {
    return this.#step(() => this.#disk.syncFolder());
  }

  afterTurn(callback: () => void): void {
    this.#caller.schedule(0, callback);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disk.release(this.#owner);
  }

  #step<T>(effect: () => T): Promise<T> {
    return this.#disk.step(this.#caller, this.#owner, this.#disk.shortMs(), effect);
  }
}

class OpenFile implements DiskFile {
  readonly name: string;
  readonly #disk: SimDisk;
  readonly #caller: Scheduler;
  readonly #owner: object;
  readonly #state: SimFile;

  constructor(disk: SimDisk, caller: Scheduler, owner: object, name: string, state: SimFile) {
    this.#disk = disk;
    this.#caller = caller;
    this.#owner = owner;
    this.name = name;
    this.#state = state;
  }

  get size(): number {
    return this.#state.size;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#step(() => {
      assert(offset + length <= this.#state.size, "only what is there is read");
      return Buffer.from(this.#state.visible().subarray(offset, offset + length));
    });
  }

  append(buffers: readonly Buffer[]): Promise<void> {
    return this.#step(() => this.#disk.append(this.#state, buffers));
  }

  rewrite(offset: number, bytes: Buffer): Promise<void> {
    return this.#step(() => this.#state.rewrite(offset, bytes));
  }

  sync(): Promise<void> {
    return this.#disk.sync(this.#caller, this.#owner, this.#state);
  }

  truncate(size: number): Promise<void> {
    return this.#step(() => this.#state.truncate(size));
  }

  async close(): Promise<void> {}

  #step<T>(effect: () => T): Promise<T> {
    return this.#disk.step(this.#caller, this.#owner, this.#disk.shortMs(), effect);
  }
}
