/**
 * The Node that an executable is made of: a copy of the one that runs this script, or that of another system out of its
 * npm package.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runtimeVersion, type Target } from "./targets.ts";

/** Puts the runtime of this machine to `path`. */
export function copyHostRuntime(path: string): void {
  if (process.versions.node !== runtimeVersion) {
    throw new Error(`run it with "npm run build": this is Node ${process.versions.node}, not ${runtimeVersion}`);
  }
  copyFileSync(process.execPath, path);
}

/** The licence of the runtime, and of what is in it. It is the same for every system. */
export function runtimeLicense(root: string, target: Target, folder: string): string {
  // npm removes this folder when packages change, since package.json does not name it.
  const installed = join(root, "node_modules/node/node_modules", target.runtimePackage);
  if (existsSync(join(installed, "LICENSE"))) {
    const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { version: string };
    if (version === runtimeVersion) return readFileSync(join(installed, "LICENSE"), "utf8");
  }
  const path = join(folder, "node-license");
  fetchFromRuntime(target, "LICENSE", path, folder);
  return readFileSync(path, "utf8");
}

/** Puts the runtime of `target` to `path`. */
export function fetchRuntime(target: Target, path: string, folder: string): void {
  fetchFromRuntime(target, `bin/${target.platform === "win32" ? "node.exe" : "node"}`, path, folder);
  chmodSync(path, 0o755);
}

/**
 * Puts a file of the runtime's package to `path`.
 * @param folder for what is needed on the way
 * @throws Error when what npm delivers is not what was pinned
 */
function fetchFromRuntime(target: Target, file: string, path: string, folder: string): void {
  const work = join(folder, `package-${target.name}`);
  mkdirSync(work, { recursive: true });
  try {
    const spec = `${target.runtimePackage}@${runtimeVersion}`;
    execFileSync("npm", ["pack", spec, "--silent", "--prefer-offline", "--pack-destination", work], {
      // npm is not run by the Node that this project has.
      env: { ...process.env, PATH: outerPath() },
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32",
    });
    const archive = join(work, `${target.runtimePackage}-${runtimeVersion}.tgz`);
    const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (integrity !== target.integrity) {
      throw new Error(`${spec} is not what scripts/build/targets.ts pins: it has ${integrity}`);
    }
    const member = `package/${file}`;
    execFileSync("tar", ["-xzf", archive, "-C", work, member]);
    copyFileSync(join(work, member), path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Takes the symbol tables out of the runtime at `path`: a sixth of it. Says so when there is no program for that. */
export function stripRuntime(path: string, { name, platform, foreignStrip }: Target, isHost: boolean): void {
  const strip = isHost && platform === "linux" ? "strip" : foreignStrip;
  if (strip === undefined) return;
  const copy = `${path}.stripped`;
  try {
    execFileSync(strip, ["--strip-all", "-o", copy, path], { stdio: "ignore" });
    copyFileSync(copy, path);
  } catch {
    process.stdout.write(`no ${strip} here: the executable for ${name} keeps its symbol tables\n`);
  } finally {
    rmSync(copy, { force: true });
  }
}

/** The path without this project's own programs. */
function outerPath(): string {
  return (process.env["PATH"] ?? "")
    .split(":")
    .filter((folder) => !folder.includes("node_modules"))
    .join(":");
}
