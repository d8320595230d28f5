/**
 * Reads a journal at the start of a process: which entries are held, which requests were done, which views were
 * adopted, and where to go on. It mends what a crash may have left. Anything else that is not as it was written stops
 * the start, because an acknowledged value may be in it.
 *
 * A bad record is the **torn tail** of the last write under two conditions. It is in the last segment, and no group
 * behind it says that the disk had it already. The tail is cut off. So is a last group that the disk had synced and has
 * changed since: nothing tells the two apart (assumption 20).
 *
 * What the last write left whole may be only in the system's memory. It is written and synced once more before anyone
 * is told of it (J4, J7).
 */

import type { Clock } from "../base/clock.ts";
import { MalformedError } from "../base/codec.ts";
import type { Log } from "../base/log.ts";
import { PartedList } from "../base/parted-list.ts";
import { PartedMap } from "../base/parted-map.ts";
import { Breaks } from "../base/slices.ts";
import { type Entry, noRequest } from "../core/entry.ts";
import type { LateRecord } from "../core/late-effects.ts";
import type { RequestOutcome } from "../core/message.ts";
import { OutcomeBlocks } from "../core/outcome-blocks.ts";
import { compareVersions, versionOf } from "../core/version.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { unusable } from "./failure.ts";
import { folderSeed } from "./group.ts";
import type { Recovered } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import type { SegmentRecord } from "./record.ts";
import { segmentName, segmentNumbers } from "./segment-name.ts";
import { findGroupBehind, type ScanResult, scanSegment } from "./segment-scan.ts";

export interface Replayed {
  readonly recovered: Recovered;
  readonly ledger: Ledger;
  /** The newest segment, open. Undefined when there is none. */
  readonly last: { readonly file: DiskFile; readonly headBytes: number; readonly isSealed: boolean } | undefined;
  /** The lowest number of a segment that is there. */
  readonly first: number;
  /** The lowest number of a segment that is needed, as the journal last recorded it. */
  readonly oldest: number;
}

/** @throws OperatingError `config_invalid`, which names file and offset, when the journal is damaged */
export async function replay(disk: Disk, log: Log, clock: Clock): Promise<Replayed> {
  const numbers = segmentNumbers(await disk.list());
  const breaks = new Breaks(clock);
  const state = new ReplayState();
  let last: Replayed["last"];
  for (const [index, number] of numbers.entries()) {
    const before = numbers[index - 1];
    if (before !== undefined && number !== before + 1) throw missing(disk, before + 1);
    const isLast = index === numbers.length - 1;
    const file = await disk.open(segmentName(number));
    try {
      // What the last segment repeats makes up for all before it, unless a crash has left nothing of it.
      state.begin(number, index >= numbers.length - 2);
      const scan = await scanInto(disk, file, number, state, breaks);
      if (isLast) {
        if (scan.badAt !== undefined) await cutTail(disk, file, number, scan, scan.badAt, log);
        await secure(disk, file, scan);
        last = { file, headBytes: state.headBytes, isSealed: scan.isSealed };
      } else {
        if (scan.badAt !== undefined) throw damaged(disk, file, scan.badAt, "another segment follows it");
        if (!scan.isSealed) throw damaged(disk, file, file.size, "its end is missing");
      }
    } finally {
      if (last?.file !== file) await file.close();
    }
  }
  const first = numbers[0] ?? 1;
  if (numbers.length > 0 && first > state.oldest) throw missing(disk, state.oldest);
  return { recovered: await state.recovered(breaks), ledger: state.ledger, last, first, oldest: state.oldest };
}

async function scanInto(
  disk: Disk,
  file: DiskFile,
  number: number,
  state: ReplayState,
  breaks: Breaks,
): Promise<ScanResult> {
  try {
    const seed = folderSeed(disk.folder);
    const take = (record: SegmentRecord, bytes: number, group: number): void => state.take(record, bytes, group);
    const scan = await scanSegment(file, seed, number, take, breaks);
    state.ledger.grow(scan.end, state.headBytes);
    return scan;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw unusable(
      `${disk.description}/${file.name} holds records that this version of weir does not know: start the version that wrote them`,
      error,
    );
  }
}

async function cutTail(
  disk: Disk,
  file: DiskFile,
  number: number,
  scan: ScanResult,
  badAt: number,
  log: Log,
): Promise<void> {
  if (scan.isSealed) throw damaged(disk, file, badAt, "the segment had been closed before it");
  const behind = await findGroupBehind(file, folderSeed(disk.folder), number, badAt);
  if (behind !== undefined) throw damaged(disk, file, badAt, `what follows at byte ${behind} was written after it`);
  log.warn(
    "the journal's last group is not sound, and is dropped: a crash cut it short, or the disk has changed it since",
    {
      file: `${disk.description}/${file.name}`,
      offset: badAt,
      droppedBytes: file.size - scan.end,
    },
  );
  await file.truncate(scan.end);
}

/** Makes durable what was found. An earlier process may have written it without a sync, or with one that failed. */
async function secure(disk: Disk, file: DiskFile, scan: ScanResult): Promise<void> {
  if (scan.end > scan.lastGroup) {
    await file.rewrite(scan.lastGroup, await file.read(scan.lastGroup, scan.end - scan.lastGroup));
  }
  await file.sync();
  await disk.syncFolder();
}

/** What each segment begins with. */
const repeated: ReadonlySet<SegmentRecord["kind"]> = new Set(["head", "adopt", "outcomes", "late"]);

class ReplayState {
  readonly ledger = new Ledger();
  readonly #entries = new PartedMap<Entry>();
  /** By router. */
  readonly #outcomes = new Map<string, OutcomeBlocks>();
  readonly #late = new PartedMap<Omit<LateRecord, "kind">>();
  #adopted: readonly number[] = [];
  #cluster: string | undefined;
  /** See {@link Replayed.oldest}. */
  oldest = 1;
  /** Bytes at the beginning of this segment that repeat what was known before. */
  headBytes = 0;
  #isFirst = true;
  #hasOutcomes = true;

  /** The records of the next segment follow. `hasOutcomes` says whether its outcomes are worth remembering. */
  begin(number: number, hasOutcomes: boolean): void {
    this.ledger.begin(number);
    this.#hasOutcomes = hasOutcomes;
    this.headBytes = 0;
    this.#isFirst = true;
  }

  take(record: SegmentRecord, bytes: number, group: number): void {
    if (this.#isFirst !== (record.kind === "head")) throw new MalformedError("a segment begins with its head");
    this.#isFirst = false;
    if (group === 0 && repeated.has(record.kind)) {
      this.headBytes += bytes;
    }
    switch (record.kind) {
      case "entry":
        this.#takeEntry(record.entry, bytes);
        return;
      case "clean":
        if (!this.ledger.isHeld(record.key, record.version)) return;
        this.ledger.drop(record.key);
        this.#entries.delete(record.key);
        return;
      case "adopt":
        this.#adopted = record.adopted;
        this.#cluster = record.cluster;
        return;
      case "outcomes":
        for (const outcome of record.outcomes) this.#remember(outcome);
        return;
      case "forget":
        for (const { router, counter } of record.requests) this.#outcomes.get(router)?.delete(counter);
        return;
      case "late":
        this.#takeLate(record);
        return;
      case "head":
        this.#late.clear();
        this.#outcomes.clear();
        this.#adopted = [];
        this.#cluster = undefined;
        this.oldest = record.oldest;
        return;
      case "oldest":
        this.oldest = record.oldest;
        return;
      case "seal":
        return;
    }
  }

  async recovered(breaks: Breaks): Promise<Recovered> {
    breaks.restart();
    const entries = new PartedList<Entry>();
    for (const entry of this.#entries.values()) {
      entries.push(entry);
      if (breaks.isDue()) await breaks.take();
    }
    const outcomes = new PartedList<RequestOutcome>();
    for (const log of this.#outcomes.values()) {
      for (const outcome of log.values()) {
        outcomes.push(outcome);
        if (breaks.isDue()) await breaks.take();
      }
    }
    const late = new PartedList<Omit<LateRecord, "kind">>();
    for (const each of this.#late.values()) {
      late.push(each);
      if (breaks.isDue()) await breaks.take();
    }
    const cluster = this.#cluster;
    return {
      entries,
      outcomes,
      late,
      adopted: this.#adopted,
      ...(cluster !== undefined && { cluster }),
    };
  }

  #takeEntry(entry: Entry, bytes: number): void {
    const { requestId, key } = entry;
    if (this.#hasOutcomes && requestId.router !== noRequest.router) {
      this.#remember({ requestId, key, version: versionOf(entry) });
    }
    const before = this.#entries.get(key);
    if (before !== undefined && compareVersions(entry, before) < 0) return;
    this.#entries.set(key, entry);
    this.ledger.hold(key, entry, bytes);
  }

  #takeLate({ key, conditions }: LateRecord): void {
    if (conditions.length > 0) this.#late.set(key, { key, conditions });
    else this.#late.delete(key);
  }

  #remember(outcome: RequestOutcome): void {
    const { router, counter } = outcome.requestId;
    let log = this.#outcomes.get(router);
    if (log === undefined) {
      log = new OutcomeBlocks();
      this.#outcomes.set(router, log);
    }
    // As in `RequestLog.record`: when two primaries did a request, only the later outcome can be the one that anyone
    // saw.
    const known = log.get(counter);
    if (known === undefined || compareVersions(outcome.version, known.version) > 0) log.set(counter, outcome);
  }
}

const remedy =
  "Restore the data folder as it was; if that can't be done and the other nodes are well, start this node on an empty one";

function damaged(disk: Disk, file: DiskFile, offset: number, why: string): Error {
  return unusable(
    `${disk.description}/${file.name} is damaged at byte ${offset}: ${why}, so it is not a torn tail. ${remedy}`,
  );
}

function missing(disk: Disk, number: number): Error {
  return unusable(`${disk.description}/${segmentName(number)} is missing. ${remedy}`);
}
