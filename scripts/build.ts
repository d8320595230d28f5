/**
 * Builds executables with the runtime and everything else inside. Without arguments dist/weir, for this machine; `--target=linux-arm64` (again for more) or `--all`
 * builds dist/weir-TARGET for other systems too, from the runtime that npm has for them. dist/SHA256SUMS has their checksums; `--output=FOLDER` takes the place of dist.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { assemble } from "./build/assemble.ts";
import { bundle } from "./build/bundle.ts";
import { commitOf } from "./build/commit.ts";
import { copyHostRuntime, fetchRuntime, stripRuntime } from "./build/runtime.ts";
import { executableName, hostTarget, type Target, targets } from "./build/targets.ts";

const root = join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    all: { type: "boolean", default: false },
    output: { type: "string", default: join(root, "dist") },
  },
});
const output = resolve(values.output);
const work = join(output, "work");
const bundlePath = join(work, "weir.cjs");

/** The targets that were asked for; undefined for this machine's executable alone. */
function wantedTargets(): readonly Target[] | undefined {
  if (values.all) return targets;
  return values.target?.map((name) => {
    const target = targets.find((each) => each.name === name);
    if (target === undefined) {
      throw new Error(`there is no target ${name}; there are ${targets.map((each) => each.name).join(", ")}`);
    }
    return target;
  });
}

function buildFor(target: Target, name: string): void {
  const isHost = target === hostTarget();
  const runtimePath = join(work, `node-${target.name}`);
  if (isHost) copyHostRuntime(runtimePath);
  else fetchRuntime(target, runtimePath, work);
  stripRuntime(runtimePath, target, isHost);
  const outputPath = join(output, name);
  assemble({ bundlePath, runtimePath, outputPath, isHost });
  const shown = relative(process.cwd(), outputPath);
  process.stdout.write(`${shown}: ${(statSync(outputPath).size / 1024 ** 2).toFixed(1)} MiB\n`);
  if (target.platform === "darwin") {
    process.stdout.write(
      `  it is not signed, and a Mac runs no such program: there, run "codesign --sign - ${name}" first\n`,
    );
  }
}

/** What an earlier build has left; nothing else that may lie there. */
function removeOutput(): void {
  for (const name of ["weir", ...targets.map(executableName), "SHA256SUMS", "work"]) {
    rmSync(join(output, name), { recursive: true, force: true });
  }
}

/** As `sha256sum --check` reads it. */
function writeChecksums(): void {
  const lines = readdirSync(output)
    .filter((name) => name.startsWith("weir"))
    .toSorted()
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(output, name)))
          .digest("hex")}  ${name}\n`,
    );
  writeFileSync(join(output, "SHA256SUMS"), lines.join(""));
}

const startedAt = performance.now();
const wanted = wantedTargets();
const host = hostTarget();
if (host === undefined && wanted === undefined) {
  throw new Error(`no executable is made for ${process.platform}-${process.arch}; --target=NAME makes one for another`);
}
removeOutput();
mkdirSync(work, { recursive: true });
await bundle({ root, outputPath: bundlePath, commit: commitOf(root) });
if (wanted !== undefined) for (const target of wanted) buildFor(target, executableName(target));
else if (host !== undefined) buildFor(host, "weir");
const bundleMiB = statSync(bundlePath).size / 1024 ** 2;
rmSync(work, { recursive: true });
writeChecksums();
process.stdout.write(
  `${bundleMiB.toFixed(1)} MiB of it the program; ${((performance.now() - startedAt) / 1_000).toFixed(1)} s\n`,
);
