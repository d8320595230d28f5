/**
 * Chaos with real processes: `npm run chaos -- --minutes=30 --seed=N --faults=kill,power --nodes=3`. A cluster of `weir
 * serve` processes before two real S3 gateways, each in a network namespace of its own where that is possible (root on
 * Linux), under clients whose histories are checked; one fault after another. Prints a line for each and a table at the
 * end; exits with 1 if anything was wrong, and tells where histories and logs are (`--keep` keeps them in any case).
 */

import { runChaos } from "../test/harness/chaos/chaos.ts";
import { type FaultKind, faultKinds } from "../test/harness/chaos/fault.ts";
import { table, untouchedLine } from "../test/harness/chaos/report.ts";
import { OwnGateway } from "../test/harness/own-gateway.ts";
import { scriptCommand, usage } from "../test/harness/script-command.ts";

/** For which one has to ask: it takes a minute. */
const notByDefault: readonly FaultKind[] = ["outage"];
const maxNodes = 5;

const summary = `Loads a cluster of real processes under a checker, while one fault follows the other. Faults: ${faultKinds.join(", ")}.`;

const options = scriptCommand("chaos", summary)
  .option("--minutes <number>", "how long", "5")
  .option("--seed <number>", "which faults come when goes by it (default: drawn)")
  .option(
    "--faults <kinds>",
    "these, separated by commas",
    faultKinds.filter((kind) => !notByDefault.includes(kind)).join(),
  )
  .option("--nodes <number>", `1 to ${maxNodes}`, "3")
  .option("--keep", "keep histories, logs and data, also if all is well")
  .parse()
  .opts<{ minutes: string; seed?: string; faults: string; nodes: string; keep?: boolean }>();

function numberOf(name: "minutes" | "seed" | "nodes", least: number, most: number): number {
  const value = Number(options[name] ?? Date.now() % 2 ** 32);
  if (value >= least && value <= most && (name === "minutes" || Number.isInteger(value))) return value;
  return usage(`--${name} must be a number from ${least} to ${most}`);
}

function kindsOf(text: string): readonly FaultKind[] {
  const names = text.split(",");
  const wrong = names.filter((name) => !(faultKinds as readonly string[]).includes(name));
  if (wrong.length > 0) usage(`--faults: there is no ${wrong.join(", ")}; there are ${faultKinds.join(", ")}`);
  return names as FaultKind[];
}

const isTerminal = process.stdout.isTTY;

/** A line that stays, in the place of the progress. */
function print(line: string): void {
  process.stdout.write(`${isTerminal ? "\r\x1b[K" : ""}${line}\n`);
}

const telling = {
  line: print,
  progress: (text: string) => void (isTerminal && process.stdout.write(`\r\x1b[K${text}`)),
};

const stop = new AbortController();

const settings = {
  seconds: numberOf("minutes", 0, 10_000) * 60,
  seed: numberOf("seed", 0, 2 ** 32 - 1),
  kinds: kindsOf(options.faults),
  nodes: numberOf("nodes", 1, maxNodes),
  maxNodes,
  keep: options.keep === true,
  stop: stop.signal,
};

print(`seed ${settings.seed}, ${settings.nodes} nodes; starting two S3 gateways`);
await using gateway = await OwnGateway.start(2);
// The nodes end with this process, the gateway does not; what is left of the network is removed by the next run.
process.on("exit", () => void gateway[Symbol.asyncDispose]());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    print("ending after this fault; once more ends at once");
    stop.abort();
  });
}

const result = await runChaos(gateway.server, gateway, settings, telling);
if (result.withoutNetwork !== undefined) print(`no partitions and bad links: ${result.withoutNetwork}`);
print("");
process.stdout.write(table(result.faults));
const untouched = untouchedLine(result.faults);
if (untouched !== undefined) print(untouched);
print(
  `${result.faults.length} faults, ${result.operations} operations on ${result.keys} keys, ${result.wrongKeys} of them lost or wrong`,
);
for (const violation of result.violations) print(`WRONG: ${violation}`);
if (result.folder !== undefined) print(`histories, logs and data are in ${result.folder}`);
if (result.violations.length === 0) print("all is well");
else {
  print(`it failed; try again with --seed=${settings.seed}`);
  process.exitCode = 1;
}
