/**
 * `npm run bench`: weir against a bare server of its runtime, Redis and the AWS SDK, on this machine, as a table with targets. Absolute figures
 * depend on the machine and the hour; only ratios within one run mean something. Needs Linux; wrk and redis-server where they are used.
 *
 *     npm run bench -- [--rounds N] [--seconds N] [--only NAME,NAME]
 */

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { compareFlush } from "./bench/flush.ts";
import { compareFlushLatency } from "./bench/flush-latency.ts";
import { measureJournal } from "./bench/journal.ts";
import { measureLargeValue } from "./bench/large-value.ts";
import { measureLink } from "./bench/link.ts";
import { measureMemory } from "./bench/memory.ts";
import { compareWithRedis } from "./bench/redis.ts";
import { formatTable, type Row } from "./bench/report.ts";
import type { Settings } from "./bench/rounds.ts";
import { measureRouting } from "./bench/routing.ts";
import { measureStart } from "./bench/start.ts";
import { compareValues } from "./bench/values.ts";

interface Comparison {
  /** Programs that it needs beside Node, by the Debian packages that have them. */
  readonly needs: readonly string[];
  run(settings: Settings): Row[] | Promise<Row[]>;
}

const comparisons: Readonly<Record<string, Comparison>> = {
  values: {
    needs: ["wrk"],
    run: (settings) =>
      compareValues(settings, {
        label: "1 KiB",
        bytes: 1_024,
        keys: 10_000,
        targets: { get: 0.85, getThroughAnother: 0.6 },
      }),
  },
  large: {
    needs: ["wrk"],
    run: (settings) =>
      compareValues(settings, { label: "64 KiB", bytes: 65_536, keys: 1_000, targets: { get: 0.7, put: 0.5 } }),
  },
  gibibyte: { needs: [], run: measureLargeValue },
  redis: { needs: ["redis-server"], run: compareWithRedis },
  flush: { needs: [], run: compareFlush },
  latency: { needs: [], run: compareFlushLatency },
  memory: { needs: [], run: measureMemory },
  start: { needs: [], run: measureStart },
  routing: { needs: [], run: measureRouting },
  link: { needs: [], run: measureLink },
  journal: { needs: [], run: measureJournal },
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "4" },
    seconds: { type: "string", default: "2" },
    only: { type: "string", default: Object.keys(comparisons).join(",") },
  },
});

async function main(): Promise<void> {
  const settings = { rounds: positive("rounds"), seconds: positive("seconds") };
  const chosen = options.only.split(",");
  const rows: Row[] = [];
  for (const name of chosen) {
    const comparison = comparisons[name];
    if (comparison === undefined) usage(`there is no "${name}"; there are ${Object.keys(comparisons).join(", ")}`);
    const missing = comparison.needs.filter((program) => !isInstalled(program));
    if (missing.length > 0) {
      console.error(`${name}: left out; it needs the Debian package ${missing.join(" and ")} (apt-get install)`);
      continue;
    }
    console.error(`${name} ...`);
    rows.push(...(await comparison.run(settings)));
  }
  console.log(`${machine(settings)}\n\n${formatTable(rows)}`);
}

function positive(name: "rounds" | "seconds"): number {
  const value = Number(options[name]);
  return Number.isInteger(value) && value > 0 ? value : usage(`--${name} must be a whole number above 0`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

function machine({ rounds, seconds }: Settings): string {
  const date = new Date().toISOString().slice(0, 10);
  return (
    `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores shared by servers and load generators, ` +
    `Node ${process.versions.node}, ${date}. Medians of ${rounds} interleaved rounds of ${seconds} s; in brackets the processor time of all ` +
    "server processes for one request."
  );
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // Leaving kills what was started: see processes.ts.
  process.on(signal, () => process.exit(1));
}
await main();
