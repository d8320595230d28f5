/**
 * Runs modules of the project from the file that packed-modules.ts has made of them: that of which the command line has
 * the path, or those that are asked of `load`. The bug that the environment names is planted in them.
 */

"use strict";

const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const v8 = require("node:v8");
const vm = require("node:vm");

const root = path.join(__dirname, "..", "..");
const folder = process.env.WEIR_TEST_PACK;
const isMaking = process.env.WEIR_TEST_WARMS === "yes";
const planted = process.env.WEIR_TEST_PLANTED;

const functions = {
  ...run(path.join(folder, "modules.cjs")),
  ...(planted !== undefined && plantedFunctions(planted)),
};
/** What src/main.ts and the like find beside them; from a file it would be without the bug. */
globalThis.WEIR_FOLDER_THREAD = `require(${JSON.stringify(__filename)}).load("src/folder-thread.ts");`;

const requireFile = createRequire(path.join(root, "package.json"));
const loaded = new Map();
let packages;

/** The value of a script, with a code cache of all functions that an earlier process has run: as warm-start.cjs does. */
function run(filename) {
  const cache = `${filename}.${v8.cachedDataVersionTag()}`;
  const isCached = !isMaking && fs.existsSync(cache);
  const script = new vm.Script(fs.readFileSync(filename, "latin1"), {
    filename,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(isCached && { cachedData: fs.readFileSync(cache) }),
  });
  if (isMaking) process.on("exit", () => fs.writeFileSync(cache, script.createCachedData()));
  return script.runInThisContext();
}

function plantedFunctions(file) {
  const sources = Object.entries(JSON.parse(fs.readFileSync(file, "utf8")).functions);
  return Object.fromEntries(
    sources.map(([name, code]) => [name, vm.runInThisContext(`(${code})`, { filename: path.join(root, name) })]),
  );
}

/** @param name - the module's path, from the root and with forward slashes */
function load(name) {
  const found = loaded.get(name);
  if (found !== undefined) return found.exports;
  const filename = path.join(root, name);
  if (!Object.hasOwn(functions, name)) return requireFile(filename);
  const module = { exports: {} };
  loaded.set(name, module);
  const dirname = path.dirname(filename);
  const { href } = pathToFileURL(filename);
  const meta = { dirname, filename, url: href, main: false, resolve: (specifier) => new URL(specifier, href).href };
  const folderName = path.posix.dirname(name);
  const requireFrom = (specifier) =>
    specifier.startsWith(".") ? load(path.posix.join(folderName, specifier)) : loadPackage(specifier);
  functions[name](requireFrom, module, module.exports, meta);
  return module.exports;
}

function loadPackage(name) {
  if (name.startsWith("node:")) return require(name);
  packages ??= loadPackages();
  if (!Object.hasOwn(packages, name)) return requireFile(name);
  // Of undici a part is packed; some test may want more of it.
  return name === "undici" ? withWhole(packages[name](), name) : packages[name]();
}

/** The part of a package, and of the package itself what the part lacks. */
function withWhole(part, name) {
  return new Proxy(part, { get: (own, key) => (key in own ? own[key] : requireFile(name)[key]) });
}

function loadPackages() {
  const module = { exports: {} };
  run(path.join(folder, "packages.cjs"))(requireFile, module);
  return module.exports;
}

module.exports = { load };

if (require.main === module) {
  process.argv.splice(1, 1);
  load(path.relative(root, path.resolve(process.argv[1])).replaceAll(path.sep, "/"));
}
