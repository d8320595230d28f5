/**
 * What a buffered value takes of a process's memory, on its primary and on its replica, after a garbage collection;
 * beside what `footprint` counts towards the limit, which must not be less.
 */

import { sleep } from "../../../src/base/clock.ts";
import { footprint, noHeaders } from "../../../src/core/entry.ts";
import { systemClock } from "../../../src/system.ts";
import { BenchCluster, type Node } from "./cluster.ts";
import { runRaw } from "./raw-load.ts";
import type { Row } from "./report.ts";
import { type Settings, scaled } from "./rounds.ts";

const valueBytes = 1_024;
/** Time for the collector's other threads to give memory back. */
const collectMs = 1_000;
/**
 * A collection when asked from outside. The runtime keeps what it has freed for a while: the second one makes it let
 * go.
 */
const collectOnSignal = "process.on('SIGUSR2', () => { gc(); setTimeout(gc, 200); })";

export async function measureMemory(settings: Settings): Promise<Row[]> {
  const warmUpCount = scaled(20_000, settings);
  const count = scaled(200_000, settings);
  await using cluster = await BenchCluster.start({
    // As good as all keys have a as their primary, and so b as their replica.
    nodes: { a: 1, b: 0.000_1 },
    execArgv: ["--expose-gc", "--import", `data:text/javascript,${collectOnSignal}`],
  });
  const keys = cluster.keysOf("a", warmUpCount + count);
  await fill(cluster, keys.slice(0, warmUpCount));
  const before = await resident(cluster.nodes);
  await fill(cluster, keys.slice(warmUpCount));
  const after = await resident(cluster.nodes);
  const counted = footprint({ key: keys.at(-1) as string, size: valueBytes, headers: noHeaders });
  return ["primary", "replica"].map((role, index) => {
    const bytes = ((after[index] as number) - (before[index] as number)) / count;
    return {
      what: `memory for a buffered value of 1 KiB, its ${role}'s copy`,
      weir: `${Math.round(bytes)} bytes`,
      against: `counted by footprint(): ${counted} bytes`,
      figure: bytes / 1_024,
      digits: 2,
      unit: " KiB",
      target: { most: 1.6 },
    };
  });
}

async function fill(cluster: BenchCluster, keys: readonly string[]): Promise<void> {
  const ports = [Number(new URL(cluster.node("a").url).port)];
  await runRaw({ protocol: "http", ports, connections: 32, keys, bytes: valueBytes });
}

async function resident(nodes: readonly Node[]): Promise<number[]> {
  for (const { process: node } of nodes) node.signal("SIGUSR2");
  await sleep(systemClock, collectMs);
  return nodes.map(({ process: node }) => node.residentBytes());
}
