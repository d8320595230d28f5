/**
 * A cluster for commands that send many requests. The requests go to all nodes in turn. A request that a node cannot do
 * now is tried again on the next node, for a while. So a command survives a failover, a full buffer, and a node that
 * stops.
 */

import { type Clock, type Instant, sleep } from "../../base/clock.ts";
import { errorKinds, isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { ClusterClient, RefusedError } from "./client.ts";
import type { Target } from "./target.ts";

/** Longer than a node takes to restart. */
const patienceMs = 60_000;
const firstPauseMs = 100;
const lastPauseMs = 5_000;

export class BulkClient implements AsyncDisposable {
  readonly #clients: readonly ClusterClient[];
  readonly #clock: Clock;
  readonly #random: Random;
  #next = 0;
  /** Whether any node has answered yet. Until then each node is tried only once. */
  #hasAnswered = false;
  /** Failed attempts that were repeated. */
  retries = 0;

  constructor(target: Target, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clients = target.urls.map((url) => new ClusterClient({ ...target, urls: [url] }));
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  /**
   * The result of `work`. Work that fails for a passing reason is done again, so it must be repeatable.
   *
   * @throws OperatingError The error of the last attempt.
   */
  async persist<T>(work: (client: ClusterClient) => Promise<T>): Promise<T> {
    let giveUpAt: Instant | undefined;
    for (let failures = 0; ; ) {
      const client = this.#clients[this.#next++ % this.#clients.length] as ClusterClient;
      try {
        const result = await work(client);
        this.#hasAnswered = true;
        return result;
      } catch (error) {
        if (error instanceof RefusedError) this.#hasAnswered = true;
        if (!mayPass(error) || (!this.#hasAnswered && failures >= this.#clients.length - 1)) throw error;
        failures++;
        // The time counts from the first failure: one large value may take longer than that by itself.
        giveUpAt ??= this.#clock.now() + patienceMs;
        const asked = error instanceof RefusedError ? error.retryAfterMs : 0;
        const backoff = Math.min(firstPauseMs * 2 ** Math.min(failures, 10), lastPauseMs);
        const pauseMs = Math.max(asked, backoff * (0.5 + this.#random.next() / 2));
        if (this.#clock.now() + pauseMs >= giveUpAt) throw error;
        this.retries++;
        await sleep(this.#clock, pauseMs);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** Whether another try may succeed. */
function mayPass(error: unknown): boolean {
  if (error instanceof RefusedError) return errorKinds[error.code].status === 503 && error.code !== "store_refused";
  return isOperatingError(error, "peer_unreachable");
}

/** The error for a body that broke off. Like a lost connection, it is tried again. */
export function brokenBody(reason: string, cause?: unknown): OperatingError {
  return new OperatingError("peer_unreachable", `the value did not arrive whole: ${reason}`, { cause });
}
