/**
 * `npm run bench`: weir against a bare server of its runtime, Redis and the AWS SDK, on this machine, as a table with
 * targets. Absolute figures depend on the machine and the hour; only ratios within one run mean something. Needs Linux;
 * wrk and redis-server where they are used.
 *
 *     npm run bench -- [--rounds N] [--seconds N] [--only NAME,NAME]
 *     npm run bench -- --short      a hundredth of it once: whether all of it works
 */

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { comparisons } from "../test/harness/bench/comparisons.ts";
import { formatTable, type Row } from "../test/harness/bench/report.ts";
import type { Settings } from "../test/harness/bench/rounds.ts";
import { scriptCommand, usage } from "../test/harness/script-command.ts";

const summary =
  "Measures weir against a bare server, Redis and the AWS SDK on this machine, in rounds that take turns, and prints a table.";

const options = scriptCommand("bench", summary)
  .option("--rounds <number>", "rounds of each comparison", "4")
  .option("--seconds <number>", "of each round", "2")
  .option("--short", "a hundredth of it, once: whether all of it works")
  .option("--only <names>", "these comparisons, separated by commas", Object.keys(comparisons).join(","))
  .parse()
  .opts<{ rounds: string; seconds: string; short?: boolean; only: string }>();

const shortRun: Settings = { rounds: 1, seconds: 0.2, scale: 0.01 };

async function main(): Promise<void> {
  const settings =
    options.short === true ? shortRun : { rounds: positive("rounds"), seconds: positive("seconds"), scale: 1 };
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

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

function machine({ rounds, seconds, scale }: Settings): string {
  if (scale < 1)
    return `A short run, of ${scale * 100} % of the keys and bytes that the rows name: its figures mean nothing.`;
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
// Without a wait of the module itself, which a packed one cannot have.
void main();
