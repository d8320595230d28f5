/**
 * Hand-off: after a view change every member sends what it holds to the owners under the new view, with the outcomes of recent requests, and
 * reports when all of them have acknowledged all of it. Several entries are under way to each owner at once; what fails is sent again for
 * as long as the view stands.
 */

import { type Clock, sleep } from "../base/clock.ts";
import type { Complaints } from "../base/complaints.ts";
import { isOperatingError } from "../base/errors.ts";
import type { Membership } from "../core/membership.ts";
import type { PeerRequest, RequestOutcome } from "../core/message.ts";
import type { RequestLog } from "../core/request-log.ts";
import { compareVersions } from "../core/version.ts";
import type { WriteBuffer } from "../core/write-buffer.ts";
import type { Network } from "../network/network.ts";

export interface HandOffParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly network: Network;
  readonly clock: Clock;
  readonly complaints: Complaints;
  /** Every owner has everything. */
  readonly onDone: () => void;
}

/** Entries under way to one owner at once, outcomes in a message, how long one may take, and the pause after a failure (ms). */
const entriesUnderWay = 16;
const outcomesPerMessage = 1_000;
const requestDeadlineMs = 10_000;
const retryMs = 50;

/** What one owner is to get. */
interface Parcel {
  readonly keys: string[];
  readonly outcomes: RequestOutcome[];
}

export class HandOff {
  readonly #parts: HandOffParts;
  /** Names the run of the adopted view; an earlier run notices that it is not this one, and ends. */
  #run: object = {};

  constructor(parts: HandOffParts) {
    this.#parts = parts;
  }

  /** Begins anew for the view just adopted. */
  start(): void {
    const { membership, buffer, requests, onDone } = this.#parts;
    const run = {};
    this.#run = run;
    const parcels = new Map<string, Parcel>(membership.peers.map(({ id }) => [id, { keys: [], outcomes: [] }]));
    for (const record of buffer.records()) {
      if (!record.entry) continue;
      for (const owner of membership.ownersOf(record.key)) parcels.get(owner)?.keys.push(record.key);
    }
    for (const outcome of requests.outcomes()) {
      // The outcome of a pending write goes with its entry: without that it would be a promise that nobody can keep.
      if (buffer.get(outcome.key)?.pending.some(({ entry }) => compareVersions(entry, outcome.version) === 0)) continue;
      for (const owner of membership.ownersOf(outcome.key)) parcels.get(owner)?.outcomes.push(outcome);
    }
    Promise.all([...parcels].map(([peer, parcel]) => this.#deliver(run, peer, parcel))).then(
      () => {
        if (run === this.#run) onDone();
      },
      (error: unknown) => {
        throw error;
      },
    );
  }

  stop(): void {
    this.#run = {};
  }

  async #deliver(run: object, peer: string, { keys, outcomes }: Parcel): Promise<void> {
    const { membership, buffer } = this.#parts;
    const { epoch } = membership;
    const queue = keys[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const key of queue) {
        // What is pending here, or committed since, the primary replicates itself; the newest held entry serves as well as an older one.
        const entry = buffer.get(key)?.entry;
        if (entry) await this.#send(run, peer, { kind: "hand_off", epoch, entry });
        if (run !== this.#run) return;
      }
    };
    for (let start = 0; start < outcomes.length; start += outcomesPerMessage) {
      const some = outcomes.slice(start, start + outcomesPerMessage);
      await this.#send(run, peer, { kind: "hand_off_outcomes", epoch, outcomes: some });
    }
    await Promise.all(Array.from({ length: Math.min(entriesUnderWay, keys.length) }, worker));
  }

  /** Sends until it is acknowledged or the run has ended. */
  async #send(run: object, peer: string, request: PeerRequest): Promise<void> {
    const { network, clock, complaints } = this.#parts;
    while (run === this.#run) {
      try {
        const answer = await network.request(peer, request, requestDeadlineMs);
        if (answer.kind === "ack") return;
        const reason = answer.kind === "refused" ? answer.detail : answer.kind;
        complaints.warn(`hand-off ${peer}`, "a hand-off is refused and will be tried again", { peer, reason });
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        complaints.warn(`hand-off ${peer}`, "a hand-off fails and will be tried again", { peer, error });
      }
      await sleep(clock, retryMs);
    }
  }
}
