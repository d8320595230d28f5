/** The journals of a node on its data folder: the next one is opened when the last one has failed. */

import type { Clock } from "../base/clock.ts";
import { isOperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Disk } from "./disk.ts";
import { tryDisk } from "./disk-trial.ts";
import { diskFailure } from "./failure.ts";
import { type DiskJournal, type JournalSettings, openJournal } from "./file-journal.ts";
import type { Journals } from "./journal.ts";

export interface DiskJournalsParts {
  /** Takes the data folder for this process. */
  readonly openDisk: () => Promise<Disk>;
  /** Bytes that are free on the folder's disk. */
  readonly free: () => Promise<number>;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: JournalSettings;
}

/** Bytes that have to be free for the first journal. */
const firstRoomBytes = 16 * 1024 * 1024;
/** After each failure so many times as much has to be free: a disk that has just filled up may do so again. */
const roomFactor = 4;
/** Bytes that the trial writes, at first and after a failure. The first is short, since most disks work. */
const firstTrialBytes = 64 * 1024;
const laterTrialBytes = 64 * 1024 * 1024;

/** The most that a journal takes of the disk (J10). */
export function journalLimitBytes({ liveLimitBytes, segmentBytes }: JournalSettings): number {
  return 2 * (liveLimitBytes + segmentBytes);
}

type JournalFigures = Pick<DiskJournal, "metrics" | "lagMs">;

export class DiskJournals implements Journals {
  readonly #parts: DiskJournalsParts;
  #latest: JournalFigures | undefined;
  #freeBytes: number | undefined;
  /** A look under way: on a disk that hangs, each further one would take a thread. */
  #looking: Promise<void> | undefined;

  constructor(parts: DiskJournalsParts) {
    this.#parts = parts;
  }

  /** Of the journal in use, or of the last one that was; undefined before the first. */
  get latest(): JournalFigures | undefined {
    return this.#latest;
  }

  get limitBytes(): number {
    return journalLimitBytes(this.#parts.settings);
  }

  /** Bytes that were free on the disk at the last {@link look}; undefined if the disk did not say. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    this.#freeBytes = await this.#parts.free().catch(() => undefined);
  }

  async open(failures: number, onFailed: (error: Error) => void): Promise<DiskJournal> {
    const { openDisk, clock, log, settings } = this.#parts;
    const disk = await openDisk();
    try {
      await tryDisk(disk, {
        roomBytes: firstRoomBytes * roomFactor ** failures,
        limitBytes: this.limitBytes,
        writtenBytes: failures === 0 ? firstTrialBytes : laterTrialBytes,
      });
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw isOperatingError(error) ? error : diskFailure(disk.description, error);
    }
    let hasFailed = false;
    const onEnd = (error: Error): void => {
      hasFailed = true;
      this.#keepFigures();
      onFailed(error);
    };
    const journal = await openJournal({ disk, clock, log, settings, onFailed: onEnd });
    this.#latest = journal;
    if (hasFailed) this.#keepFigures();
    return journal;
  }

  /** Nothing else of a journal that has failed: it leads to all that its member holds. */
  #keepFigures(): void {
    if (this.#latest) this.#latest = { metrics: this.#latest.metrics, lagMs: 0 };
  }
}
