/**
 * Telling a key's other owners what the store may yet do with earlier requests for it (F25). That comes before the
 * key's next request. So of a primary that is lost, at most one request for a key is not known. The next primary finds
 * the condition of that one by its first look, or knows it (F26).
 */

import { sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { AnsweredRequest, LateRequest } from "../../core/message.ts";
import { type Version, versionOf } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";

type NoticesContext = ContextOf<"membership" | "network" | "journal" | "clock" | "complaints" | "late">;

/** Pause after a failure, in milliseconds. */
const retryMs = 50;

export class LateNotices {
  readonly #context: NoticesContext;
  readonly #deadlineMs: number;

  /** @param deadlineMs - one message may take so long, in milliseconds */
  constructor(context: NoticesContext, deadlineMs: number) {
    this.#context = context;
    this.#deadlineMs = deadlineMs;
  }

  /** Resolves when all other owners of the key, and the journal, have what is remembered, or when it is no use more. */
  async tell(key: string, isCurrent: () => boolean): Promise<void> {
    const { membership, journal, clock, complaints, late } = this.#context;
    while (isCurrent()) {
      const effects = late.untold(key, clock.now());
      if (effects.length === 0) return;
      const toldAt = clock.now();
      const { epoch } = membership;
      const request = { kind: "late", epoch, effects } as const;
      try {
        await Promise.all([journal.durable(), ...this.#othersOf(key).map((id) => this.#send(id, request))]);
        if (epoch === membership.epoch) late.told(effects, toldAt);
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        complaints.warn("late", "a flush waits until the key's other owners know of an earlier one", { key, error });
        await sleep(clock, retryMs);
      }
    }
  }

  /** An announced removal has got its answer. It is forgotten once all other owners have forgotten it (F27). */
  async answered(key: string, version: Version): Promise<void> {
    const { membership, late } = this.#context;
    const { epoch } = membership;
    try {
      const request = { kind: "answered", epoch, key, version: versionOf(version) } as const;
      await Promise.all(this.#othersOf(key).map((id) => this.#send(id, request)));
      late.answered(key, version);
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      late.doubt(key, version);
    }
  }

  #othersOf(key: string): string[] {
    const { membership } = this.#context;
    return membership.ownersOf(key).filter((id) => id !== membership.self.id);
  }

  async #send(id: string, request: LateRequest | AnsweredRequest): Promise<void> {
    const answer = await this.#context.network.request(id, request, this.#deadlineMs);
    if (answer.kind === "ack") return;
    const detail = answer.kind === "refused" ? answer.detail : answer.kind;
    throw new OperatingError("wrong_view", detail);
  }
}
