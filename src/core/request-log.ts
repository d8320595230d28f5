/**
 * The outcomes of recent writes by request id. A router sends a write again when a link broke before its answer; with
 * its outcome here, the write is not applied twice.
 *
 * A router says with its *watermark* which of its requests it will never send again. Until then every member that
 * assigned or replicated a write keeps its outcome, even after the value has left for the store.
 */

import { assert } from "../base/assert.ts";
import { type Entry, noRequest, type RequestId } from "./entry.ts";
import type { RequestOutcome } from "./message.ts";
import { OutcomeBlocks } from "./outcome-blocks.ts";
import { compareVersions, type Version } from "./version.ts";

interface RouterLog {
  /** Every lower counter is finished. */
  watermark: number;
  readonly outcomes: OutcomeBlocks;
}

/** The counter of a router's first request. A process that only pings has sent nothing, so it gets no log. */
const firstCounter = 1;

export class RequestLog {
  readonly #routers = new Map<string, RouterLog>();

  find(id: RequestId): RequestOutcome | undefined {
    return this.#routers.get(id.router)?.outcomes.get(id.counter);
  }

  /**
   * Whether the router has given up the request. A copy of it that comes to its turn only now must not be applied
   * (W16).
   */
  isFinished(id: RequestId): boolean {
    return id.counter < (this.#routers.get(id.router)?.watermark ?? 0);
  }

  /** Kept until the router's watermark has passed it (W11). */
  record(requestId: RequestId, key: string, version: Version): void {
    if (requestId.router === noRequest.router) return;
    const log = this.#logOf(requestId.router);
    if (requestId.counter < log.watermark) return;
    // When two primaries applied the same request, only the later outcome can be the one that anyone saw. That both are
    // of one key is not asserted: a peer or a journal says so, and a faulty peer must not end this member.
    const known = log.outcomes.get(requestId.counter);
    if (known && compareVersions(known.version, version) >= 0) return;
    log.outcomes.set(requestId.counter, { requestId, key, version });
  }

  /** Whether some router may still wait for a write of the key (D4). */
  isAwaited(key: string): boolean {
    for (const outcome of this.outcomes()) if (outcome.key === key) return true;
    return false;
  }

  /** Whether one of these processes may still wait for the outcome of a write (V29). */
  isAwaitedBy(routers: readonly { readonly incarnation: string }[]): boolean {
    return routers.some(({ incarnation }) => this.#routers.get(incarnation)?.outcomes.isEmpty === false);
  }

  /** The router has finished every request below `watermark` (W11). */
  advance(router: string, watermark: number): void {
    if (watermark <= (this.#routers.get(router)?.watermark ?? firstCounter)) return;
    const log = this.#logOf(router);
    assert(watermark > log.watermark, "a watermark only grows");
    log.watermark = watermark;
    log.outcomes.deleteBelow(watermark);
  }

  /** The watermark of each router that has one. Its counter is that of the first request which may not be finished. */
  get finished(): RequestId[] {
    const finished: RequestId[] = [];
    for (const [router, { watermark: counter }] of this.#routers) if (counter > 0) finished.push({ router, counter });
    return finished;
  }

  /** Forgets all routers but these. A process that is no member sends nothing again. */
  keepRouters(incarnations: ReadonlySet<string>): void {
    for (const router of this.#routers.keys()) {
      if (!incarnations.has(router)) this.#routers.delete(router);
    }
  }

  /**
   * The outcome counts no more, since nothing that this member holds of its key does. The entry of such a write may
   * never have reached another member, and is forgotten, too (V37).
   */
  forget({ router, counter }: RequestId): void {
    this.#routers.get(router)?.outcomes.delete(counter);
  }

  /**
   * The entry as its copy goes into the journal: without its request if the outcome of that is not known any more. A
   * start learns outcomes from entries, also from a copy that comes after the note that they are forgotten (V37).
   */
  withKnownRequest(entry: Entry): Entry {
    if (this.find(entry.requestId) !== undefined) return entry;
    return entry.requestId.router === noRequest.router ? entry : { ...entry, requestId: noRequest };
  }

  #logOf(router: string): RouterLog {
    let log = this.#routers.get(router);
    if (!log) {
      log = { watermark: 0, outcomes: new OutcomeBlocks() };
      this.#routers.set(router, log);
    }
    return log;
  }

  /** All of them. They may come and go while it runs. */
  *outcomes(): Generator<RequestOutcome> {
    for (const log of this.#routers.values()) yield* log.outcomes.values();
  }
}
