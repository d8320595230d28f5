/**
 * What may befall a request to the simulated store. Faults that it makes are those of `blob-store.ts`: no effect or an
 * unknown one, slowness, refusals to take so many requests, outages. Faults that it must not make, because the protocol
 * builds on their absence: an answer that is wrong, a read that is stale, a write that lands later than L after its
 * call.
 */

import type { SimRandom } from "../harness/sim-random.ts";

export interface StoreFaultSettings {
  readonly minLatencyMs: number;
  /** Requests take this much more on average, half of it before they take effect. */
  readonly meanExtraLatencyMs: number;
  /** Reading an object of a client takes this much more on average, as if it were large. */
  readonly meanBodyMs: number;
  /**
   * Half of the requests wait in their process for this long on average before they are sent, as for a free connection.
   */
  readonly meanQueueMs: number;
  /** Parts of the requests that end so. */
  readonly failBeforeChance: number;
  readonly failAfterChance: number;
  readonly throttleChance: number;
  /** Answered `conflict`, without effect, although the condition held: the store is unsure who won. */
  readonly unsureChance: number;
  /** No answer in time, and the effect comes at any time up to the deadline, or to `lateEffectMs`. */
  readonly lateChance: number;
  /** How late an effect may come, in milliseconds after the call; 0: no later than the deadline. */
  readonly lateEffectMs: number;
}

export const healthyStore: StoreFaultSettings = {
  minLatencyMs: 5,
  meanExtraLatencyMs: 20,
  meanBodyMs: 0,
  meanQueueMs: 0,
  failBeforeChance: 0,
  failAfterChance: 0,
  throttleChance: 0,
  unsureChance: 0,
  lateChance: 0,
  lateEffectMs: 0,
};

export type StoreAnswer = "result" | "unavailable" | "throttled" | "conflict" | "refused";

/** One request's fate. */
export interface StoreFate {
  /** When it takes effect, milliseconds after the call; undefined when it never does. */
  readonly effectMs: number | undefined;
  /** When the caller is answered, milliseconds after the call; may be before the effect. */
  readonly answerMs: number;
  readonly answer: StoreAnswer;
  /** The caller is told that the store never got the request. */
  readonly neverSent?: true;
}

/**
 * The world's time passes at up to this rate for a caller whose clock is slow, so a deadline by its clock is a little
 * earlier than by ours: nothing lands in the last part of it. Larger than any simulated clock's error.
 */
const deadlinePart = 0.95;

export function drawFate(
  random: SimRandom,
  settings: StoreFaultSettings,
  deadlineMs: number,
  outage: boolean,
): StoreFate {
  const lastMs = deadlineMs * deadlinePart;
  const beforeMs = settings.minLatencyMs / 2 + random.exponential(settings.meanExtraLatencyMs / 2);
  const afterMs = settings.minLatencyMs / 2 + random.exponential(settings.meanExtraLatencyMs / 2);
  if (outage) {
    // A closed port answers at once, a dead host never.
    if (random.chance(0.7)) {
      return { effectMs: undefined, answerMs: Math.min(beforeMs, lastMs), answer: "unavailable", neverSent: true };
    }
    return { effectMs: undefined, answerMs: deadlineMs, answer: "unavailable" };
  }
  let luck = random.next();
  const falls = (chance: number): boolean => {
    luck -= chance;
    return luck < 0;
  };
  const sumMs = Math.min(beforeMs + afterMs, deadlineMs);
  if (falls(settings.failBeforeChance)) return { effectMs: undefined, answerMs: sumMs, answer: "unavailable" };
  if (falls(settings.failAfterChance)) {
    return { effectMs: Math.min(beforeMs, lastMs), answerMs: sumMs, answer: "unavailable" };
  }
  if (falls(settings.throttleChance)) {
    return {
      effectMs: random.chance(0.1) ? Math.min(beforeMs, lastMs) : undefined,
      answerMs: sumMs,
      answer: "throttled",
    };
  }
  if (falls(settings.unsureChance)) return { effectMs: undefined, answerMs: sumMs, answer: "conflict" };
  if (falls(settings.lateChance)) {
    const answerMs = random.chance(0.5) ? deadlineMs : sumMs;
    const latestMs = Math.max(lastMs, settings.lateEffectMs * deadlinePart);
    return { effectMs: random.between(Math.min(beforeMs, lastMs), latestMs), answerMs, answer: "unavailable" };
  }
  if (beforeMs + afterMs > deadlineMs) {
    return { effectMs: beforeMs > lastMs ? undefined : beforeMs, answerMs: deadlineMs, answer: "unavailable" };
  }
  return { effectMs: Math.min(beforeMs, lastMs), answerMs: beforeMs + afterMs, answer: "result" };
}

/** What becomes of a request that would have had this fate, when the store refuses it: it has no effect. */
export function refusedFate({ answerMs, answer }: StoreFate): StoreFate {
  return { effectMs: undefined, answerMs, answer: answer === "result" || answer === "conflict" ? "refused" : answer };
}
