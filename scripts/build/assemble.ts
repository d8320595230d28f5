/** Puts the bundle into a runtime: Node's single executable application. */

import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { runtimeOptions } from "../../src/runtime-options.ts";

export interface AssembleOptions {
  readonly bundlePath: string;
  readonly runtimePath: string;
  readonly outputPath: string;
  /** Paths of texts that the program reads by their names. */
  readonly assets: Readonly<Record<string, string>>;
  /**
   * Whether it's for this machine's own kind: the code cache of another one would be rejected at each start, or worse.
   */
  readonly isHost: boolean;
}

/** Of the memory limit: what the buffer and the cache (25 % each, see the configuration) and the rest leave. */
const heapPercentage = 40;

/**
 * The same commit makes the same bytes: the code cache holds hashes of names, which are seeded. Each start of the
 * executable has a seed of its own.
 */
const fixedSeed = "--random-seed=1";

export function assemble({ bundlePath, runtimePath, outputPath, assets, isHost }: AssembleOptions): void {
  const configPath = `${outputPath}.json`;
  writeFileSync(
    configPath,
    JSON.stringify({
      // Its name is kept in the executable, and shown in stacks: it must not tell where that was built.
      main: basename(bundlePath),
      executable: runtimePath,
      output: outputPath,
      assets,
      disableExperimentalSEAWarning: true,
      useCodeCache: isHost,
      // Values lie outside the heap, but each takes some hundred bytes in it; by default the heap is at most 4 GiB on
      // any host.
      execArgv: [`--max-old-space-size-percentage=${heapPercentage}`, ...runtimeOptions],
      // NODE_OPTIONS that is meant for another program must not change this one.
      execArgvExtension: "none",
    }),
  );
  try {
    // Under the same options, or the code cache that is made here is rejected at each start.
    execFileSync(process.execPath, [fixedSeed, ...runtimeOptions, "--build-sea", configPath], {
      cwd: dirname(bundlePath),
      stdio: ["ignore", "ignore", "inherit"],
    });
  } finally {
    rmSync(configPath);
  }
  chmodSync(outputPath, 0o755);
}
