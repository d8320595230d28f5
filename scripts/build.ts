/**
 * Builds dist/weir: one executable with the runtime and everything else inside. The program is bundled into one CommonJS file (a
 * code cache, which halves the start, is only taken with that format) and put into a copy of the Node that runs this script.
 */

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { runtimeOptions } from "./runtime-options.ts";

const root = join(import.meta.dirname, "..");
const output = join(root, "dist");
const bundlePath = join(output, "weir.cjs");
const basePath = join(output, "node");
const configPath = join(output, "sea.json");
const executablePath = join(output, "weir");

/** The major version of Node that the bundle may be run by. */
const target = `node${process.versions.node.split(".")[0]}`;

/** Of the memory limit: what the buffer and the cache (25 % each, see the configuration) and the rest leave. */
const heapPercentage = 40;

async function bundle(): Promise<void> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ["src/main.ts"],
    outfile: bundlePath,
    bundle: true,
    platform: "node",
    format: "cjs",
    target,
    // Smaller to load, but with names: stacks in logs have to be read.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: "none",
    // Packages that have both forms are smaller without what their CommonJS one drags along.
    mainFields: ["module", "main"],
    conditions: ["node", "import"],
    logLevel: "warning",
    metafile: true,
  });
  const foreign = result.metafile.outputs["dist/weir.cjs"]?.imports.filter(({ path }) => !isBuiltin(path)) ?? [];
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(", ")}`);
}

function isBuiltin(path: string): boolean {
  return path.startsWith("node:") || process.getBuiltinModule(path) !== undefined;
}

/** A copy of this Node without its symbol tables, where `strip` is at hand: a sixth smaller. */
function copyRuntime(): void {
  copyFileSync(process.execPath, basePath);
  try {
    execFileSync("strip", ["--strip-all", basePath], { stdio: "ignore" });
  } catch {
    process.stdout.write("strip is not installed: the executable keeps its symbol tables\n");
    copyFileSync(process.execPath, basePath);
  }
}

function assemble(): void {
  writeFileSync(
    configPath,
    JSON.stringify({
      main: bundlePath,
      executable: basePath,
      output: executablePath,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      // Values lie outside the heap, but each takes some hundred bytes in it; by default the heap is at most 4 GiB on any host.
      execArgv: [`--max-old-space-size-percentage=${heapPercentage}`, ...runtimeOptions],
      // NODE_OPTIONS that is meant for another program must not change this one.
      execArgvExtension: "none",
    }),
  );
  // Under the same options, or the code cache that is made here is rejected at each start.
  execFileSync(process.execPath, [...runtimeOptions, "--build-sea", configPath], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  chmodSync(executablePath, 0o755);
}

const startedAt = performance.now();
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
await bundle();
const bundleMiB = statSync(bundlePath).size / 1024 ** 2;
copyRuntime();
assemble();
for (const path of [bundlePath, basePath, configPath]) rmSync(path);
const executableMiB = statSync(executablePath).size / 1024 ** 2;
const seconds = (performance.now() - startedAt) / 1_000;
process.stdout.write(
  `dist/weir: ${executableMiB.toFixed(1)} MiB, ${bundleMiB.toFixed(1)} MiB of them the program, in ${seconds.toFixed(1)} s\n`,
);
