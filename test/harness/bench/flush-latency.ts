/**
 * What flushing costs those who write meanwhile: the 99th percentile of a PUT in a cluster that flushes as fast as it
 * can, against one that does not flush. Both get the same number of writes a second, as the writers of a cluster that
 * is not overloaded do.
 */

import { BenchCluster } from "./cluster.ts";
import { Processes } from "./processes.ts";
import { type RawResult, runRaw } from "./raw-load.ts";
import { median, type Row } from "./report.ts";
import { interleaved, ratio, type Settings, scaled } from "./rounds.ts";
import { sinkStore, startSink } from "./sink.ts";

const keyCount = 10_000;
/** Few enough not to fill the processors, which other figures are about. */
const connections = 4;
const warmUpSeconds = 1;

export async function compareFlushLatency(settings: Settings): Promise<Row[]> {
  await using processes = new Processes();
  const sink = await startSink(processes);
  await using paused = await BenchCluster.start(sinkStore(sink, "paused"));
  await using flushing = await BenchCluster.start({ ...sinkStore(sink, "flushing"), flushDelayMs: 0 });
  const results: Record<string, RawResult[]> = { paused: [], flushing: [] };
  const run = (name: string, cluster: BenchCluster) => {
    const keys = Array.from({ length: scaled(keyCount, settings) }, (_, i) => `bench/object-${i}`);
    const ports = cluster.nodes.map(({ url }) => Number(new URL(url).port));
    return async (warmUp: boolean): Promise<number> => {
      const seconds = warmUp ? warmUpSeconds : settings.seconds;
      const result = await runRaw({ protocol: "http", ports, connections, keys, bytes: 1_024, seconds });
      if (!warmUp) results[name]?.push(result);
      await flushing.flushed();
      return result.p99Micros;
    };
  };
  const figures = await interleaved(settings, {
    paused: run("paused", paused),
    flushing: run("flushing", flushing),
  });
  const describe = (name: keyof typeof figures): string => {
    const perSecond = median((results[name] ?? []).map((result) => result.perSecond));
    return `${(median(figures[name]) / 1_000).toFixed(1)} ms at ${Math.round(perSecond)}/s`;
  };
  return [
    {
      what: `p99 of PUT 1 KiB over ${connections} connections while flushing at full rate`,
      weir: describe("flushing"),
      against: `flushing paused: ${describe("paused")}`,
      figure: ratio(figures.flushing, figures.paused),
      digits: 1,
      unit: "",
      target: { most: 2 },
    },
  ];
}
