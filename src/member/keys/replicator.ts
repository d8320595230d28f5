/**
 * Replication: the primary sends each write to the key's other owners, and again for as long as one has not acknowledged it, which it does when the write is in its
 * journal. An acknowledgement counts only in the epoch in which the entry was accepted.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Membership } from "../../core/membership.ts";
import type { PeerAnswer } from "../../core/message.ts";
import type { KeyRecord, PendingWrite } from "../../core/write-buffer.ts";
import type { Network } from "../../network/network.ts";

export interface ReplicatorObserver {
  /** One owner more has the write. */
  onAcknowledged(record: KeyRecord): void;
  /** A peer has adopted this newer epoch. */
  onNewerEpoch(epoch: number): void;
  /** The peer has a link and does not take writes in time. */
  onStuck(peer: string): void;
}

export interface ReplicatorParts {
  readonly membership: Membership;
  readonly network: Network;
  readonly clock: Clock;
  readonly complaints: Complaints;
  /** How long one attempt may take, in milliseconds: a peer that needs longer counts as silent. */
  readonly deadlineMs: number;
  readonly observer: ReplicatorObserver;
}

/** A write that a replica has not got yet, and that waits to be sent again. */
interface Unsent {
  readonly record: KeyRecord;
  readonly write: PendingWrite;
}

/** The pause before what failed is sent again, in milliseconds; when the replica's buffer is full, a longer one: the values are as large as they are many. */
const resendMs = 50;
const fullPauseMs = 500;

export class Replicator {
  readonly #parts: ReplicatorParts;
  readonly #unsent = new Map<string, Unsent[]>();
  readonly #timers = new Map<string, Timer>();

  constructor(parts: ReplicatorParts) {
    this.#parts = parts;
  }

  /** Sends the write to one of those that it still misses. */
  send(record: KeyRecord, write: PendingWrite, peer: string): void {
    const { network, membership, observer, deadlineMs } = this.#parts;
    const epoch = membership.epoch;
    network.request(peer, { kind: "replicate", epoch, entry: write.entry }, deadlineMs).then(
      (answer: PeerAnswer) => {
        if (epoch !== membership.epoch) return;
        if (answer.kind === "ack" && answer.epoch === epoch) {
          write.missing = write.missing.filter((id) => id !== peer);
          observer.onAcknowledged(record);
          return;
        }
        const reason = answer.kind === "refused" ? answer.detail : answer.kind;
        if (answer.kind === "refused" && answer.epoch > epoch) observer.onNewerEpoch(answer.epoch);
        // A peer that has not adopted the view yet learns of it by the next ping: part of every change.
        else if (answer.kind !== "refused" || answer.epoch === epoch) this.#complain(peer, reason);
        const isFull = answer.kind === "refused" && answer.code === "buffer_full";
        this.#sendLater(record, write, peer, isFull ? fullPauseMs : resendMs);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        // No link, no answer in time, or its queue is full: whatever it was, the write stays assigned and is sent again.
        if (epoch !== membership.epoch) return;
        if (isOperatingError(error, "deadline_exceeded")) observer.onStuck(peer);
        this.#complain(peer, error.message);
        this.#sendLater(record, write, peer, resendMs);
      },
    );
  }

  /** A link is up: what waits for this peer is sent now. */
  resend(peer: string): void {
    const waiting = this.#unsent.get(peer);
    this.#unsent.delete(peer);
    for (const { record, write } of waiting ?? []) {
      if (record.pending.includes(write) && write.missing.includes(peer)) this.send(record, write, peer);
    }
  }

  /** Under a view just adopted everything begins anew. */
  adoptView(): void {
    this.#unsent.clear();
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#unsent.clear();
  }

  #complain(peer: string, reason: string): void {
    this.#parts.complaints.warn(`replicate ${peer}`, "a replica does not take writes, which wait for it", {
      peer,
      reason,
    });
  }

  #sendLater(record: KeyRecord, write: PendingWrite, peer: string, pauseMs: number): void {
    const waiting = this.#unsent.get(peer);
    if (waiting) waiting.push({ record, write });
    else this.#unsent.set(peer, [{ record, write }]);
    if (this.#timers.has(peer)) return;
    const timer = this.#parts.clock.after(pauseMs, () => {
      this.#timers.delete(peer);
      // Without a link they wait for the next one.
      if (this.#parts.network.linked(peer)) this.resend(peer);
    });
    this.#timers.set(peer, timer);
  }
}
