/**
 * Soaks a cluster: `npm run soak -- --minutes=3`. A flood of requests over a store that is slowed down, with a model of
 * what was acknowledged; prints a table, and exits with 1 if anything was lost, wrong, refused otherwise than by 503,
 * or out of bounds.
 *
 * It uses the S3 server that WEIR_TEST_S3_ENDPOINT and so on name, else starts one.
 */

import { assert } from "../src/base/assert.ts";
import { startGateway } from "../test/harness/s3-gateway.ts";
import { type S3Server, s3ServerFromEnvironment } from "../test/harness/s3-server.ts";
import { scriptCommand, usage } from "../test/harness/script-command.ts";
import { runSoak, type SoakResult, type SoakSettings } from "../test/harness/soak/soak.ts";

const mebibyte = 1024 ** 2;

const options = scriptCommand(
  "soak",
  "Floods a cluster over a slow store, and checks that nothing is lost or out of bounds.",
)
  .option("--minutes <number>", "how long", "3")
  .option("--seed <number>", "what the clients do goes by it (default: drawn)")
  .parse()
  .opts<{ minutes: string; seed?: string }>();

const settings: SoakSettings = {
  seconds: numberOf("minutes") * 60,
  seed: numberOf("seed"),
  clients: 64,
  keysPerClient: 40,
  maxValueBytes: 4 * mebibyte,
  dirtyBytes: 64 * mebibyte,
  cacheBytes: 32 * mebibyte,
  inFlightBytes: 32 * mebibyte,
  maxQueueBytes: 16 * mebibyte,
  storeDelayMs: 50,
  storeBytesPerSecond: 8 * mebibyte,
};

function numberOf(name: "minutes" | "seed"): number {
  const value = Number(options[name] ?? Date.now() % 2 ** 32);
  return Number.isFinite(value) && value >= 0 ? value : usage(`--${name} must be a number`);
}

/** The progress overwrites itself on a terminal, and is a line each elsewhere. */
function print(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}

function table(result: SoakResult): string {
  const mib = (bytes: number): string => `${(bytes / mebibyte).toFixed(0)} MiB`;
  const { counts } = result;
  const refusals = [...counts.refusals].map(([code, count]) => `${count} ${code}`).join(", ");
  const rows: [string, string][] = [
    ["acknowledged puts", `${counts.puts} (${mib(counts.putBytes)})`],
    ["acknowledged deletes", `${counts.deletes}`],
    ["gets", `${counts.gets}`],
    ["answered 503", refusals || "none"],
    ["requests that wrote to the store", `${result.storeWrites} (${mib(result.storeBytes)} both ways)`],
    ["most dirty bytes on a node", `${mib(result.mostDirtyBytes)} of ${mib(settings.dirtyBytes)}`],
    ["flushed after the last write", `${(result.flushMs / 1_000).toFixed(1)} s`],
    ["objects compared byte for byte", `${result.objects}`],
    ["memory allowed to a node", mib(result.memoryLimitBytes)],
  ];
  for (const [id, { firstBytes, mostBytes, quarterBytes }] of result.memory) {
    const quarters = quarterBytes.map((bytes) => (bytes / mebibyte).toFixed(0)).join(", ");
    rows.push([`memory of node ${id}`, `${mib(firstBytes)} idle, ${mib(mostBytes)} most; by quarters ${quarters}`]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

async function main(): Promise<number> {
  const named = s3ServerFromEnvironment();
  if (typeof named !== "string") return await soak(named);
  const gateway = await startGateway();
  if ("missing" in gateway) {
    process.stderr.write(`no S3 gateway: ${gateway.missing}\n`);
    return 1;
  }
  using _gateway = gateway;
  Object.assign(process.env, gateway.env);
  const server = s3ServerFromEnvironment();
  assert(typeof server !== "string", "a gateway that was started is named in the environment");
  return await soak(server);
}

async function soak(server: S3Server): Promise<number> {
  process.stdout.write(`soaking for ${settings.seconds} s; seed ${settings.seed}\n`);
  const result = await runSoak(server, settings, print);
  process.stdout.write(`${process.stdout.isTTY ? "\r\x1b[K" : ""}${table(result)}`);
  for (const violation of result.violations) process.stdout.write(`WRONG: ${violation}\n`);
  process.stdout.write(result.violations.length === 0 ? "all is well\n" : "the soak failed\n");
  return result.violations.length === 0 ? 0 : 1;
}

process.exitCode = await main();
