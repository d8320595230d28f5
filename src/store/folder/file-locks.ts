/**
 * Locks on names. They hold between all processes of a host that share a folder.
 *
 * Node has no `flock`. Files that say "locked" outlive a killed process, and nobody knows whether their maker still
 * lives. But Node has SQLite. Its transaction holds a lock of the operating system (`fcntl`), which ends with its
 * process in any case. So an empty database is the lock. `BEGIN EXCLUSIVE` takes it and `ROLLBACK` releases it. Nothing
 * is ever written to it.
 *
 * Many names share such a lock. Between processes it keeps all of them. Within this process each name has its turn by
 * itself: so writes of many names go on side by side while the process holds the lock.
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
import { NameTurns } from "./name-turns.ts";

/** How many locks the names share. All processes must agree, so the files' names contain it. */
const lockCount = 16;

/** Milliseconds between two tries for a lock that another process holds. A write takes about as long. */
const retryMs = 2;

/**
 * For so many milliseconds work may begin under a lock. Then the process leaves the lock alone until each of those that
 * wait for it has tried once.
 */
const turnMs = 20;
const restMs = 1.5 * retryMs;

/** SQLite's result code for "another has the lock". */
const sqliteBusy = 5;

export class FileLocks {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #locks: (FileLock | undefined)[] = [];
  /** Within this process. */
  readonly #turns = new NameTurns();

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
    return await this.#turns.take(name, async () => {
      const lock = this.#lockOf(foldName(name));
      await lock.enter(giveUpAt);
      try {
        return await work();
      } finally {
        lock.leave();
      }
    });
  }

  /** Waits for the work under way. Nothing may be begun afterwards. */
  async close(): Promise<void> {
    await this.#turns.end();
    for (const lock of this.#locks) lock?.close();
    this.#locks.length = 0;
  }

  #lockOf(folded: string): FileLock {
    const index = xxh32(folded) % lockCount;
    const lock =
      this.#locks[index] ?? new FileLock(`${this.#folder}/${index}-of-${lockCount}`, this.#clock, this.#random);
    this.#locks[index] = lock;
    return lock;
  }
}

/** Work that waits for the lock. */
interface Waiter {
  readonly giveUpAt: Instant;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class FileLock {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #random: Random;
  #waiting: Waiter[] = [];
  #isTrying = false;
  /** How much work goes on under the lock. It is taken for the first, and released after the last. */
  #holders = 0;
  #turnEndsAt: Instant = Number.NEGATIVE_INFINITY;
  #releasedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(path: string, clock: Clock, random: Random) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    this.#clock = clock;
    this.#random = random;
  }

  async enter(giveUpAt: Instant): Promise<void> {
    if (this.#holders > 0 && this.#clock.now() < this.#turnEndsAt) {
      this.#holders++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ giveUpAt, resolve, reject });
      if (!this.#isTrying) void this.#try();
    });
  }

  leave(): void {
    assert(this.#holders > 0 && this.#database.isTransaction, "a lock is released by its holder");
    this.#holders--;
    if (this.#holders > 0) return;
    this.#database.exec("ROLLBACK");
    this.#releasedAt = this.#clock.now();
  }

  close(): void {
    this.#database.close();
  }

  /** Tries to take the lock for all that wait, until none does. Between two turns, other processes get a chance. */
  async #try(): Promise<void> {
    this.#isTrying = true;
    try {
      while (this.#waiting.length > 0) {
        if (this.#holders === 0 && this.#isOurTurn() && this.#take()) {
          this.#holders = this.#waiting.length;
          for (const { resolve } of this.#waiting.splice(0)) resolve();
          return;
        }
        this.#refuseLate();
        await sleep(this.#clock, retryMs * (0.5 + this.#random.next()));
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    } finally {
      this.#isTrying = false;
    }
  }

  #isOurTurn(): boolean {
    const now = this.#clock.now();
    if (now >= this.#releasedAt + restMs) this.#turnEndsAt = now + turnMs;
    return now < this.#turnEndsAt;
  }

  #take(): boolean {
    assert(!this.#database.isTransaction, "a lock is taken once at a time");
    try {
      this.#database.exec("BEGIN EXCLUSIVE");
      return true;
    } catch (error) {
      if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
      throw error;
    }
  }

  #refuseLate(): void {
    const now = this.#clock.now();
    const late = this.#waiting.filter(({ giveUpAt }) => now >= giveUpAt);
    this.#waiting = this.#waiting.filter(({ giveUpAt }) => now < giveUpAt);
    for (const { reject } of late) {
      reject(
        new OperatingError("store_unavailable", "another process holds the lock on this name", { neverSent: true }),
      );
    }
  }
}
