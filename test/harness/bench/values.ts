/**
 * Values of one size by HTTP: a cluster of three nodes, whose primary is asked itself or through another node, against
 * the bare server of the same runtime.
 */

import { join } from "node:path";
import { BenchCluster } from "./cluster.ts";
import { Processes } from "./processes.ts";
import { runRaw } from "./raw-load.ts";
import { median, type Row, rate } from "./report.ts";
import { interleaved, ratio, restOf, type Settings, scaled } from "./rounds.ts";
import { requestsFor, runWrk, type WrkPlan } from "./wrk.ts";

export interface ValuesPlan {
  /** Of a value. */
  readonly bytes: number;
  readonly label: string;
  readonly keys: number;
  readonly targets: {
    readonly get: number;
    readonly getThroughAnother?: number;
    readonly put?: number;
  };
}

/** Seconds for a run that nobody looks at: the compilers' time. */
const warmUpSeconds = 1;

export async function compareValues(settings: Settings, plan: ValuesPlan): Promise<Row[]> {
  await using processes = new Processes();
  await using cluster = await BenchCluster.start();
  const bareProcess = processes.start(process.execPath, [join(import.meta.dirname, "bare-server.ts")], {
    readsOutput: true,
  });
  const bareUrl = await bareProcess.firstLine();
  const keys = cluster.keysOf("a", scaled(plan.keys, settings));
  const requests = requestsFor(keys);
  const cpu: Record<string, number[]> = {};

  const run = (name: string, url: string, method: WrkPlan["method"], cpuMicros: () => number) => {
    const figures: number[] = [];
    cpu[`${method} ${name}`] = figures;
    return async (warmUp: boolean): Promise<number> => {
      const seconds = warmUp ? warmUpSeconds : settings.seconds;
      const before = cpuMicros();
      const result = await runWrk({ url, method, requests, bytes: plan.bytes, seconds, ...restOf(settings) });
      if (!warmUp) figures.push((cpuMicros() - before) / result.requests);
      return result.perSecond;
    };
  };

  // Every key once, so that no GET misses.
  await fill(bareUrl, keys, plan.bytes);
  await fill(cluster.node("a").url, keys, plan.bytes);
  const rows: Row[] = [];
  for (const method of ["GET", "PUT"] as const) {
    const figures = await interleaved(settings, {
      bare: run("bare", bareUrl, method, () => bareProcess.cpuMicros()),
      primary: run("primary", cluster.node("a").url, method, () => cluster.cpuMicros()),
      other: run("other", cluster.node("b").url, method, () => cluster.cpuMicros()),
    });
    const row = (name: "primary" | "other", what: string, least: number | undefined): Row => ({
      what: `${method} ${plan.label}, ${what}`,
      weir: describe(figures[name], cpu[`${method} ${name}`]),
      against: `bare node:http ${describe(figures.bare, cpu[`${method} bare`])}`,
      figure: ratio(figures[name], figures.bare),
      digits: 2,
      unit: "",
      ...(least !== undefined && { target: { least } }),
    });
    const { get, put, getThroughAnother } = plan.targets;
    rows.push(row("primary", "on its primary", method === "GET" ? get : put));
    rows.push(row("other", "through another node", method === "GET" ? getThroughAnother : undefined));
  }
  return rows;
}

function describe(perSecond: readonly number[], cpu: readonly number[] | undefined): string {
  return `${rate(median(perSecond))} (${median(cpu ?? []).toFixed(0)} µs)`;
}

async function fill(url: string, keys: readonly string[], bytes: number): Promise<void> {
  await runRaw({ protocol: "http", ports: [Number(new URL(url).port)], connections: 32, keys, bytes });
}
