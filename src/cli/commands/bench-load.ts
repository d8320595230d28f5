/**
 * The load of `weir bench`: a fixed number of lanes. Each lane sends its next request once the last one is answered. So
 * a slower cluster gets fewer requests. The percentiles are those of requests that were sent.
 */

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { Readable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { ClusterClient, keyPath } from "../client/client.ts";
import type { Target } from "../client/target.ts";

export interface LoadSettings {
  readonly seconds: number;
  readonly connections: number;
  readonly size: number;
  readonly readShare: number;
  readonly keys: number;
  readonly prefix: string;
}

/** The results for one kind of request. */
export interface Measured {
  /** Microseconds. */
  readonly latency: RecordableHistogram;
  failed: number;
}

export class Load implements AsyncDisposable {
  readonly reads: Measured = { latency: createHistogram(), failed: 0 };
  readonly writes: Measured = { latency: createHistogram(), failed: 0 };
  /** How long the run took in the end. */
  seconds = 0;
  lastFailure = "";
  readonly #clients: readonly ClusterClient[];
  readonly #options: LoadSettings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #value: Buffer;

  constructor(target: Target, options: LoadSettings, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clients = target.urls.map((url) => new ClusterClient({ ...target, urls: [url] }));
    this.#options = options;
    this.#clock = ports.clock;
    this.#random = ports.random;
    // Random bytes, which nothing on the way can compress.
    this.#value = Buffer.from(Array.from({ length: options.size }, () => Math.floor(ports.random.next() * 256)));
  }

  get nodes(): number {
    return this.#clients.length;
  }

  /** Writes every key. */
  async fill(): Promise<void> {
    await this.#each((client, key) => this.#put(client, key));
  }

  /** Removes every key. */
  async clear(): Promise<void> {
    await this.#each((client, key) => this.#send(client, "DELETE", key));
  }

  async run(onSecond: (secondsLeft: number, requests: number) => void): Promise<void> {
    const { seconds, connections } = this.#options;
    const startedAt = this.#clock.now();
    const endsAt = startedAt + seconds * 1_000;
    let shown = seconds + 1;
    const tell = (): void => {
      const left = Math.ceil((endsAt - this.#clock.now()) / 1_000);
      if (left >= shown) return;
      shown = left;
      onSecond(left, this.reads.latency.count + this.writes.latency.count);
    };
    const lane = async (lane: number): Promise<void> => {
      const client = this.#clients[lane % this.#clients.length] as ClusterClient;
      while (this.#clock.now() < endsAt) {
        await this.#measure(client);
        tell();
      }
    };
    await Promise.all(Array.from({ length: connections }, (_, index) => lane(index)));
    this.seconds = (this.#clock.now() - startedAt) / 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }

  async #measure(client: ClusterClient): Promise<void> {
    const { keys, readShare } = this.#options;
    const key = this.#key(Math.floor(this.#random.next() * keys));
    const isRead = this.#random.next() < readShare;
    const measured = isRead ? this.reads : this.writes;
    const startedAt = this.#clock.now();
    try {
      if (isRead) await this.#send(client, "GET", key);
      else await this.#put(client, key);
      measured.latency.record(Math.max(1, Math.round((this.#clock.now() - startedAt) * 1_000)));
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      measured.failed++;
      this.lastFailure = error.message;
    }
  }

  async #each(work: (client: ClusterClient, key: string) => Promise<void>): Promise<void> {
    const { keys, connections } = this.#options;
    let next = 0;
    const lane = async (client: ClusterClient): Promise<void> => {
      try {
        while (next < keys) await work(client, this.#key(next++));
      } finally {
        // After a failure the other lanes end, too. So nothing is under way when this rejects.
        next = keys;
      }
    };
    const ends = await Promise.allSettled(
      Array.from({ length: connections }, (_, index) => lane(this.#clients[index % this.nodes] as ClusterClient)),
    );
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  #key(number: number): string {
    return `${this.#options.prefix}${String(number)}`;
  }

  async #put(client: ClusterClient, key: string): Promise<void> {
    const headers = { "content-length": String(this.#value.length) };
    const body = Readable.from([this.#value]);
    await drain(await client.request({ method: "PUT", path: keyPath(key), headers, body }));
  }

  async #send(client: ClusterClient, method: "GET" | "DELETE", key: string): Promise<void> {
    await drain(await client.request({ method, path: keyPath(key) }));
  }
}

async function drain({ body }: { readonly body: Readable }): Promise<void> {
  try {
    for await (const _ of body);
  } catch (cause) {
    throw new OperatingError("peer_unreachable", `the answer broke off: ${(cause as Error).message}`, { cause });
  }
}
