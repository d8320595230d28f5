/**
 * A host's data folder in a simulated world, which outlives its processes: a disk with a journal on it, or, without a
 * journal, nothing at all.
 */

import type { Log } from "../../src/base/log.ts";
import { type JournalSettings, openJournal } from "../../src/journal/file-journal.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { noJournal } from "../../src/journal/no-journal.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { type DiskFaultSettings, healthyDisk, SimDisk } from "./sim-disk.ts";
import type { SimProcess } from "./sim-process.ts";

export interface DataFolder {
  /** For the trace. */
  readonly name: string;
  /** Drawn when it was made; undefined when each process draws one for itself. */
  readonly id: string | undefined;
  /** Bytes on the disk. */
  readonly bytes: number;
  /** Opens the journal for a process; `onFailed` when it can confirm nothing any more. */
  open(process: SimProcess, log: Log, onFailed: () => void): Promise<Journal>;
  /** The process is gone, and the power too, perhaps. */
  crash(how: "killed" | "power"): void;
  setFaults(faults: DiskFaultSettings): void;
  /** Another folder as this one is now. */
  snapshot(): DataFolder;
  /** Syncs of its files so far. */
  readonly syncs: number;
}

/** Forgets everything. */
export function memoryFolder(name: string): DataFolder {
  return {
    name,
    syncs: 0,
    snapshot: () => memoryFolder(name),
    id: undefined,
    bytes: 0,
    open: (process) => Promise.resolve(noJournal(process.random.id())),
    crash: () => undefined,
    setFaults: () => undefined,
  };
}

export function diskFolder(
  name: string,
  random: SimRandom,
  settings: JournalSettings,
  disk = new SimDisk(random, healthyDisk),
): DataFolder {
  return {
    name,
    get syncs() {
      return disk.syncs;
    },
    snapshot: () => diskFolder(name, random, settings, disk.copy()),
    id: disk.folder,
    get bytes() {
      return disk.bytes;
    },
    open: (process, log, onFailed) =>
      openJournal({
        disk: disk.open(process),
        clock: process,
        log,
        settings,
        onFailed: (error) => {
          process.world.note("journal failed", () => `${process.name}: ${error.message}`);
          onFailed();
        },
      }),
    crash: (how) => disk.crash(how === "power" ? "power" : "process"),
    setFaults: (faults) => disk.setFaults(faults),
  };
}
