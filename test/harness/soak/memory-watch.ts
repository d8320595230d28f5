/**
 * The memory of processes, looked at again and again: how much each had at first, at most, and on average in each part
 * of the time.
 */

import { readFileSync } from "node:fs";
import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";

const sampleMs = 500;

export interface MemoryFigures {
  readonly firstBytes: number;
  readonly mostBytes: number;
  /** Means of the four quarters of the time: a leak makes them climb. */
  readonly quarterBytes: readonly number[];
}

export class MemoryWatch implements AsyncDisposable {
  readonly #samples = new Map<string, number[]>();
  readonly #end = new AbortController();
  readonly #done: Promise<void>;

  /** `pids` by the processes' names. Only where there is a /proc. */
  constructor(pids: ReadonlyMap<string, number>) {
    for (const [name, pid] of pids) this.#samples.set(name, [residentBytes(pid)]);
    this.#done = this.#watch(pids);
  }

  /** The last sample. */
  nowBytes(name: string): number {
    return this.#samples.get(name)?.at(-1) ?? 0;
  }

  figures(name: string): MemoryFigures {
    const samples = this.#samples.get(name) ?? [];
    const quarter = (index: number): number => {
      const part = samples.slice((index * samples.length) / 4, ((index + 1) * samples.length) / 4);
      return part.reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, part.length);
    };
    return {
      firstBytes: samples[0] ?? 0,
      mostBytes: Math.max(...samples),
      quarterBytes: [0, 1, 2, 3].map(quarter),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async #watch(pids: ReadonlyMap<string, number>): Promise<void> {
    while (!this.#end.signal.aborted) {
      // Ended early only to stop at once.
      await sleep(systemClock, sampleMs, this.#end.signal).catch(() => undefined);
      for (const [name, pid] of pids) this.#samples.get(name)?.push(residentBytes(pid));
    }
  }
}

/** The process's resident set size. */
function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}
