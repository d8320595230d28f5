/**
 * Replication: the primary sends each write to the key's other owners, and again for as long as one has not
 * acknowledged it. A replica acknowledges a write when its journal has it. An acknowledgement counts only in the epoch
 * in which the replica accepted the entry (W7).
 */

import { assert } from "../../base/assert.ts";
import type { Timer } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { PeerAnswer } from "../../core/message.ts";
import type { PendingWrite } from "../../core/pending-write.ts";
import type { ContextOf } from "../context.ts";
import type { Committer } from "./committer.ts";

export interface ReplicatorObserver {
  /** A peer has adopted this newer epoch. */
  onNewerEpoch(epoch: number): void;
  /** The peer has a link and does not take writes in time. */
  onStuck(peer: string): void;
}

/** A write that a replica has not got yet, and that waits to be sent again. */
interface Unsent {
  readonly record: KeyState;
  readonly write: PendingWrite;
}

/**
 * The pause before what failed is sent again, in milliseconds. When the replica's buffer is full the pause is longer:
 * the values may be large, and many.
 */
const resendMs = 50;
const fullPauseMs = 500;

type ReplicatorContext = ContextOf<"membership" | "network" | "clock" | "complaints">;

export class Replicator {
  readonly #context: ReplicatorContext;
  readonly #committer: Pick<Committer, "commitReady">;
  readonly #observer: ReplicatorObserver;
  readonly #deadlineMs: number;
  readonly #unsent = new Map<string, Unsent[]>();
  readonly #timers = new Map<string, Timer>();

  /** @param deadlineMs - for one attempt: a peer that needs longer counts as silent */
  constructor(
    context: ReplicatorContext,
    committer: Pick<Committer, "commitReady">,
    observer: ReplicatorObserver,
    deadlineMs: number,
  ) {
    this.#context = context;
    this.#committer = committer;
    this.#observer = observer;
    this.#deadlineMs = deadlineMs;
  }

  /** Sends the write to one of the owners that it still misses. */
  send(record: KeyState, write: PendingWrite, peer: string): void {
    const { network, membership } = this.#context;
    assert(peer !== membership.self.id, "a member does not replicate to itself");
    const epoch = membership.epoch;
    network.request(peer, { kind: "replicate", epoch, entry: write.entry }, this.#deadlineMs).then(
      (answer: PeerAnswer) => {
        if (epoch !== membership.epoch) return;
        if (answer.kind === "ack" && answer.epoch === epoch) {
          record.acknowledged(write, peer);
          this.#committer.commitReady(record);
          return;
        }
        const reason = answer.kind === "refused" ? answer.detail : answer.kind;
        if (answer.kind === "refused" && answer.epoch > epoch) this.#observer.onNewerEpoch(answer.epoch);
        // A peer that has not adopted the view yet learns of it by the next ping, and goes through what it holds: part
        // of every change.
        else if (answer.kind !== "refused" || (answer.epoch === epoch && answer.code !== "not_ready"))
          this.#complain(peer, reason);
        const isFull = answer.kind === "refused" && answer.code === "buffer_full";
        this.#sendLater(record, write, peer, isFull ? fullPauseMs : resendMs);
      },
      (error: unknown) => {
        if (!isOperatingError(error)) throw error;
        // No link, no answer in time, or a full queue: in any case the write stays assigned, and is sent again (W9).
        if (epoch !== membership.epoch) return;
        if (isOperatingError(error, "deadline_exceeded")) this.#observer.onStuck(peer);
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
    this.#context.complaints.warn(`replicate ${peer}`, "a replica does not take writes, which wait for it", {
      peer,
      reason,
    });
  }

  #sendLater(record: KeyState, write: PendingWrite, peer: string, pauseMs: number): void {
    const waiting = this.#unsent.get(peer);
    if (waiting) waiting.push({ record, write });
    else this.#unsent.set(peer, [{ record, write }]);
    if (this.#timers.has(peer)) return;
    const timer = this.#context.clock.after(pauseMs, () => {
      this.#timers.delete(peer);
      // Without a link they wait for the next one.
      if (this.#context.network.linked(peer)) this.resend(peer);
    });
    this.#timers.set(peer, timer);
  }
}
