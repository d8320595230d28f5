/**
 * What a fault is: something that befalls a cluster, is held for a while, and is put right again, all while clients are
 * at work.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { SimRandom } from "../sim-random.ts";
import type { ChaosCluster } from "./chaos-cluster.ts";
import type { ChaosStore } from "./chaos-store.ts";
import type { FaultSpan } from "./fault-watch.ts";
import type { ChaosNetwork } from "./network.ts";

export const faultKinds = [
  "kill",
  "restart",
  "wipe",
  "pause",
  "partition",
  "links",
  "store",
  "both",
  "late",
  "power",
  "storm",
  "roll",
  "grow",
  "outage",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What a fault acts on. */
export interface Scene {
  readonly cluster: ChaosCluster;
  readonly store: ChaosStore;
  /** Undefined where there are no namespaces. */
  readonly network: ChaosNetwork | undefined;
  readonly random: SimRandom;
  /** From now on these nodes are hit, beside those that are already. */
  begin(span: Partial<FaultSpan>): void;
  /**
   * Asks the node for every key that clients work on, and does not wait for the answers: those of a node that was away
   * must not be stale.
   */
  askAll(id: string): void;
  /** Puts a large value under a key of its own through the node; whether that was acknowledged. */
  putLarge(id: string): Promise<boolean>;
  /** Something worth telling beside the usual figures. */
  note(text: string): void;
  /** What is not as it should be, though no answer was wrong. */
  complain(text: string): void;
  /** All is well again: waits until the cluster has settled, and fails if it takes too long. */
  settle(): Promise<void>;
}

export interface Fault {
  readonly kind: FaultKind;
  /** What it is in particular, and whom it hits. */
  readonly name: string;
  /** The one node that the others lose by it. */
  readonly lost?: string;
  /** Begins, holds and heals it; afterwards everything runs and is connected. */
  act(scene: Scene): Promise<void>;
}

export type FaultMaker = (scene: Scene) => Fault | undefined;

/** Lets the fault be for a time between these, in milliseconds. */
export async function hold(random: SimRandom, leastMs: number, mostMs: number): Promise<void> {
  await sleep(systemClock, random.between(leastMs, mostMs));
}
