/**
 * Runs the project's Node with the arguments given: each script of package.json goes through here. Before that it
 * installs the packages when they are missing or older than the lock file, so that `npm start` and `npm test` work on a
 * fresh clone. Plain JavaScript: on that clone the system's Node runs it, which may be too old for the rest.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const lockFile = join(root, "package-lock.json");
const modules = join(root, "node_modules");
/** npm writes it last, after every install that went well. */
const stamp = join(modules, ".package-lock.json");
const runtime = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");

/** Why an install is needed; undefined if it isn't. */
function staleness() {
  if (!existsSync(stamp)) return "packages are not installed";
  if (statSync(stamp).mtimeMs < statSync(lockFile).mtimeMs) {
    // A checkout renews the time of a file whose text is the same.
    if (!sameVersions()) return "the lock file is newer than the installed packages";
  }
  if (!existsSync(runtime)) return "the project's own Node is not installed";
  return undefined;
}

function sameVersions() {
  const packagesOf = (path) => JSON.parse(readFileSync(path, "utf8")).packages;
  const installed = packagesOf(stamp);
  // Optional ones are for other systems.
  return Object.entries(packagesOf(lockFile)).every(
    ([name, { version, optional }]) => name === "" || optional || installed[name]?.version === version,
  );
}

/**
 * The environment without this project's programs in its path: npm must not run by the Node that it is about to
 * replace.
 */
function outerEnvironment() {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.startsWith(modules))
    .join(delimiter);
  return { ...process.env, PATH: path };
}

/** What the project's Node says when it can't start, such as a library that the system lacks; undefined if it can. */
function runtimeTrouble() {
  const result = spawnSync(runtime, ["--version"], { encoding: "utf8" });
  if (result.status === 0) return undefined;
  return result.stderr || String(result.error);
}

/** Installs the packages as the lock file names them. Ends the process if that fails. */
function install(reason) {
  process.stderr.write(`${reason}: installing them (npm ci, about half a minute) ... `);
  const startedAt = Date.now();
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    env: outerEnvironment(),
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (result.status !== 0 || !existsSync(runtime)) {
    process.stderr.write(`failed\n${result.error?.message ?? ""}${result.stdout ?? ""}${result.stderr ?? ""}\n`);
    if (result.status === 0)
      process.stderr.write(
        "npm has not run the install script of the package 'node'; see allowScripts in package.json\n",
      );
    process.exit(1);
  }
  process.stderr.write(`done in ${Math.round((Date.now() - startedAt) / 1000)} s\n`);
}

/** Ends the process if the project's Node can't start here, and says what is missing. */
function checkRuntime() {
  // It is running this.
  if (realpathSync(runtime) === realpathSync(process.execPath)) return;
  const trouble = runtimeTrouble();
  if (trouble === undefined) return;
  process.stderr.write(`the project's own Node does not start: ${trouble.trim()}\n`);
  if (trouble.includes("libatomic")) process.stderr.write("install libatomic (Debian: apt-get install libatomic1)\n");
  process.exit(1);
}

/** Becomes the program: the same process, so that signals, terminal and exit code are its own. */
function become(args) {
  const program = realpathSync(runtime);
  if (process.execve !== undefined && process.platform !== "win32") process.execve(program, [program, ...args]);
  runBeside(args);
}

/** The same for a Node that can't do that: this process lives as long as the program, and stands in for it. */
function runBeside(args) {
  const child = spawn(runtime, args, { stdio: "inherit", shell: process.platform === "win32" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the program by itself, and a second one means: at once.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const reason = staleness();
if (reason !== undefined) install(reason);
checkRuntime();
become(process.argv.slice(2));
