/**
 * Acknowledged writes, in two nodes' memory or on their disks before the answer: weir's PUT on a cluster of three nodes
 * against Redis with one replica, and a WAIT for it after each SET; without persistence against a cluster without
 * journals, with an fsync for each group of writes against one with them. Both sides get the same generator.
 */

import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import { ownPorts } from "../own-ports.ts";
import { BenchCluster } from "./cluster.ts";
import { Processes } from "./processes.ts";
import { type RawPlan, type RawResult, runRaw } from "./raw-load.ts";
import { median, type Row, rate } from "./report.ts";
import { interleaved, ratio, type Settings, scaled } from "./rounds.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const connections = 32;
const keyCount = 10_000;
const warmUpSeconds = 1;
const syncMs = 10_000;

export async function compareWithRedis(settings: Settings): Promise<Row[]> {
  return [...(await compare(settings, false)), ...(await compare(settings, true))];
}

async function compare(settings: Settings, journal: boolean): Promise<Row[]> {
  using folder = new TemporaryFolder();
  await using processes = new Processes();
  await using cluster = await BenchCluster.start({ journal });
  const redis = await startRedis(processes, folder.path, journal);
  const ports = cluster.nodes.map(({ url }) => Number(new URL(url).port));
  const keys = Array.from({ length: scaled(keyCount, settings) }, (_, i) => `bench/object-${i}`);
  const results: Measured[][] = [[], [], []];
  const run = (index: number, protocol: RawPlan["protocol"], toPorts: readonly number[], cpuMicros: () => number) => {
    return async (warmUp: boolean): Promise<number> => {
      const seconds = warmUp ? warmUpSeconds : settings.seconds;
      const before = cpuMicros();
      const result = await runRaw({ protocol, ports: toPorts, connections, keys, bytes: 1_024, seconds });
      if (!warmUp) results[index]?.push({ ...result, cpuMicros: (cpuMicros() - before) / result.requests });
      return result.perSecond;
    };
  };
  const figures = await interleaved(settings, {
    redis: run(0, "redis", [redis.port], redis.cpuMicros),
    spread: run(1, "http", ports, () => cluster.cpuMicros()),
    one: run(2, "http", ports.slice(0, 1), () => cluster.cpuMicros()),
  });
  const [theirs, spread, one] = results.map(describe) as [string, string, string];
  const row = (what: string, weir: string, figure: number, target?: Row["target"]): Row => ({
    what: `acknowledged PUT 1 KiB, 2 copies ${journal ? "on disk" : "in memory"}, ${what}`,
    weir,
    against: `Redis 7${journal ? ", appendfsync always" : ""}, one replica, SET and WAIT 1: ${theirs}`,
    figure,
    digits: 2,
    unit: "",
    ...(target && { target }),
  });
  return [
    row("clients spread over 3 nodes", spread, ratio(figures.spread, figures.redis), { least: 1 }),
    row("clients on one of 3 nodes", one, ratio(figures.one, figures.redis)),
  ];
}

interface Measured extends RawResult {
  /** Of all server processes, for one write. */
  readonly cpuMicros: number;
}

function describe(results: readonly Measured[]): string {
  const of = (figure: keyof Measured): number => median(results.map((result) => result[figure]));
  const ms = (micros: number): string => (micros / 1_000).toFixed(1);
  return (
    `${rate(of("perSecond"))} (${of("cpuMicros").toFixed(0)} µs), p50 ${ms(of("p50Micros"))} ms, p99 ${ms(of("p99Micros"))} ms, ` +
    `generator ${(of("generatorLoad") * 100).toFixed(0)} % of a core`
  );
}

/** A primary and a replica: in memory only, or each with a log that is synced before an answer. */
async function startRedis(
  processes: Processes,
  folder: string,
  isDurable: boolean,
): Promise<{ readonly port: number; cpuMicros(this: void): number }> {
  const [primary, replica] = (await ownPorts(2)) as [number, number];
  const persistence = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  const common = (name: string): string[] => {
    const dir = join(folder, name);
    mkdirSync(dir);
    return ["--save", "", ...persistence, "--bind", "127.0.0.1", "--dir", dir];
  };
  const sync = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
  const server = processes.start("redis-server", ["--port", String(primary), ...common("primary"), ...sync]);
  const copy = processes.start("redis-server", [
    "--port",
    String(replica),
    ...common("replica"),
    "--replicaof",
    "127.0.0.1",
    String(primary),
  ]);
  const until = systemClock.now() + syncMs;
  for (;;) {
    const info = await ask(primary, "INFO replication\r\n").catch(() => "");
    if (info.includes("state=online")) {
      return { port: primary, cpuMicros: () => server.cpuMicros() + copy.cpuMicros() };
    }
    if (!server.isRunning || systemClock.now() > until) throw server.failure("has no replica in time");
    await sleep(systemClock, 20);
  }
}

/** Sends one inline command; what came back within its first packet. */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(command));
    socket.once("error", reject).once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
