/**
 * Interleaved rounds: each target once a round, in an order that is turned round from one to the next, so that whatever
 * else the machine does meets all of them alike. Compared are medians, and ratios within the rounds.
 */

import { median } from "./report.ts";
import type { WrkPlan } from "./wrk.ts";

const shortRestMs = 20;

export interface Settings {
  readonly rounds: number;
  /** Of each run of each round. */
  readonly seconds: number;
  /** Of a full run's keys and bytes; below 1 it shows whether all works, and its figures mean nothing. */
  readonly scale: number;
}

/** What of a full run's keys or bytes is taken. */
export function scaled(count: number, { scale }: Settings): number {
  return Math.ceil(count * scale);
}

/** What each connection of a load rests before a request: a short run measures nothing, and keeps no processor busy. */
export function restOf({ scale }: Settings): Pick<WrkPlan, "restMs"> {
  return scale < 1 ? { restMs: shortRestMs } : {};
}

/** Of a target's runs, in order. */
export type Figures<Name extends string> = Readonly<Record<Name, readonly number[]>>;

/** Runs each of `targets` once to warm up, if figures matter, then `rounds` times. */
export async function interleaved<Name extends string>(
  { rounds, scale }: Settings,
  targets: Readonly<Record<Name, (warmUp: boolean) => Promise<number>>>,
): Promise<Figures<Name>> {
  const names = Object.keys(targets) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  if (scale === 1) for (const name of names) await targets[name](true);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) figures[name].push(await targets[name](false));
  }
  return figures;
}

/** The median over the rounds of what the one target did in relation to the other. */
export function ratio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((figure, round) => figure / (theirs[round] as number)));
}
