/** How a simulated store is when it is well, and the ways in which it can be unwell. */

import type { SimRandom } from "../harness/sim-random.ts";
import type { SimStore } from "./sim-store.ts";
import { healthyStore, type StoreFaultSettings } from "./store-faults.ts";

export const storeTroubles = ["slow", "failing", "ambiguous", "throttled", "unsure", "confused", "outage"] as const;
export type StoreTrouble = (typeof storeTroubles)[number];

export function plainStoreFaults(plan: {
  readonly storeLatencyMs: number;
  readonly storeQueueMs: number;
  readonly storeBodyMs: number;
}): StoreFaultSettings {
  return {
    ...healthyStore,
    minLatencyMs: 1,
    meanExtraLatencyMs: plan.storeLatencyMs,
    meanQueueMs: plan.storeQueueMs,
    meanBodyMs: plan.storeBodyMs,
  };
}

/** Makes the store unwell, in degrees drawn from `random`. */
export function troubleStore(
  store: SimStore,
  trouble: StoreTrouble,
  plain: StoreFaultSettings,
  random: SimRandom,
): void {
  store.setOutage(trouble === "outage");
  switch (trouble) {
    case "slow":
      store.setFaults({ ...plain, meanExtraLatencyMs: random.between(200, 2_000) });
      break;
    case "failing":
      store.setFaults({ ...plain, failBeforeChance: random.between(0.1, 0.9) });
      break;
    case "ambiguous":
      store.setFaults({ ...plain, failAfterChance: random.between(0, 0.5), lateChance: random.between(0, 0.5) });
      break;
    case "throttled":
      store.setFaults({ ...plain, throttleChance: random.between(0.1, 0.9) });
      break;
    case "unsure":
      store.setFaults({ ...plain, unsureChance: random.between(0.1, 0.5) });
      break;
    case "confused":
      store.setFaults({ ...plain, failAfterChance: 0.15, lateChance: 0.3, unsureChance: 0.2, throttleChance: 0.1 });
      break;
    default:
  }
}

/** Makes it well again. */
export function healStore(store: SimStore, plain: StoreFaultSettings): void {
  store.setOutage(false);
  store.setFaults(plain);
}
