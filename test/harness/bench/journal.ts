/**
 * The journal alone: entries made durable by many writers at once, and how long reading a large one takes at a start.
 */

import { hash } from "node:crypto";
import { join } from "node:path";
import type { Log } from "../../../src/base/log.ts";
import { type Entry, noHeaders } from "../../../src/core/entry.ts";
import { openFileDisk } from "../../../src/journal/file-disk.ts";
import { openJournal } from "../../../src/journal/file-journal.ts";
import type { Journal } from "../../../src/journal/journal.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";
import type { Row } from "./report.ts";
import { type Settings, scaled } from "./rounds.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

const mebibyte = 1024 ** 2;
const writers = 32;
const valueBytes = 1_024;
const largeBytes = 256 * mebibyte;
const groupEntries = 1_000;

export async function measureJournal(settings: Settings): Promise<Row[]> {
  using folder = new TemporaryFolder();
  const value = Buffer.alloc(valueBytes, 7);
  const md5 = hash("md5", value);
  let seq = 0;
  const next = (): Entry => ({
    epoch: 1,
    seq: ++seq,
    key: `bench/object-${seq}`,
    value,
    headers: noHeaders,
    md5,
    modifiedMs: systemClock.wallMs(),
    size: valueBytes,
    requestId: { router: "0".repeat(32), counter: seq },
  });

  const journal = await open(folder.path);
  const until = systemClock.now() + settings.seconds * 1_000;
  const started = systemClock.now();
  const cpuBefore = process.cpuUsage();
  const write = async (): Promise<void> => {
    while (systemClock.now() < until) {
      journal.append({ kind: "entry", entry: next() });
      await journal.durable();
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const perSecond = (seq * 1_000) / (systemClock.now() - started);
  const { user, system } = process.cpuUsage(cpuBefore);
  const micros = (user + system) / seq;
  while (seq * valueBytes < scaled(largeBytes, settings)) {
    for (let index = 0; index < groupEntries; index++) journal.append({ kind: "entry", entry: next() });
    await journal.durable();
  }
  await journal[Symbol.asyncDispose]();

  const openedAt = systemClock.now();
  const again = await open(folder.path);
  const seconds = (systemClock.now() - openedAt) / 1_000;
  const count = again.recovered.entries.length;
  await again[Symbol.asyncDispose]();
  if (count !== seq) throw new Error(`the journal has ${count} of ${seq} entries`);
  return [
    {
      what: `entries of 1 KiB made durable in one journal, ${writers} at a time`,
      weir: `${Math.round(perSecond).toLocaleString("en-US")}/s`,
      against: "",
      figure: micros,
      digits: 1,
      unit: " µs each",
    },
    {
      what: `reading a journal of 256 MiB at a start (${count.toLocaleString("en-US")} entries)`,
      weir: `${seconds.toFixed(2)} s`,
      against: "",
      figure: seconds,
      digits: 1,
      unit: " s",
      target: { most: 3 },
    },
  ];
}

async function open(path: string): Promise<Journal> {
  const disk = await openFileDisk(join(path, "journal"), systemRandom);
  const journal = await openJournal({
    disk,
    clock: systemClock,
    log: silent,
    settings: { segmentBytes: 64 * mebibyte, liveLimitBytes: 1024 * mebibyte },
    onFailed: (error) => {
      throw error;
    },
  });
  // Nothing is let go, so nothing has to be written forward.
  journal.attach({ adoption: () => undefined, outcomes: () => [], late: () => [], newest: () => undefined });
  return journal;
}
