/**
 * From a seed to a plan: how large a world is, what its clients do and which faults befall it. All that is random about a scenario's shape is drawn here, so
 * that a plan can be printed and read before its run.
 */

import { footprint, noHeaders } from "../../src/core/entry.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import { SimRandom } from "./sim-random.ts";

/** Kinds of faults; `healthy` is none of them. */
export const faultKinds = ["joins", "restarts", "links", "store", "pauses"] as const;
export type FaultKind = (typeof faultKinds)[number];

/** The worlds that are explored by turns. Pauses are left to those who ask for them: see {@link FaultKind}. */
export const profiles = {
  healthy: [],
  joins: ["joins"],
  restarts: ["restarts"],
  links: ["links"],
  store: ["store"],
  "joins+links": ["joins", "links"],
  "restarts+store": ["restarts", "store"],
  "links+store": ["links", "store"],
  all: ["joins", "restarts", "links", "store"],
} as const satisfies Record<string, readonly FaultKind[]>;
export type Profile = keyof typeof profiles;
export const profileNames = Object.keys(profiles) as Profile[];

export interface ScenarioPlan {
  readonly seed: number;
  readonly profile: string;
  readonly faults: readonly FaultKind[];
  /** When each host first starts, in virtual milliseconds; the first is there from the beginning. */
  readonly hostStartMs: readonly number[];
  /** Whether the configuration of each host names also those that start after it. */
  readonly knowsLater: boolean;
  readonly keys: readonly string[];
  /** Keys whose object is in the store before the cluster is. */
  readonly inherited: readonly string[];
  readonly clients: number;
  readonly operationsPerClient: number;
  /** Between an answer and the same client's next call, on average. */
  readonly meanThinkMs: number;
  readonly maxValueBytes: number;
  /** Parts of all operations. */
  readonly readShare: number;
  readonly deleteShare: number;
  readonly conditionalShare: number;
  /** Part of the puts that bring back an earlier content of the key. */
  readonly repeatShare: number;
  readonly uniqueTags: boolean;
  readonly ignoresRemoveConditions: boolean;
  readonly storeLatencyMs: number;
  readonly networkLatencyMs: number;
  /** Mean time between two faults of the kinds that come and go. */
  readonly meanFaultMs: number;
  /** Whether the buffers are so small that they fill. */
  readonly crowded: boolean;
  /** Whether all members are stopped, one after the other, at the end. */
  readonly stopsAtEnd: boolean;
  readonly settings: MemberSettings;
}

export function planFor(seed: number, chosen?: Profile | readonly FaultKind[]): ScenarioPlan {
  const random = new SimRandom(seed).fork("plan");
  const drawn = random.pick(profileNames);
  const profile = typeof chosen === "string" ? chosen : chosen === undefined ? drawn : chosen.join("+");
  const faults: readonly FaultKind[] =
    chosen !== undefined && typeof chosen !== "string" ? chosen : profiles[profile as Profile];
  const hosts = random.pick(faults.includes("joins") ? [2, 3, 3, 4, 5] : [1, 2, 2, 3, 3, 4, 5]);
  const replicas = random.pick([1, 2, 2, 2, 3]);
  const clients = random.whole(1, 8);
  const crowded = random.chance(0.15);
  const keys = Array.from({ length: random.pick([1, 1, 2, 2, 3, 6]) }, (_, index) => `k${index}`);
  const maxValueBytes = random.pick([30, 300, 4_000]);
  const plan: ScenarioPlan = {
    seed,
    profile,
    faults,
    hostStartMs: Array.from({ length: hosts }, (_, index) => {
      if (index === 0) return 0;
      return faults.includes("joins") && random.chance(0.7) ? random.between(0, 8_000) : random.between(0, 100);
    }),
    knowsLater: random.chance(0.5),
    keys,
    inherited: keys.filter(() => random.chance(0.3)),
    clients,
    operationsPerClient: Math.round(random.between(120, 240) / clients),
    meanThinkMs: random.pick([1, 5, 30, 100]),
    maxValueBytes,
    readShare: random.between(0.2, 0.6),
    deleteShare: random.between(0, 0.3),
    conditionalShare: random.pick([0, 0.1, 0.4]),
    repeatShare: random.pick([0, 0, 0.1]),
    uniqueTags: random.chance(0.3),
    ignoresRemoveConditions: random.chance(0.4),
    storeLatencyMs: random.pick([2, 30, 200]),
    networkLatencyMs: random.pick([0.2, 1, 10]),
    meanFaultMs: random.pick([300, 1_000, 3_000]),
    crowded,
    stopsAtEnd: random.chance(0.3),
    settings: {
      cluster: "sim",
      replicas,
      flushDeadlineMs: random.pick([1_000, 3_000, 10_000]),
      // A crowded buffer holds a few values of the largest size.
      room: {
        dirtyBytes: crowded ? 4 * footprint({ key: "k0", size: maxValueBytes, headers: noHeaders }) : 10_000_000,
        waitMs: random.pick([50, 2_000]),
      },
      cacheBytes: random.pick([0, 2_000, 1_000_000]),
      maxValueBytes: 100_000,
      flush: {
        delayMs: random.pick([0, 0, 10, 100]),
        pace: { initialConcurrency: random.whole(1, 4), maxConcurrency: random.whole(4, 64) },
        backoff: { minMs: 50, maxMs: 1_000 },
      },
      operationMs: 10_000,
      operationLimit: 1_000,
      pingMs: 200,
      stopMs: 60_000,
    },
  };
  // A healthy store answers in time: 30 times the mean of an exponential distribution.
  const flushDeadlineMs = Math.max(plan.settings.flushDeadlineMs, 30 * plan.storeLatencyMs);
  return { ...plan, settings: { ...plan.settings, flushDeadlineMs } };
}
