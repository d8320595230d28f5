/**
 * How many small objects a second a store takes from one process, and what each costs it in CPU: the limit of flushing.
 * Run as `node test/harness/bench/store-rate.ts [STORE] [--rounds N] [--seconds N] [--json]`, where STORE is what
 * `WEIR_STORE` takes; without it a folder under the system's temporary one. For an S3 store the same objects go through
 * AWS's SDK too, at the same concurrency, turn by turn.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { openStore, parseStoreUrl, type StoreSettings } from "../../../src/store/open-store.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const concurrency = 64;
const seconds = Number(flags.seconds);
const rounds = Number(flags.rounds);
const bodyBytes = 1_024;
const options = { deadlineMs: 10_000 };

/** What `--json` prints: a line of it for each round. */
export interface StoreRound {
  readonly own: Rate;
  readonly sdk: Rate | undefined;
}

interface Rate {
  readonly perSecond: number;
  /** Microseconds of CPU of this process (user and system) an object. */
  readonly cpuMicros: number;
}

/** Distinct objects, `concurrency` at a time, for `seconds`. */
async function measure(put: (name: string, body: Buffer) => Promise<unknown>, prefix: string): Promise<Rate> {
  const body = Buffer.alloc(bodyBytes, "x");
  let count = 0;
  const start = performance.now();
  const end = start + seconds * 1_000;
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      count += 1;
      await put(`${prefix}/${count}`, body);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const used = process.cpuUsage(cpu);
  return {
    perSecond: count / ((performance.now() - start) / 1_000),
    cpuMicros: (used.user + used.system) / count,
  };
}

async function sdkPut(
  settings: StoreSettings & { type: "s3" },
): Promise<(name: string, body: Buffer) => Promise<unknown>> {
  const { PutObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
  const { bucket, region, endpoint, forcePathStyle } = settings;
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    requestChecksumCalculation: "WHEN_REQUIRED",
    requestHandler: { httpsAgent: { maxSockets: concurrency }, httpAgent: { maxSockets: concurrency } },
  });
  return (name, body) =>
    client.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: settings.prefix + name,
        Body: body,
        Metadata: { "weir-version": "1" },
      }),
    );
}

function report(what: string, rate: Rate): void {
  if (flags.json) return;
  console.log(
    `${what.padEnd(28)} ${rate.perSecond.toFixed(0).padStart(7)}/s ${rate.cpuMicros.toFixed(0).padStart(6)} µs CPU each`,
  );
}

const temporary = positionals[0] === undefined ? await mkdtemp(path.join(tmpdir(), "weir-store-rate-")) : undefined;
const settings = parseStoreUrl(positionals[0] ?? (temporary as string));
const store = openStore(settings, { clock: systemClock, random: systemRandom });
await store.probe(options);
const run = systemRandom.id().slice(0, 8);
const content = { headers: { "content-type": "image/png" }, version: "c.00000000.1.1" };
const sdk = settings.type === "s3" ? await sdkPut(settings) : undefined;

for (let round = 1; round <= rounds; round += 1) {
  const own = await measure(
    (name, body) => store.write(name, { ...content, body }, { kind: "absent" }, options),
    `bench/${run}/own${round}`,
  );
  report(store.description.slice(0, 28), own);
  const theirs = sdk === undefined ? undefined : await measure(sdk, `bench/${run}/sdk${round}`);
  if (flags.json) console.log(JSON.stringify({ own, sdk: theirs } satisfies StoreRound));
  if (theirs === undefined) continue;
  report("@aws-sdk/client-s3 PutObject", theirs);
  if (flags.json) continue;
  console.log(
    `ratio ${(own.perSecond / theirs.perSecond).toFixed(2)}, of CPU ${(theirs.cpuMicros / own.cpuMicros).toFixed(2)}`,
  );
}
await store[Symbol.asyncDispose]();
if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
process.exit(0);
