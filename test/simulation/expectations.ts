/**
 * What a client may be answered, and how soon: in a world with troubles much is allowed, in a healthy one, or at a node
 * that none has befallen, nothing.
 */

import type { ErrorCode } from "../../src/base/errors.ts";
import type { RegisterAction } from "../harness/history.ts";
import type { ScenarioPlan } from "./scenario-plan.ts";
import type { SimHost } from "./sim-cluster.ts";

/** After these nothing was done; see `Operations`. */
export const notDone: readonly ErrorCode[] = ["buffer_full", "overloaded", "refused_full", "shutting_down"];

/** Refusals that a cluster with troubles may give. Any other is a bug. */
const troubles: readonly ErrorCode[] = [
  "buffer_full",
  "overloaded",
  "shutting_down",
  "not_ready",
  "deadline_exceeded",
  "peer_unreachable",
  "wrong_view",
  "store_unavailable",
  "store_throttled",
];

export interface Expectations {
  /** Codes that an operation may fail with. */
  allowedCodes(host: SimHost, action: RegisterAction, calledMs: number): readonly ErrorCode[];
  /**
   * An operation that was called then is answered within this, in milliseconds, unless its process ends, as far as is
   * known by now.
   */
  patienceMs(host: SimHost, calledMs: number): number;
  /** An operation at the host was answered: how long it took. */
  answered(host: SimHost, calledMs: number, tookMs: number): void;
  /** Longest time that an operation took at a host to which nothing happened meanwhile, in milliseconds. */
  readonly longestMs: number;
}

/**
 * Beyond the member's own deadline for an operation: latencies and clock errors; and pauses, of which several may come
 * one after the other.
 */
const answerExtraMs = 4_000;
const pausesExtraMs = 60_000;
/** Each part of an upload, and its completion, has deadlines of its own. */
const uploadExtraMs = 120_000;
/** The deadlines of a parted upload grow with its bytes: to those of some twenty parts, twice. */
const partedExtraMs = 500_000;
/** P4: one node lost, and every key answers again within this. */
const failoverMs = 3_000;
/**
 * Several steps of it take a request to the store or a message: of exponentially distributed times so many means are
 * enough.
 */
const latencies = 30;

/** What befell the nodes: see {@link OneLoss}. */
export interface Hits {
  /** Whether something happened to the host since then. */
  wasHit(host: SimHost, sinceMs: number): boolean;
  /** Something that happened since then takes so much longer to be noticed than a node that is silent. */
  noticeMs(sinceMs: number): number;
}

export function expectationsOf(plan: ScenarioPlan, operationMs: number, hits: Hits): Expectations {
  const { faults, crowded } = plan;
  const hasPauses = faults.some((kind) => ["pauses", "ambushes", "twins"].includes(kind));
  const uploadMs = plan.isParted ? partedExtraMs : plan.bufferedBytes === undefined ? 0 : uploadExtraMs;
  const atLastMs = operationMs + uploadMs + (hasPauses ? pausesExtraMs : answerExtraMs);
  const isOneLoss = faults.includes("oneLoss");
  const soonMs = failoverMs + latencies * (plan.storeLatencyMs + plan.networkLatencyMs);
  // The store is gone: what needs nothing of it goes on, as long as the key has all of its owners.
  const hasOwners = plan.hosts.every(({ settings }) => plan.hosts.length >= settings.replicas);
  let longestMs = 0;
  return {
    get longestMs() {
      return longestMs;
    },
    answered(host, calledMs, tookMs) {
      if (!hits.wasHit(host, calledMs)) longestMs = Math.max(longestMs, tookMs);
    },
    patienceMs: (host, calledMs) =>
      isOneLoss && !hits.wasHit(host, calledMs) ? soonMs + hits.noticeMs(calledMs) : atLastMs,
    allowedCodes(host, action, calledMs) {
      if (action.kind === "drop") return [...troubles, "not_refused"];
      if (faults.includes("shares")) return [...troubles, "refused_full"];
      if (faults.length === 0) return crowded ? ["buffer_full"] : [];
      if (isOneLoss) return hits.wasHit(host, calledMs) ? troubles : [];
      const isPlainPut = action.kind === "put" && action.condition === undefined;
      if (faults.includes("outage") && isPlainPut && hasOwners) return [];
      // Parts of an upload that is gone are refused.
      return plan.bufferedBytes === undefined ? troubles : [...troubles, "store_refused"];
    },
  };
}
