/**
 * What an operator may ask of a cluster, for the tests of what HTTP makes of it: it notes what was asked, and tells of
 * a flush what it was told to.
 */

import { sleep } from "../../src/base/clock.ts";
import { OperatingError } from "../../src/base/errors.ts";
import type { Administration, FlushProgress, RefusedKeys } from "../../src/core/administration.ts";
import type { WriteOutcome } from "../../src/core/operation.ts";
import type { FailingKey } from "../../src/core/status.ts";
import { compareVersions, type Version } from "../../src/core/version.ts";
import { systemClock } from "../../src/system.ts";

export class MemoryAdministration implements Administration {
  /** What a flush tells, one after the other. */
  flushTells: readonly FlushProgress[] = [];
  /**
   * What a flush ends with, once it has told all that, while it is set; else it tells the last again and again, if that
   * is no outcome.
   */
  flushFailure: Error | undefined;
  /** Flushes that nobody has gone away from, or that have ended. */
  flushes = 0;
  /** What the store refuses, by key. */
  readonly refusals = new Map<string, FailingKey>();
  /** Keys whose state was discarded. */
  readonly discarded: string[] = [];

  async refused(key: string): Promise<FailingKey> {
    const failing = this.refusals.get(key);
    if (!failing) throw new OperatingError("not_refused", "nothing of this key has failed to reach the store");
    return failing;
  }

  async refusedUnder(prefix: string): Promise<RefusedKeys> {
    const keys = [...this.refusals.values()].filter(({ key }) => key.startsWith(prefix));
    return { keys: keys.slice(0, 2), more: keys.length > 2 };
  }

  async discard(key: string, version: Version): Promise<WriteOutcome> {
    const failing = await this.refused(key);
    if (compareVersions(failing.version, version) !== 0) return { kind: "precondition_failed" };
    this.refusals.delete(key);
    this.discarded.push(key);
    const next = { epoch: version.epoch, seq: version.seq + 1 };
    return { kind: "written", version: next, tag: "", durability: "replicated" };
  }

  async *flush(signal: AbortSignal): AsyncGenerator<FlushProgress, void> {
    this.flushes++;
    try {
      yield* this.flushTells;
      if (this.flushFailure) throw this.flushFailure;
      if (this.flushTells.at(-1)?.outcome !== undefined) return;
      for (const last = this.flushTells.at(-1); last; ) {
        await sleep(systemClock, 10, signal);
        yield last;
      }
    } finally {
      this.flushes--;
    }
  }
}
