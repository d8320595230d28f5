/**
 * Builds executables with the runtime and everything else inside.
 *
 *     npm run build                                  dist/weir, for this machine
 *     npm run build -- --target=linux-arm64          dist/weir-linux-arm64; give --target again for more
 *     npm run build -- --all                         dist/weir-TARGET for every system, from the runtimes that npm has
 *     npm run build -- --list                        builds nothing; prints what it would build for, as JSON
 *
 * dist/licenses.txt has the licences of all that is in them, and dist/sbom.cdx.json names it. Both are in each
 * executable, too (`weir licenses`). dist/SHA256SUMS has the checksums; `--output=FOLDER` takes the place of dist.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Metafile } from "esbuild";
import { assemble } from "./build/assemble.ts";
import { bundle } from "./build/bundle.ts";
import { commitOf } from "./build/commit.ts";
import { licensesText, sbomText } from "./build/licenses.ts";
import { bundledPackages } from "./build/packages.ts";
import { copyHostRuntime, fetchRuntime, runtimeLicense, stripRuntime } from "./build/runtime.ts";
import { executableName, hostTarget, runtimeVersion, type Target, targets } from "./build/targets.ts";

const root = join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    all: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
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

/** Texts beside the executables and in each of them, under these names. */
const textNames = ["licenses.txt", "sbom.cdx.json"] as const;

/** Writes them. They are the same for every target. */
function writeTexts(metafile: Metafile, commit: string | undefined, target: Target): void {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const contents = {
    version: commit === undefined ? version : `${version}+${commit}`,
    packages: bundledPackages(root, metafile),
    ownLicense: readFileSync(join(root, "LICENSE"), "utf8"),
    runtimeLicense: runtimeLicense(root, target, work),
  };
  const texts = { "licenses.txt": licensesText(contents), "sbom.cdx.json": sbomText(contents) };
  for (const name of textNames) writeFileSync(join(output, name), texts[name]);
}

function buildFor(target: Target, name: string): void {
  const isHost = target === hostTarget();
  const runtimePath = join(work, `node-${target.name}`);
  if (isHost) copyHostRuntime(runtimePath);
  else fetchRuntime(target, runtimePath, work);
  stripRuntime(runtimePath, target, isHost);
  const outputPath = join(output, name);
  const assets = Object.fromEntries(textNames.map((each) => [each, join(output, each)]));
  assemble({ bundlePath, runtimePath, outputPath, assets, isHost });
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
  for (const name of ["weir", ...targets.map(executableName), ...textNames, "SHA256SUMS", "work"]) {
    rmSync(join(output, name), { recursive: true, force: true });
  }
}

/** As `sha256sum --check` reads it. */
function writeChecksums(): void {
  const lines = readdirSync(output)
    .filter((name) => name.startsWith("weir") || (textNames as readonly string[]).includes(name))
    .toSorted()
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(output, name)))
          .digest("hex")}  ${name}\n`,
    );
  writeFileSync(join(output, "SHA256SUMS"), lines.join(""));
}

/** What can be built here, for other programs to read. */
function list(): void {
  const host = hostTarget()?.name;
  const shown = targets.map((target) => {
    const { name, platform, arch } = target;
    return { name, platform, arch, file: executableName(target), isHost: name === host };
  });
  process.stdout.write(`${JSON.stringify({ runtimeVersion, targets: shown }, null, 2)}\n`);
}

async function build(): Promise<void> {
  const startedAt = performance.now();
  const wanted = wantedTargets();
  const host = hostTarget();
  if (host === undefined && wanted === undefined) {
    throw new Error(
      `no executable is made for ${process.platform}-${process.arch}; --target=NAME makes one for another`,
    );
  }
  removeOutput();
  mkdirSync(work, { recursive: true });
  const commit = commitOf(root);
  const metafile = await bundle({ root, outputPath: bundlePath, commit });
  writeTexts(metafile, commit, host ?? (wanted?.[0] as Target));
  if (wanted !== undefined) for (const target of wanted) buildFor(target, executableName(target));
  else if (host !== undefined) buildFor(host, "weir");
  const bundleMiB = statSync(bundlePath).size / 1024 ** 2;
  rmSync(work, { recursive: true });
  writeChecksums();
  process.stdout.write(
    `${bundleMiB.toFixed(1)} MiB of it the program; ${((performance.now() - startedAt) / 1_000).toFixed(1)} s\n`,
  );
}

if (values.list) list();
else await build();
