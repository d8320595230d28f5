/**
 * Discards, by name, what the store refuses for good: `weir drop` (D1).
 *
 * Any member tells what the store refuses of a key, and why. The key's primary judges whether that may be discarded:
 * 1. It is the very version that the operator has looked at, and the store has refused that version (D2).
 * 2. No request to the store may still take effect for the key (D3).
 * 3. No client waits to hear that the store has it (D4).
 * The write that discards it is the primary's: see `core/discarded.ts`.
 */

import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import type { RefusedKeys } from "../../core/administration.ts";
import type { Backlog } from "../../core/backlog.ts";
import { whatTheStoreHas } from "../../core/discarded.ts";
import { noHeaders } from "../../core/entry.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { FailingAnswer, FailingRequest, RefusalsAnswer, RefusedKeysRequest } from "../../core/message.ts";
import type { WriteOutcome } from "../../core/operation.ts";
import type { FailingKey } from "../../core/status.ts";
import { compareVersions, type Version } from "../../core/version.ts";
import { votersOf } from "../../core/view.ts";
import type { ContextOf } from "../context.ts";
import type { Flusher } from "../flush/flusher.ts";
import { notReady, requireEpoch } from "../keys/not-ready.ts";
import type { Router } from "../route/router.ts";
import type { Status } from "./status.ts";

type DiscardContext = ContextOf<"buffer" | "log" | "membership" | "requests" | "slices">;
type DiscardRouter = Pick<Router, "ask" | "persist" | "primaryOf" | "requireView" | "write">;

/** Keys that are told of at a time, at most. */
const refusedAtOnce = 1_000;

export class Discard {
  readonly #context: DiscardContext;
  readonly #router: DiscardRouter;
  readonly #flusher: Pick<Flusher, "mayChange">;
  readonly #backlog: Pick<Backlog, "refused" | "refusedValues">;
  readonly #status: Pick<Status, "failingKey">;

  constructor(
    context: DiscardContext,
    router: DiscardRouter,
    flusher: Pick<Flusher, "backlog" | "mayChange">,
    status: Pick<Status, "failingKey">,
  ) {
    this.#context = context;
    this.#router = router;
    this.#flusher = flusher;
    this.#backlog = flusher.backlog;
    this.#status = status;
  }

  /**
   * What of the key the store refuses.
   * @throws OperatingError (rejects with one): `not_refused`; the router's.
   */
  async refused(key: string): Promise<FailingKey> {
    const { membership } = this.#context;
    const router = this.#router;
    const failing = await router.persist(async (deadlineMs) => {
      const request: FailingRequest = { kind: "failing", epoch: membership.epoch, key };
      const primary = router.primaryOf(key, deadlineMs);
      if (primary === membership.self.id) return this.answer(request).failing;
      const answer = await router.ask(primary, request, deadlineMs);
      if (answer.kind === "failed") return answer.failing;
      throw new OperatingError("internal", `a peer answered ${answer.kind}`);
    }, key);
    if (!failing) throw notRefused("nothing of this key has failed to reach the store");
    if (failing.code !== "store_refused") throw notRefused(`it fails for another reason: ${failing.reason}`);
    return failing;
  }

  /**
   * Discards this version of the key, on any member: as `Administration.discard`.
   * @throws OperatingError (rejects with one): `not_refused`; the router's.
   */
  discard(key: string, version: Version): Promise<WriteOutcome> {
    const state = { value: undefined, upload: whatTheStoreHas, headers: noHeaders, precondition: undefined, md5: "" };
    return this.#router.write({ key, ...state, durability: "replicated", discards: version });
  }

  /**
   * What the store refuses of the keys that begin with the prefix, at all members.
   * @throws OperatingError (rejects with one): the router's.
   */
  refusedUnder(prefix: string): Promise<RefusedKeys> {
    const { membership } = this.#context;
    const router = this.#router;
    return router.persist(async (deadlineMs) => {
      router.requireView(deadlineMs);
      const { epoch, view, self } = membership;
      const request: RefusedKeysRequest = { kind: "refused_keys", epoch, prefix, limit: refusedAtOnce };
      const answers = await Promise.all(
        votersOf(view).map(async ({ id }) => {
          const answer = id === self.id ? await this.answerUnder(request) : await router.ask(id, request, deadlineMs);
          if (answer.kind === "refusals") return answer;
          throw new OperatingError("internal", `a peer answered ${answer.kind}`);
        }),
      );
      const keys = answers.flatMap((answer) => answer.keys).sort((a, b) => compareText(a.key, b.key));
      const more = keys.length > refusedAtOnce || answers.some((answer) => answer.more);
      return { keys: keys.slice(0, refusedAtOnce), more };
    });
  }

  /** @throws OperatingError (rejects with one) `wrong_view`, `not_ready`. */
  async answerUnder({ epoch, prefix, limit }: RefusedKeysRequest): Promise<RefusalsAnswer> {
    const { membership, slices } = this.#context;
    const keys: FailingKey[] = [];
    let more = false;
    const visit = (record: KeyState): void => {
      if (!record.key.startsWith(prefix) || record.failure?.code !== "store_refused") return;
      const failing = keys.length < limit ? this.#status.failingKey(record) : undefined;
      if (failing) keys.push(failing);
      else more = true;
    };
    await new Promise<void>((resolve) => slices.lane().over(this.#backlog.refused(), visit, resolve));
    // A key that another member serves now is not refused here any more.
    requireEpoch(membership, epoch);
    if (!membership.activated) throw new OperatingError("not_ready", "a hand-off is under way");
    return { kind: "refusals", keys, more };
  }

  /** @throws OperatingError `wrong_view`, `not_ready`. */
  answer({ epoch, key }: FailingRequest): FailingAnswer {
    const { membership, buffer } = this.#context;
    requireEpoch(membership, epoch);
    if (!membership.mayAnswer(key)) throw notReady(membership, key);
    const record = buffer.get(key);
    return { kind: "failed", failing: record && this.#status.failingKey(record) };
  }

  /**
   * Whether this version is the state of a key that is served here, and may be discarded at this moment; false when
   * another version is the state.
   * @throws OperatingError `not_refused`; `not_ready` when that may be so in a moment.
   */
  judge(key: string, version: Version): boolean {
    const { buffer, requests, log } = this.#context;
    const record = buffer.get(key);
    if (!record?.entry || compareVersions(record.entry, version) !== 0) return false;
    if (record.pending.length > 0) throw new OperatingError("not_ready", "a newer write of this key is under way");
    requireRefusal(record, version, this.#backlog);
    if (this.#flusher.mayChange(record))
      throw new OperatingError("not_ready", "an earlier request to the store may still write this key");
    // Its answer would say that the store has it, or something newer.
    if (requests.isAwaited(key))
      throw new OperatingError("not_ready", "a client may still wait for a write of this key");
    log.warn("an operator gives up what the store refuses", { key, version, error: record.failure });
    return true;
  }
}

/**
 * The last attempt may have been that of an earlier version. A removal that is refused is never sent if the store
 * refuses the look before it (F10).
 */
function requireRefusal(record: KeyState, version: Version, { refusedValues }: Pick<Backlog, "refusedValues">): void {
  const { failure } = record;
  if (!record.wasLastSent(version) && !refusedValues.isOf(record, version))
    throw notRefused("the store has not been tried with it yet");
  if (failure?.code === "store_refused") return;
  throw notRefused(failure ? `it fails for another reason: ${failure.message}` : "it is on its way to the store");
}

function notRefused(detail: string): OperatingError {
  return new OperatingError("not_refused", detail);
}
