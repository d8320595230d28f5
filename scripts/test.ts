/**
 * Runs the tests: everything with the static checks first, or just the files that are named. Starts the S3 gateway and
 * the emulator of Azure that some of them want and stops them in all cases. `--coverage` measures what the tests reach.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { startAzurite } from "../test/harness/azurite.ts";
import { TestCluster } from "../test/harness/cluster.ts";
import { sharedFolderVariable } from "../test/harness/executable.ts";
import { planLanes } from "../test/harness/lane-plan.ts";
import { runLanes } from "../test/harness/lanes.ts";
import { memoryFolder } from "../test/harness/memory-folder.ts";
import { filesFolder, packedRunner, packModules, packVariable } from "../test/harness/packed-modules.ts";
import { programVariable } from "../test/harness/program.ts";
import { startGateway } from "../test/harness/s3-gateway.ts";
import { installed, root } from "../test/harness/steps.ts";
import { bundle, partOfUndici } from "./build/bundle.ts";

const folders = ["unit", "conformance", "glue", "integration", "simulation", "chaos"] as const;

/** Servers that tests want, which skip themselves where one is missing. */
const serverKinds = [
  {
    name: "S3 gateway",
    variable: "WEIR_TEST_S3_ENDPOINT",
    wants: (file: string) => /^test\/(?:conformance|integration|chaos)\//.test(file),
    start: startGateway,
  },
  {
    name: "emulator of Azure",
    variable: "WEIR_TEST_AZURE_ENDPOINT",
    wants: (file: string) => /azure[^/]*$/.test(file),
    start: startAzurite,
  },
];

/**
 * Files of a lane at a time: the machines that this runs on have two cores. With three that keep a processor busy,
 * bounds of time are missed.
 */
const concurrency = 2;

/** Has a file of simulations give way to others. */
const background = ["--import", urlOf("background.ts")];

/** Has it take less processor time. */
const untracked = ["--import", urlOf("untracked-promises.ts")];

/** Milliseconds for one test; the longest are simulations. */
const timeoutMs = 300_000;

const reporter = join(root, "test", "harness", "reporter.ts");

/** A run on a machine that must have everything. */
const isStrict = process.env["CI"] === "true";

/** Whether a signal has asked to end, also while nothing was running that could be told. */
let isInterrupted = false;

const running = new Set<ReturnType<typeof spawn>>();

const interruption = new AbortController();

/** Runs a program to its end, its output shown. */
async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  if (isInterrupted) return 1;
  const child = spawn(program, args, { cwd: root, env, stdio: "inherit" });
  running.add(child);
  const [code] = (await once(child, "close")) as [number | null];
  running.delete(child);
  return code ?? 1;
}

async function main(args: readonly string[]): Promise<number> {
  const withCoverage = args.includes("--coverage");
  const named = args.filter((arg) => !arg.startsWith("--"));
  const options = args.filter((arg) => arg.startsWith("--") && arg !== "--coverage");
  const files = (named.length > 0 ? named : allTests()).map((file) => join(".", file));
  const absent = files.filter((file) => !existsSync(join(root, file)));
  if (files.length === 0 || absent.length > 0) {
    process.stderr.write(files.length === 0 ? "there are no tests\n" : `there is no ${absent.join(", ")}\n`);
    return 1;
  }
  using stack = new DisposableStack();
  // One file alone has few processes, and is easier to understand from the sources; coverage counts their lines.
  if (named.length > 0 || withCoverage) {
    const env = await startServers(files, stack);
    return env === undefined ? 1 : await runTests(files, options, withCoverage, env);
  }
  const { TMPDIR: onDisk } = process.env;
  const folder = makeSharedFolder();
  process.env["TMPDIR"] = folder;
  // While the checks are under way, all that the tests need gets ready.
  const [code, servers, prepared] = await Promise.all([
    run(process.execPath, [join(root, "scripts", "check.ts")]),
    startServers(files, stack),
    prepare(folder),
  ]);
  if (code !== 0 || servers === undefined) return 1;
  Object.assign(process.env, servers, prepared);
  return await runAll(folder, files, { ...process.env, TMPDIR: onDisk });
}

/**
 * Starts the servers that the tests want, and has the stack stop them. Returns what the tests are told of them;
 * undefined when one is missing that must be there.
 */
async function startServers(
  files: readonly string[],
  stack: DisposableStack,
): Promise<Readonly<Record<string, string>> | undefined> {
  const env: Record<string, string> = {};
  let isComplete = true;
  const wanted = serverKinds.filter(
    ({ variable, wants }) => process.env[variable] === undefined && files.some((file) => wants(file)),
  );
  // On a bare machine the emulator of Azure alone takes half a minute to install.
  const servers = await Promise.all(wanted.map(async (kind) => [kind, await kind.start()] as const));
  for (const [{ name, variable }, server] of servers) {
    if (!("missing" in server)) {
      Object.assign(env, stack.use(server).env);
      continue;
    }
    isComplete = false;
    process.stdout.write(`no ${name}: ${server.missing}\n`);
    if (!isStrict)
      process.stdout.write(`tests that need it are skipped; give another server by ${variable} and so on\n`);
  }
  return isComplete || !isStrict ? env : undefined;
}

/** A folder for what the processes of a whole run share, and for their own folders. */
function makeSharedFolder(): string {
  const folder = mkdtempSync(join(memoryFolder() ?? tmpdir(), "weir-tests-"));
  // As a system's own: a test runs the program as another user.
  chmodSync(folder, 0o1777);
  // As late as can be: after an interruption, processes that end still keep there what they have compiled.
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * What lets the processes of a whole run start sooner: nodes and commands run the bundle that the executable is made
 * of, tests with planted bugs the packed modules, both with a code cache. Node keeps what it has compiled besides for
 * the next process. From the sources alone `weir --version` takes 0.75 s of CPU, so 0.1 s.
 */
async function prepare(folder: string): Promise<Readonly<Record<string, string>>> {
  const [path] = await Promise.all([prepareProgram(folder), preparePack(folder)]);
  return {
    [programVariable]: path,
    [packVariable]: folder,
    [sharedFolderVariable]: folder,
    NODE_COMPILE_CACHE: join(folder, "compiled"),
  };
}

/** @returns the path of the program */
async function prepareProgram(folder: string): Promise<string> {
  const path = join(folder, "weir.cjs");
  await bundle({ root, outputPath: join(folder, "bundle.cjs"), commit: undefined });
  copyFileSync(join(root, "test", "harness", "warm-start.cjs"), path);
  await warmUp(path);
  return path;
}

async function preparePack(folder: string): Promise<void> {
  await packModules(folder, [partOfUndici]);
  const env = { ...process.env, [packVariable]: folder, WEIR_TEST_WARMS: "yes" };
  const code = await run(process.execPath, [packedRunner, "test/harness/warm-modules.ts"], env);
  if (code !== 0) throw new Error("the packed modules do not run");
}

/** Of a file that Node loads before another one. */
function urlOf(name: string): string {
  return pathToFileURL(join(root, "test", "harness", name)).href;
}

/** Makes the program's code cache, of what two nodes run in a short life; see warm-start.cjs. */
async function warmUp(program: string): Promise<void> {
  const env = { WEIR_TEST_WARMS: "yes" };
  await using cluster = await TestCluster.start({ nodes: 2, program: [process.execPath, program], env });
  for (const id of cluster.ids) {
    await cluster.put(id, "key", "value");
    await cluster.get(id, "key");
  }
  await cluster.untilFlushed();
}

function allTests(): string[] {
  return folders.flatMap((folder) => globSync(`test/${folder}/**/*.test.ts`, { cwd: root })).toSorted();
}

/** @param onDisk - the environment of tests whose folders are on a disk */
async function runAll(folder: string, files: readonly string[], onDisk: NodeJS.ProcessEnv): Promise<number> {
  const plan = planLanes(files.map((file) => file.replaceAll(sep, "/")));
  const lanes = [
    { files: gathered(folder, plan.busy), concurrency, execArgv: untracked },
    { files: gathered(folder, plan.waiting), concurrency, env: onDisk, execArgv: untracked },
    { files: gathered(folder, plan.small), concurrency: 1, execArgv: untracked },
    { files: gathered(folder, plan.simulation), concurrency, execArgv: [...background, ...untracked] },
  ];
  return (await runLanes(lanes, timeoutMs, interruption.signal)) ? 0 : 1;
}

/**
 * Files that load the packed modules of one group each, or of one file without a group: a process for each unit test
 * costs more than the test.
 */
function gathered(folder: string, files: readonly string[]): string[] {
  const runner = JSON.stringify(packedRunner);
  return [...Map.groupBy(files, (file) => groupOf(file) ?? file)].map(([group, members]) => {
    const path = join(folder, filesFolder, `${group}.cjs`);
    mkdirSync(dirname(path), { recursive: true });
    const loads = members.map((file) => `load(${JSON.stringify(file)});\n`);
    writeFileSync(path, `const { load } = require(${runner});\n${loads.join("")}`);
    return path;
  });
}

/** Unit tests by their folder, and tests of a server or a link in their own process. Undefined for the others. */
function groupOf(file: string): string | undefined {
  const [, kind, name = ""] = file.split("/");
  if (kind === "unit") return `unit-${basename(name, ".test.ts")}`;
  const [, part] = /^(http|link)-/.exec(name) ?? [];
  return part === undefined ? undefined : `${kind}-${part}`;
}

async function runTests(
  files: readonly string[],
  options: readonly string[],
  withCoverage: boolean,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const testArgs = [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=stdout",
    ...options,
    ...files,
  ];
  const fullEnv = { ...process.env, ...env };
  if (!withCoverage) return await run(process.execPath, testArgs, fullEnv);
  const coverage = ["--src=src", "--include=src/**", "--all", "--reporter=text", "--reporter=html"];
  return await run(installed("c8"), [...coverage, process.execPath, ...testArgs], fullEnv);
}

// The gateway and the tests have to be stopped whatever ends this; the tests' end then leads to the gateway's.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    isInterrupted = true;
    interruption.abort();
    for (const child of running) child.kill(signal);
  });
}
process.exitCode = await main(process.argv.slice(2));
