/**
 * Hand-off: after a view change what is held goes to the owners under the new view, in two stages. First every member *delivers* what it holds to the primary of each key. When
 * everyone has, each primary has the newest of all its keys, and brings that to the other owners: then it has *handed off*. Outcomes of recent requests go the same way.
 *
 * Lists of keys and versions go first, and only what the receiver lacks follows. What fails is sent again for as long as the view stands.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Entry } from "../../core/entry.ts";
import type { Membership } from "../../core/membership.ts";
import type { KeyVersion, PeerAnswer, PeerRequest, RequestOutcome } from "../../core/message.ts";
import type { RequestLog } from "../../core/request-log.ts";
import { compareVersions, type Version, versionOf } from "../../core/version.ts";
import type { WriteBuffer } from "../../core/write-buffer.ts";
import type { Network } from "../../network/network.ts";

export interface HandOffObserver {
  /** The primary of every key has all that this member held. */
  onDelivered(): void;
  /** The peer, an owner, has this version or a newer one of a key whose primary this member is. */
  onOwnerHas(key: string, version: Version, peer: string): void;
  /** Every owner has everything. */
  onHandedOff(): void;
  /** The peer has a link and does not take what it is handed in time. */
  onStuck(peer: string): void;
}

export interface HandOffParts {
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly requests: RequestLog;
  readonly network: Network;
  readonly clock: Clock;
  readonly complaints: Complaints;
  /** How long one request may take, in milliseconds: a peer that needs longer counts as silent. */
  readonly deadlineMs: number;
  readonly observer: HandOffObserver;
}

/** Entries under way to one owner at once, keys in a list, outcomes in a message, and the pause after a failure in milliseconds. */
const entriesUnderWay = 16;
const keysPerList = 500;
const outcomesPerMessage = 1_000;
const retryMs = 50;

/** What one member is to get. */
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

  /** First stage, for the view just adopted. */
  deliver(): void {
    const { membership, observer } = this.#parts;
    const self = membership.self.id;
    this.#run = {};
    this.#sendAll(
      (owners) => (owners[0] === undefined || owners[0] === self ? [] : [owners[0]]),
      () => undefined,
      () => observer.onDelivered(),
    );
  }

  /** Second stage: everyone has delivered. */
  handOff(): void {
    const { membership, observer } = this.#parts;
    const self = membership.self.id;
    this.#sendAll(
      (owners) => (owners[0] === self ? owners.slice(1) : []),
      (key, version, peer) => observer.onOwnerHas(key, version, peer),
      () => observer.onHandedOff(),
    );
  }

  stop(): void {
    this.#run = {};
  }

  /** Sends what is held, and outcomes, to the receivers of each key. */
  #sendAll(
    receiversOf: (owners: readonly string[]) => readonly string[],
    onHas: (key: string, version: Version, peer: string) => void,
    onDone: () => void,
  ): void {
    const run = this.#run;
    const parcels = this.#pack(receiversOf);
    const sent = Promise.all([...parcels].map(([peer, parcel]) => this.#deliver(run, peer, parcel, onHas)));
    void sent.then(() => {
      if (run === this.#run) onDone();
    });
  }

  #pack(receiversOf: (owners: readonly string[]) => readonly string[]): Map<string, Parcel> {
    const { membership, buffer, requests } = this.#parts;
    const parcels = new Map<string, Parcel>();
    const parcelFor = (peer: string): Parcel => {
      let parcel = parcels.get(peer);
      if (!parcel) {
        parcel = { keys: [], outcomes: [] };
        parcels.set(peer, parcel);
      }
      return parcel;
    };
    for (const record of buffer.records()) {
      for (const peer of receiversOf(membership.ownersOf(record.key))) parcelFor(peer).keys.push(record.key);
    }
    for (const outcome of requests.outcomes()) {
      if (this.#isPending(outcome)) continue;
      for (const peer of receiversOf(membership.ownersOf(outcome.key))) parcelFor(peer).outcomes.push(outcome);
    }
    return parcels;
  }

  /** The outcome of a pending write goes with its entry: without that it would be a promise that nobody can keep. */
  #isPending({ key, version }: RequestOutcome): boolean {
    const pending = this.#parts.buffer.get(key)?.pending ?? [];
    return pending.some((write) => !write.inherited && compareVersions(write.entry, version) === 0);
  }

  async #deliver(
    run: object,
    peer: string,
    { keys, outcomes }: Parcel,
    onHas: (key: string, version: Version, peer: string) => void,
  ): Promise<void> {
    const { epoch } = this.#parts.membership;
    for (let start = 0; start < keys.length; start += keysPerList) {
      const items = this.#itemsOf(keys.slice(start, start + keysPerList));
      const answer = await this.#send(run, peer, { kind: "hand_off_list", epoch, items });
      if (answer?.kind !== "wanted") return;
      const wanted = new Set(answer.wanted);
      for (const [index, { key, version }] of items.entries()) if (!wanted.has(index)) onHas(key, version, peer);
      const queue = wanted[Symbol.iterator]();
      const worker = async (): Promise<void> => {
        for (const index of queue) {
          const key = items[index]?.key;
          // What this member has written itself meanwhile, it replicates itself; the newest held entry serves as well as an older one.
          const entry = key === undefined ? undefined : this.#heldOf(key);
          if (entry) {
            if (!(await this.#send(run, peer, { kind: "hand_off", epoch, entry }))) return;
            onHas(entry.key, entry, peer);
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(entriesUnderWay, wanted.size) }, worker));
      if (run !== this.#run) return;
    }
    // After the entries: nobody may know that a request was done without having its entry.
    for (let start = 0; start < outcomes.length; start += outcomesPerMessage) {
      const some = outcomes.slice(start, start + outcomesPerMessage);
      await this.#send(run, peer, { kind: "hand_off_outcomes", epoch, outcomes: some });
    }
  }

  #itemsOf(keys: readonly string[]): KeyVersion[] {
    const items: KeyVersion[] = [];
    for (const key of keys) {
      const entry = this.#heldOf(key);
      if (entry) items.push({ key, version: versionOf(entry) });
    }
    return items;
  }

  /** What is held of the key, visible or inherited. */
  #heldOf(key: string): Entry | undefined {
    const record = this.#parts.buffer.get(key);
    const first = record?.pending[0];
    return record?.entry ?? (first?.inherited ? first.entry : undefined);
  }

  /** Sends until it is acknowledged; undefined when the run ends before that. */
  async #send(run: object, peer: string, request: PeerRequest): Promise<PeerAnswer | undefined> {
    const { membership, network, clock, complaints, deadlineMs, observer } = this.#parts;
    while (run === this.#run) {
      try {
        const answer = await network.request(peer, request, deadlineMs);
        if (run !== this.#run) return undefined;
        if (answer.kind === "ack" || answer.kind === "wanted") return answer;
        // That some have not adopted the same view yet, or have gone on to the next, is part of every change.
        if (answer.kind !== "refused" || answer.epoch === membership.epoch) {
          const reason = answer.kind === "refused" ? answer.detail : answer.kind;
          complaints.warn(`hand-off ${peer}`, "a hand-off is refused and will be tried again", { peer, reason });
        }
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        if (isOperatingError(error, "deadline_exceeded") && run === this.#run) observer.onStuck(peer);
        complaints.warn(`hand-off ${peer}`, "a hand-off fails and will be tried again", { peer, error });
      }
      await sleep(clock, retryMs);
    }
    return undefined;
  }
}
