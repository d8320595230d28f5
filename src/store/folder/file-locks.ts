/**
 * Locks on names. They hold between all processes of a host that share a folder.
 *
 * Node has no `flock`. Files that say "locked" outlive a killed process, and nobody knows whether their maker still
 * lives. But Node has SQLite. Its transaction holds a lock of the operating system (`fcntl`), which ends with its
 * process in any case. So an empty database is the lock. `BEGIN EXCLUSIVE` takes it and `ROLLBACK` releases it. Nothing
 * is ever written to it.
 *
 * The lock is as good as the file system's `fcntl` locks. They are good on a local disk. On a network file system, they
 * are as good as its makers say. A process that is stopped (not ended) keeps its locks. Others then wait until their
 * deadline: that is slow, not wrong.
 */

import { DatabaseSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { sleep } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { xxh32 } from "../../core/hash.ts";
import { foldName } from "./file-names.ts";

/** How many locks the names share. All processes must agree, so the files' names contain it. */
const lockCount = 16;

/** Milliseconds between two tries for a lock that another process holds. A write takes about as long. */
const retryMs = 2;

/** SQLite's result code for "another has the lock". */
const sqliteBusy = 5;

export class FileLocks {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #locks: (FileLock | undefined)[] = [];

  /** @param folder Must exist when a lock is taken. */
  constructor(folder: string, clock: Clock, random: Random) {
    this.#folder = folder;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Does `work` while nobody else works on `name`, in this process or another.
   *
   * @throws OperatingError `store_unavailable` when the lock cannot be had before `giveUpAt`.
   */
  async hold<T>(name: string, giveUpAt: Instant, work: () => Promise<T>): Promise<T> {
    const index = xxh32(foldName(name)) % lockCount;
    const lock = this.#locks[index] ?? new FileLock(`${this.#folder}/${index}-of-${lockCount}`);
    this.#locks[index] = lock;
    const turn = Promise.withResolvers<void>();
    const before = lock.queue;
    lock.queue = turn.promise;
    try {
      // Between two turns of this process, other processes get a chance.
      if (before !== undefined) await before.then(() => sleep(this.#clock, this.#jitter()));
      while (!lock.take()) {
        if (this.#clock.now() >= giveUpAt) {
          throw new OperatingError("store_unavailable", "another process holds the lock on this name", {
            neverSent: true,
          });
        }
        await sleep(this.#clock, this.#jitter());
      }
      try {
        return await work();
      } finally {
        lock.release();
      }
    } finally {
      if (lock.queue === turn.promise) lock.queue = undefined;
      turn.resolve();
    }
  }

  /** Waits for the work under way. Nothing may be begun afterwards. */
  async close(): Promise<void> {
    for (const lock of this.#locks) {
      while (lock?.queue !== undefined) await lock.queue;
      lock?.close();
    }
    this.#locks.length = 0;
  }

  #jitter(): number {
    return retryMs * (0.5 + this.#random.next());
  }
}

class FileLock {
  /** Resolves when the last in this process's queue is done. */
  queue: Promise<void> | undefined;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
  }

  take(): boolean {
    assert(!this.#database.isTransaction, "a lock is taken once at a time");
    try {
      this.#database.exec("BEGIN EXCLUSIVE");
      return true;
    } catch (error) {
      if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
      throw error;
    }
  }

  release(): void {
    assert(this.#database.isTransaction, "a lock is released by its holder");
    this.#database.exec("ROLLBACK");
  }

  close(): void {
    this.#database.close();
  }
}
