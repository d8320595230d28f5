/**
 * What one token notices of attacks by others, on three nodes of real processes: its requests' times before and during
 * each attack, and whether any failed.
 */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { sleep } from "../../../src/base/clock.ts";
import { runtimeOptions } from "../../../src/runtime-options.ts";
import { systemClock } from "../../../src/system.ts";
import { TestCluster } from "../cluster.ts";
import { program } from "../program.ts";
import { refuseStubbornKeys, stubbornPrefix } from "../stubborn-keys.ts";
import { bearer, tokenOf } from "../tokens.ts";
import type { Attack, AttackName } from "./attacker.ts";

const mebibyte = 1_024 ** 2;
const modest = tokenOf("modest", ["read", "write"]);
const operator = tokenOf("operator", ["read", "write", "admin"]);
const greedy = ["g1", "g2", "g3"].map((name) => tokenOf(name, ["read", "write"]));

/** Clients of the token that is measured, and how long each rests between two requests, in milliseconds. */
const clients = 4;
const restMs = 5;
/** An attack has so long to reach its share, in milliseconds. */
const beginMs = 1_000;

const onFirstProcessor = ["taskset", "--cpu-list", "0"];

export interface Times {
  readonly requests: number;
  /** Answers other than those expected, by status. */
  readonly failed: ReadonlyMap<number, number>;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface AttackResult {
  readonly name: AttackName;
  readonly before: Times;
  readonly during: Times;
}

export interface AttackOptions {
  /** Of each measurement, of which there are two for an attack. */
  readonly seconds: number;
  /** One node, on the first processor, and all else on the others; else three nodes, and all on all processors. */
  readonly isApart: boolean;
}

export async function runAttacks(
  names: readonly AttackName[],
  { seconds, isApart }: AttackOptions,
  onResult: (result: AttackResult) => void,
): Promise<void> {
  if (isApart) leaveFirstProcessor();
  for (const name of names) {
    await using cluster = await TestCluster.start({
      nodes: isApart ? 1 : 3,
      config: {
        auth: { tokens: [modest, operator, ...greedy].map(({ rule }) => rule) } as never,
        buffer: { dirtyBytes: 32 * mebibyte, maxValueBytes: mebibyte },
        http: { connections: 1_000, inFlightBytes: 32 * mebibyte },
        flush: { retryMaxMs: 10_000 },
        log: { level: "error" },
      },
      token: operator.token,
      // As the executable runs.
      program: [...(isApart ? onFirstProcessor : []), process.execPath, ...runtimeOptions, program],
    });
    refuseStubbornKeys(cluster.storeFolder);
    await measure(cluster, 1);
    const before = await measure(cluster, seconds);
    const tokens = greedy.map(({ token }) => token);
    const attack: Attack = { name, urls: cluster.urls, tokens, refusedPrefix: stubbornPrefix };
    const attacker = new Worker(join(import.meta.dirname, "attacker.ts"), { workerData: attack });
    await Promise.race([once(attacker, "error").then(([error]) => Promise.reject(error)), sleep(systemClock, beginMs)]);
    const during = await measure(cluster, seconds);
    await attacker.terminate();
    onResult({ name, before, during });
  }
}

/** This process and all of its threads go on without the first processor. */
function leaveFirstProcessor(): void {
  const others = `1-${availableParallelism() - 1}`;
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", others, String(process.pid)]);
}

/** Reads and writes of small values at each node, by one token. */
async function measure(cluster: TestCluster, seconds: number): Promise<Times> {
  const times: number[] = [];
  const failed = new Map<number, number>();
  const endAt = systemClock.now() + seconds * 1_000;
  const value = Buffer.alloc(1_024, "v");
  const work = async (client: number): Promise<void> => {
    for (let count = 0; systemClock.now() < endAt; count++) {
      const id = cluster.ids[count % cluster.ids.length] as string;
      const key = `modest/${client}`;
      const beganAt = systemClock.now();
      const isPut = count % 2 === 0;
      const { status } = isPut
        ? await cluster.put(id, key, value, bearer(modest.token))
        : await cluster.get(id, key, bearer(modest.token));
      times.push(systemClock.now() - beganAt);
      if (status !== (isPut ? 204 : 200)) failed.set(status, (failed.get(status) ?? 0) + 1);
      await sleep(systemClock, restMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(part * (times.length - 1))] ?? Number.NaN;
  return { requests: times.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}
