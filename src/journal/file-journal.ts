/**
 * The journal in a folder of segments. Appended records gather in a batch. A batch takes what one turn of the event
 * loop brings, and what comes while the batch before it is being synced. It becomes one group: one write, one
 * `fdatasync`. So a lone writer waits for one sync, and a thousand writers share it.
 *
 * A segment that is full is sealed. The next segment begins with what must outlive those before it (`SegmentHead`).
 *
 * Segments are deleted, oldest first. A segment may go when neither it nor an older one has the newest record of a held
 * key. That fact is itself a record. It is durable before the file goes, so that a missing file is noticed.
 *
 * When records that do not count any more take too much of the disk, the journal compacts it (`Compaction`).
 *
 * A group comes with everything that was appended before it, or with it in the same turn, or not at all. A segment's
 * first group has the whole head, which may take many turns. So an outcome never gets to the disk before its entry (J1,
 * J2, J6, J10).
 */

import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { ByteWriter } from "../base/codec.ts";
import { isOperatingError } from "../base/errors.ts";
import { Histogram, latencyBounds, sizeBounds } from "../base/histogram.ts";
import type { Log } from "../base/log.ts";
import type { JournalPosition } from "../core/message.ts";
import { Batch } from "./batch.ts";
import { Compaction, type SegmentLimits } from "./compaction.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { diskFailure } from "./failure.ts";
import { folderSeed } from "./group.ts";
import { type Journal, type JournalRecord, type JournalSource, nothingRecovered, type Recovered } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { type Replayed, replay } from "./replay.ts";
import { SegmentFiles } from "./segment-files.ts";
import { defaultRepeatedAtOnce, SegmentHead } from "./segment-head.ts";
import { segmentName } from "./segment-name.ts";

export interface JournalSettings extends SegmentLimits {
  /** A turn repeats about so much in a segment's head: 8,192, if a test does not say less. See `SegmentHead`. */
  readonly repeatedAtOnce?: number;
}

export const defaultSegmentBytes = 64 * 1024 * 1024;

/** What a journal on a disk has counted, and what it can say of this moment. */
export interface JournalMetrics {
  /** Time to write and sync a group, in seconds. */
  readonly groupSeconds: Histogram;
  /** Bytes of a group. */
  readonly groupBytes: Histogram;
  /** Bytes in the segments, and bytes of those of their records that count. */
  readonly diskBytes: number;
  readonly liveBytes: number;
}

export interface DiskJournal extends Journal {
  readonly metrics: JournalMetrics;
}

export interface JournalParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: JournalSettings;
  /**
   * Called once, when nothing more will be confirmed: the process has to end. The message tells an operator what to do.
   */
  readonly onFailed: (error: Error) => void;
}

/**
 * A batch of this size, as a part of a segment, is closed at the end of its turn. So those who came first do not wait
 * for all others.
 */
const groupPart = 1 / 8;
const writerBytes = 64 * 1024;
/** A writer that has grown beyond this is not used again. At most so many are kept. */
const keptWriterBytes = 4 * 1024 * 1024;
const keptWriters = 2;
/**
 * Records of entries that are not held any more wait for other records that need a sync. They wait at most this long,
 * in milliseconds, or until they are this many bytes.
 */
const lazyMs = 1000;
const lazyBytes = 64 * 1024;

/**
 * Reads what the folder holds, and goes on writing there. From then on the journal owns the disk, even if this fails.
 *
 * @throws OperatingError `config_invalid` when the journal is damaged, `disk_failed` when the disk fails. The message
 *   says what to do.
 */
export async function openJournal(parts: JournalParts): Promise<DiskJournal> {
  const { disk, log } = parts;
  let file: DiskFile | undefined;
  try {
    const startedAt = parts.clock.now();
    const replayed = await replay(disk, log, parts.clock);
    const { first, ledger } = replayed;
    file = replayed.last?.file ?? (await disk.create(segmentName(1)));
    if (replayed.last === undefined) {
      await disk.syncFolder();
      ledger.begin(1);
    }
    const { entries, outcomes, adopted } = replayed.recovered;
    log.info("journal read", {
      folder: disk.description,
      entries: entries.length,
      outcomes: outcomes.length,
      epoch: adopted.at(-1) ?? 0,
      ms: Math.round(parts.clock.now() - startedAt),
    });
    return new FileJournal(parts, replayed, file.size, new SegmentFiles(disk, first, ledger.newest, file));
  } catch (error) {
    // A handle that is only collected ends the process later.
    await file?.close().catch(() => undefined);
    await disk[Symbol.asyncDispose]();
    throw error instanceof Error && "code" in error && !isOperatingError(error)
      ? diskFailure(disk.description, error)
      : error;
  }
}

class FileJournal implements DiskJournal {
  readonly folder: string;
  #recovered: Recovered;
  readonly #parts: JournalParts;
  readonly #seed: number;
  readonly #ledger: Ledger;
  #source: JournalSource | undefined;

  readonly #files: SegmentFiles;
  /** Where in the newest segment the next batch begins. */
  #offset: number;
  /** How far what is durable goes. */
  #position: JournalPosition;
  /** What the newest segment repeats at its beginning. */
  readonly #head: SegmentHead;
  readonly #compaction: Compaction;
  /** The next batch begins another segment. */
  #isSealed: boolean;
  /** The lowest number of a segment that is needed, as the journal last recorded it. */
  #oldest: number;

  /** The batch that takes what is appended. */
  #filling: Batch | undefined;
  /** The turn of the last append is not over. */
  #isTurnOpen = false;
  readonly #closed: Batch[] = [];
  #writing: Batch | undefined;
  /** Whether groups are being written, and a promise that resolves once they are written. */
  #isRunning = false;
  #run: Promise<void> = Promise.resolve();
  /** Runs out when records that may wait have waited long enough. */
  #timer: Timer | undefined;
  readonly #writers: ByteWriter[] = [];
  readonly #groupSeconds = new Histogram(latencyBounds);
  readonly #groupBytes = new Histogram(sizeBounds);
  #isFailed = false;
  #isClosing = false;
  readonly #never = Promise.withResolvers<void>().promise;

  constructor(parts: JournalParts, replayed: Replayed, offset: number, files: SegmentFiles) {
    this.folder = parts.disk.folder;
    this.#parts = parts;
    this.#seed = folderSeed(parts.disk.folder);
    this.#recovered = replayed.recovered;
    this.#ledger = replayed.ledger;
    this.#files = files;
    this.#head = new SegmentHead(parts.settings.repeatedAtOnce ?? defaultRepeatedAtOnce, replayed.last?.headBytes ?? 0);
    this.#compaction = new Compaction(replayed.ledger, this.#head, parts.settings);
    this.#offset = offset;
    this.#position = { segment: replayed.ledger.newest, offset };
    this.#isSealed = replayed.last?.isSealed ?? false;
    this.#oldest = replayed.oldest;
    // An earlier process may have had no time left to delete these.
    this.#delete(Math.min(replayed.oldest, replayed.ledger.oldest));
  }

  get position(): JournalPosition {
    return this.#position;
  }

  get recovered(): Recovered {
    return this.#recovered;
  }

  get metrics(): JournalMetrics {
    const { bytes, headBytes, liveBytes } = this.#ledger;
    const diskBytes = bytes + headBytes;
    return { groupSeconds: this.#groupSeconds, groupBytes: this.#groupBytes, diskBytes, liveBytes };
  }

  attach(source: JournalSource): void {
    this.#source = source;
    this.#head.goOnWith(source);
  }

  append(record: JournalRecord): void {
    if (this.#isFailed || this.#isClosing) return;
    this.#recovered = nothingRecovered;
    const ledger = this.#ledger;
    if (record.kind === "clean") {
      if (!ledger.isHeld(record.key, record.version)) return;
      this.#compaction.oweFor(this.#open().add(record));
      ledger.drop(record.key);
    } else {
      const batch = this.#open();
      const bytes = batch.add(record);
      this.#compaction.oweFor(bytes);
      if (record.kind === "entry") ledger.hold(record.entry.key, record.entry, bytes);
      batch.since ??= this.#parts.clock.now();
    }
    this.#startAfterTurn();
  }

  /** Nothing is confirmed before it has been synced (J1). */
  durable(): Promise<void> | undefined {
    // Records that were appended after the journal's end are nowhere.
    if (this.#isFailed || this.#isClosing) return this.#never;
    const batch = this.#filling ?? this.#closed.at(-1) ?? this.#writing;
    if (batch === undefined) return undefined;
    if (batch.since === undefined) {
      batch.since = this.#parts.clock.now();
      this.#startAfterTurn();
    }
    return batch.durable;
  }

  get lagMs(): number {
    const since = this.#writing?.since ?? this.#closed[0]?.since ?? this.#filling?.since;
    return since === undefined ? 0 : this.#parts.clock.now() - since;
  }

  /** Writes what was appended, and gives up the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#timer?.cancel();
    this.#start();
    await this.#run;
    await this.#files.close().catch((error: unknown) => this.#fail(error));
    await this.#parts.disk[Symbol.asyncDispose]();
  }

  #startAfterTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    this.#parts.disk.afterTurn(() => {
      this.#isTurnOpen = false;
      const batch = this.#filling;
      if (batch !== undefined) {
        this.#head.repeatSome(batch);
        this.#compaction.write(batch, this.#attached());
        const isFull = batch.bytes >= this.#parts.settings.segmentBytes * groupPart;
        if (isFull && this.#head.isWhole) this.#close();
      }
      this.#start();
    });
  }

  /** The batch that takes the next record. */
  #open(): Batch {
    if (this.#filling !== undefined) return this.#filling;
    if (this.#isSealed) {
      this.#ledger.begin(this.#ledger.newest + 1);
      this.#offset = 0;
      this.#isSealed = false;
    }
    const writer = this.#writers.pop() ?? new ByteWriter(writerBytes);
    const batch = new Batch(this.#ledger.newest, this.#offset, this.#seed, writer);
    if (this.#offset === 0) this.#head.begin(batch, this.#oldest, this.#attached());
    this.#filling = batch;
    return batch;
  }

  /** Closes the batch that fills: nothing is added to it any more. */
  #close(): void {
    const batch = this.#filling;
    assert(batch !== undefined, "only a batch that fills is closed");
    assert(batch.segment === this.#ledger.newest, "a batch that fills is for the newest segment");
    assert(this.#head.isWhole, "a segment's first group has all of its head");
    this.#filling = undefined;
    if (this.#ledger.oldest > this.#oldest) {
      this.#oldest = this.#ledger.oldest;
      batch.add({ kind: "oldest", oldest: this.#oldest });
      batch.releases = this.#oldest;
    }
    if (batch.offset + batch.bytes >= this.#compaction.segmentBytes + this.#head.bytes) {
      batch.add({ kind: "seal" });
      this.#isSealed = true;
    }
    assert(batch.offset === this.#offset, "a batch begins where the one before it ends");
    this.#offset = batch.offset + batch.bytes;
    this.#ledger.grow(batch.bytes, batch.offset === 0 ? this.#head.bytes : 0);
    this.#closed.push(batch);
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run = this.#writeAll();
  }

  /** Writes one group after the other, as long as there are any. */
  async #writeAll(): Promise<void> {
    try {
      for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
        assert(this.#writing === undefined, "one batch is written at a time");
        this.#writing = batch;
        const writtenAt = this.#parts.clock.now();
        await this.#files.write(batch);
        if (this.#isFailed) return;
        this.#groupSeconds.observeMs(this.#parts.clock.now() - writtenAt);
        this.#groupBytes.observe(batch.bytes);
        this.#writing = undefined;
        this.#confirm(batch);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** The batch to write next, if there is one. */
  #take(): Batch | undefined {
    if (this.#closed.length > 0) return this.#closed.shift();
    if (this.#isFailed || (this.#isTurnOpen && !this.#isClosing)) return undefined;
    if (this.#filling === undefined) {
      if (this.#isClosing || this.#source === undefined || !this.#compaction.isDue) return undefined;
      this.#fillWithOld();
    } else if (this.#mayWait(this.#filling)) return undefined;
    else if (this.#compaction.isOwed && !this.#isClosing) return this.#waitATurn();
    if (!this.#head.isWhole) {
      if (!this.#isClosing) return this.#waitATurn();
      this.#head.repeatAll(this.#filling as Batch);
    }
    this.#close();
    return this.#closed.shift();
  }

  /** The group waits until all that belongs into it is there, some in each turn. */
  #waitATurn(): undefined {
    this.#startAfterTurn();
  }

  /** A batch of nothing but what is written once more. */
  #fillWithOld(): void {
    const batch = this.#open();
    this.#compaction.oweGroup();
    this.#compaction.write(batch, this.#attached());
    // All that was looked at may be gone, and each group has a record.
    batch.add({ kind: "oldest", oldest: this.#oldest });
  }

  /** Whether nobody waits for the batch. Then it is written a while later. */
  #mayWait(batch: Batch): boolean {
    if (batch.since !== undefined || batch.bytes >= lazyBytes || this.#isClosing) return false;
    this.#timer ??= this.#parts.clock.after(lazyMs, () => {
      this.#timer = undefined;
      if (this.#filling !== undefined) this.#filling.since ??= this.#parts.clock.now();
      this.#start();
    });
    return true;
  }

  #confirm(batch: Batch): void {
    this.#position = { segment: batch.segment, offset: batch.offset + batch.bytes };
    if (this.#writers.length < keptWriters && batch.writer.buffer.length <= keptWriterBytes) {
      this.#writers.push(batch.writer);
    }
    batch.confirm();
    this.#delete(batch.releases);
  }

  #delete(end: number): void {
    this.#files.deleteBelow(end).catch((error: unknown) => this.#fail(error));
  }

  #attached(): JournalSource {
    assert(this.#source !== undefined, "a source is attached before the first record");
    return this.#source;
  }

  #fail(error: unknown): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#filling = undefined;
    this.#closed.length = 0;
    this.#writers.length = 0;
    // A bug is no failure of the disk. An operating error says itself what is wrong.
    const isOfDisk = error instanceof Error && "code" in error && !isOperatingError(error);
    this.#parts.onFailed(isOfDisk ? diskFailure(this.#parts.disk.description, error) : (error as Error));
  }
}
