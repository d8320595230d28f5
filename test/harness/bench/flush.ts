/**
 * Flushing distinct small objects: weir's own client of S3 against the AWS SDK's, to a server that throws them away and
 * to a real one (which, on the same cores, is the limit itself); and a whole node that empties its buffer as it stops.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import { startGateway } from "../s3-gateway.ts";
import { freshBucket, type S3Server, s3ServerFromEnvironment } from "../s3-server.ts";
import { BenchCluster } from "./cluster.ts";
import { Processes } from "./processes.ts";
import { runRaw } from "./raw-load.ts";
import { median, type Row, rate } from "./report.ts";
import { type Settings, scaled } from "./rounds.ts";
import { sinkStore, startSink } from "./sink.ts";
import type { StoreRound } from "./store-rate.ts";

/** Rounds are of two runs of this, each with its warm-up within. */
const storeRoundCount = 3;
const samplingMs = 10;

export async function compareFlush(settings: Settings): Promise<Row[]> {
  await using processes = new Processes();
  const sink = await startSink(processes);
  const rows = await compareClients(settings, "a server that throws all away", sink.url, sink.env, true);
  rows.push(await drain(settings, sink));
  const given = s3ServerFromEnvironment();
  if (typeof given !== "string") return [...rows, ...(await compareOnServer(settings, given))];
  const gateway = await startGateway();
  if ("missing" in gateway) {
    console.error(`flush: no real S3 server: ${gateway.missing}`);
    return rows;
  }
  using _ = gateway;
  const started = s3ServerFromEnvironment(gateway.env);
  if (typeof started === "string") throw new Error(started);
  return [...rows, ...(await compareOnServer(settings, started))];
}

async function compareOnServer(settings: Settings, server: S3Server): Promise<Row[]> {
  const { bucket } = await freshBucket(server);
  const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
  const url = `s3://${bucket}/bench/?endpoint=${server.endpoint}&region=${server.region}`;
  return await compareClients(settings, "Ceph's gateway on the same cores", url, env, false);
}

async function compareClients(
  { seconds, scale }: Settings,
  server: string,
  url: string,
  env: Readonly<Record<string, string>>,
  /** A real one on the same cores is what limits. */
  hasTargets: boolean,
): Promise<Row[]> {
  await using processes = new Processes();
  const script = `${import.meta.dirname}/store-rate.ts`;
  const storeRounds = scale < 1 ? 1 : storeRoundCount;
  const args = [script, url, "--json", "--rounds", String(storeRounds), "--seconds", String(seconds)];
  const output = await processes.start(process.execPath, args, { env, readsOutput: true }).output();
  const rounds = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Required<StoreRound>);
  const of = (pick: (round: StoreRound) => number | undefined): number =>
    median(rounds.map((round) => pick(round) ?? 0));
  const ownMicros = of(({ own }) => own.cpuMicros);
  const against = `@aws-sdk/client-s3 PutObject: ${rate(of(({ sdk }) => sdk?.perSecond))}`;
  const sdkMicros = of(({ sdk }) => sdk?.cpuMicros);
  return [
    {
      what: `distinct 1 KiB objects to ${server}, 64 at a time`,
      weir: rate(of(({ own }) => own.perSecond)),
      against,
      figure: of(({ own, sdk }) => own.perSecond / (sdk?.perSecond ?? Number.NaN)),
      digits: 2,
      unit: "",
      ...(hasTargets && { target: { least: 3 } }),
    },
    {
      what: "the same, processor time of the client for each",
      weir: `${ownMicros.toFixed(0)} µs`,
      against: `@aws-sdk/client-s3 PutObject: ${sdkMicros.toFixed(0)} µs`,
      figure: ownMicros,
      digits: 0,
      unit: " µs",
      ...(hasTargets && { target: { most: 250 } }),
    },
  ];
}

/** A node by itself that is told to stop while it holds many values, each of which it sends to the store first. */
async function drain(settings: Settings, sink: Awaited<ReturnType<typeof startSink>>): Promise<Row> {
  const drainKeys = scaled(30_000, settings);
  await using cluster = await BenchCluster.start({ nodes: { a: 1 }, replicas: 1, ...sinkStore(sink, "drain") });
  const { process: node, url } = cluster.node("a");
  const keys = cluster.keysOf("a", drainKeys);
  await runRaw({ protocol: "http", ports: [Number(new URL(url).port)], connections: 32, keys, bytes: 1_024 });
  const before = node.cpuMicros();
  let after = before;
  const startedAt = systemClock.now();
  node.signal("SIGTERM");
  while (node.isRunning) {
    after = node.cpuMicros() || after;
    await sleep(systemClock, samplingMs);
  }
  const seconds = (systemClock.now() - startedAt) / 1_000;
  const micros = (after - before) / drainKeys;
  return {
    what: `a node that empties its buffer of ${drainKeys.toLocaleString("en")} values of 1 KiB`,
    weir: rate(drainKeys / seconds),
    against: "a server that throws all away",
    figure: micros,
    digits: 0,
    unit: " µs each",
    target: { most: 250 },
  };
}
