/**
 * The outcomes of recent writes by request id. A router sends a write again when a link broke before its answer; with
 * its outcome here, the write is not applied twice.
 *
 * A router says with its *watermark* which of its requests it will never send again. Until then every member that
 * assigned or replicated a write keeps its outcome, even after the value has left for the store.
 */

import { assert } from "../base/assert.ts";
import { noRequest, type RequestId } from "./entry.ts";
import type { RequestOutcome } from "./message.ts";
import { compareVersions, type Version } from "./version.ts";

/**
 * The counters of a block. A block that is finished goes as a whole: a start from a journal may know a million outcomes,
 * and to delete them one by one would take a tenth of a second.
 */
const blockSize = 4_096;

/** The outcomes of one router. */
class RouterLog {
  /** Every lower counter is finished. */
  watermark = 0;
  /** By the number of the block, and in it by counter. */
  readonly #blocks = new Map<number, Map<number, RequestOutcome>>();

  get isEmpty(): boolean {
    return this.#blocks.size === 0;
  }

  get(counter: number): RequestOutcome | undefined {
    return this.#blocks.get(blockOf(counter))?.get(counter);
  }

  set(counter: number, outcome: RequestOutcome): void {
    const block = this.#blocks.get(blockOf(counter));
    if (block) block.set(counter, outcome);
    else this.#blocks.set(blockOf(counter), new Map([[counter, outcome]]));
  }

  delete(counter: number): void {
    const block = this.#blocks.get(blockOf(counter));
    block?.delete(counter);
    if (block?.size === 0) this.#blocks.delete(blockOf(counter));
  }

  /** All of them. They may come and go while it runs. */
  *outcomes(): Generator<RequestOutcome> {
    for (const block of this.#blocks.values()) yield* block.values();
  }

  advance(watermark: number): void {
    assert(watermark > this.watermark, "a watermark only grows");
    this.watermark = watermark;
    const last = blockOf(watermark);
    for (const [number, block] of this.#blocks) {
      if (number > last) continue;
      if (number === last) for (const counter of block.keys()) if (counter < watermark) block.delete(counter);
      if (number < last || block.size === 0) this.#blocks.delete(number);
    }
  }
}

function blockOf(counter: number): number {
  return Math.floor(counter / blockSize);
}

/** The counter of a router's first request. A process that only pings has sent nothing, so it gets no log. */
const firstCounter = 1;

export class RequestLog {
  readonly #routers = new Map<string, RouterLog>();

  find(id: RequestId): RequestOutcome | undefined {
    return this.#routers.get(id.router)?.get(id.counter);
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
    const known = log.get(requestId.counter);
    if (known && compareVersions(known.version, version) >= 0) return;
    log.set(requestId.counter, { requestId, key, version });
  }

  /** Whether some router may still wait for a write of the key (D4). */
  isAwaited(key: string): boolean {
    for (const outcome of this.outcomes()) if (outcome.key === key) return true;
    return false;
  }

  /** Whether one of these processes may still wait for the outcome of a write (V29). */
  isAwaitedBy(routers: readonly { readonly incarnation: string }[]): boolean {
    return routers.some(({ incarnation }) => this.#routers.get(incarnation)?.isEmpty === false);
  }

  /** The router has finished every request below `watermark` (W11). */
  advance(router: string, watermark: number): void {
    if (watermark <= (this.#routers.get(router)?.watermark ?? firstCounter)) return;
    this.#logOf(router).advance(watermark);
  }

  /** The watermark of each router that has one. Its counter is that of the first request which may not be finished. */
  get finished(): RequestId[] {
    return [...this.#routers].flatMap(([router, { watermark: counter }]) => (counter > 0 ? { router, counter } : []));
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
    this.#routers.get(router)?.delete(counter);
  }

  #logOf(router: string): RouterLog {
    let log = this.#routers.get(router);
    if (!log) {
      log = new RouterLog();
      this.#routers.set(router, log);
    }
    return log;
  }

  /** All of them. They may come and go while it runs. */
  *outcomes(): Generator<RequestOutcome> {
    for (const log of this.#routers.values()) yield* log.outcomes();
  }
}
