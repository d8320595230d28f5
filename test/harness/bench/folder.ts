/**
 * What the store in a folder does: how many objects a second it takes, and what that costs those who read values in
 * memory meanwhile. Both clusters hold the same values. The one writes them into its folder, and the other does not.
 */

import { systemClock } from "../../../src/system.ts";
import { BenchCluster } from "./cluster.ts";
import { Processes } from "./processes.ts";
import { type RawResult, runRaw } from "./raw-load.ts";
import { median, type Row, rate } from "./report.ts";
import { interleaved, ratio, type Settings, scaled } from "./rounds.ts";
import type { StoreRound } from "./store-rate.ts";

const readKeys = 1_000;
/** More than the folder takes in a round. */
const backlogKeys = 6_000;
/** Few enough not to fill the processors, which other figures are about. */
const connections = 4;
const storeRoundCount = 3;
/** Each value is with a primary and a replica until it is stored. */
const copies = 2;

export async function compareFolder(settings: Settings): Promise<Row[]> {
  return [...(await rateAlone(settings)), ...(await compareReads(settings))];
}

/** One process that does nothing else. */
async function rateAlone({ seconds, scale }: Settings): Promise<Row[]> {
  await using processes = new Processes();
  const rounds = scale < 1 ? 1 : storeRoundCount;
  const args = [`${import.meta.dirname}/store-rate.ts`, "--json", "--rounds", `${rounds}`, "--seconds", `${seconds}`];
  const output = await processes.start(process.execPath, args, { readsOutput: true }).output();
  const own = output
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as StoreRound).own);
  const perSecond = median(own.map((round) => round.perSecond));
  const micros = median(own.map((round) => round.cpuMicros));
  return [
    {
      what: "distinct 1 KiB objects to a folder, 64 at a time",
      weir: rate(perSecond),
      against: "",
      figure: micros,
      digits: 0,
      unit: " µs each",
    },
  ];
}

async function compareReads(settings: Settings): Promise<Row[]> {
  await using quiet = await BenchCluster.start({ journal: true });
  await using written = await BenchCluster.start({ journal: true, flushDelayMs: 0 });
  const results: Record<string, RawResult[]> = { quiet: [], written: [] };
  const stored: number[] = [];
  const run = async (name: string, cluster: BenchCluster): Promise<(warmUp: boolean) => Promise<number>> => {
    const ports = cluster.nodes.map(({ url }) => Number(new URL(url).port));
    const plan = { protocol: "http", ports, bytes: 1_024 } as const;
    const read = Array.from({ length: readKeys }, (_, i) => `bench/read-${i}`);
    await runRaw({ ...plan, connections: 32, keys: read });
    await written.flushed();
    let round = 0;
    return async (warmUp) => {
      const keys = Array.from({ length: scaled(backlogKeys, settings) }, (_, i) => `bench/${round}/object-${i}`);
      round++;
      await runRaw({ ...plan, connections: 32, keys });
      const before = await written.dirtyKeys();
      const startedAt = systemClock.now();
      const result = await runRaw({ ...plan, method: "GET", connections, keys: read, seconds: settings.seconds });
      const left = await written.dirtyKeys();
      if (!warmUp) results[name]?.push(result);
      if (!warmUp && cluster === written)
        stored.push((before - left) / copies / ((systemClock.now() - startedAt) / 1_000));
      await written.flushed();
      return result.p50Micros;
    };
  };
  const figures = await interleaved(settings, {
    quiet: await run("quiet", quiet),
    written: await run("written", written),
  });
  const describe = (name: keyof typeof figures): string => {
    const of = (pick: (result: RawResult) => number): number => median((results[name] ?? []).map(pick));
    const ms = (micros: number): string => `${(micros / 1_000).toFixed(2)} ms`;
    return `p50 ${ms(of((each) => each.p50Micros))}, p99 ${ms(of((each) => each.p99Micros))} at ${rate(of((each) => each.perSecond))}`;
  };
  const perSecond = median(stored);
  return [
    {
      what: `GET of 1 KiB in memory over ${connections} connections while 3 nodes write ${rate(perSecond)} into one folder`,
      weir: describe("written"),
      against: `nothing is written: ${describe("quiet")}`,
      figure: ratio(figures.written, figures.quiet),
      digits: 2,
      unit: " (p50)",
    },
  ];
}
