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

const modules = readModules(path.join(folder, "modules.cjs"));
let plantedFunctions =
  planted === undefined ? {} : compilePlanted(JSON.parse(fs.readFileSync(planted, "utf8")).functions);
/** What src/main.ts and the like find beside them; from a file it would be without the bug. */
globalThis.WEIR_FOLDER_THREAD = `require(${JSON.stringify(__filename)}).load("src/folder-thread.ts");`;

const requireFile = createRequire(path.join(root, "package.json"));
const loaded = new Map();
let packages;

/** Of a file, for this version of the engine. */
function cacheOf(filename) {
  return `${filename}.${v8.cachedDataVersionTag()}`;
}

/** A script with a code cache of all functions that an earlier process has run: as warm-start.cjs does. */
function scriptOf(text, filename, cachedData, lineOffset = 0) {
  return new vm.Script(text, {
    filename,
    lineOffset,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData !== undefined && { cachedData }),
  });
}

/**
 * The functions of the modules. Each is a script with a code cache of its own: most processes need a few of the
 * modules, and a cache is read as a whole.
 */
function readModules(filename) {
  const places = JSON.parse(fs.readFileSync(path.join(folder, "modules.json"), "utf8"));
  const text = fs.openSync(filename);
  const cache = cacheOf(filename);
  const isCached = !isMaking && fs.existsSync(cache);
  const cached = isCached ? fs.openSync(cache) : undefined;
  const cachePlaces = isCached ? JSON.parse(fs.readFileSync(`${cache}.json`, "utf8")) : {};
  const scripts = new Map();
  const functions = new Map();
  if (isMaking) process.on("exit", () => writeCaches(cache, scripts));
  return {
    has: (name) => Object.hasOwn(places, name),
    functionOf(name) {
      const known = functions.get(name);
      if (known !== undefined) return known;
      const [start, end, line] = places[name];
      const cachePlace = cachePlaces[name];
      const cachedData = cachePlace && readPart(cached, ...cachePlace);
      // In its lines of the file, as packed-places.ts takes them.
      const script = scriptOf(`(${readPart(text, start, end).latin1Slice()})`, filename, cachedData, line);
      if (isMaking) scripts.set(name, script);
      const made = script.runInThisContext();
      functions.set(name, made);
      return made;
    },
  };
}

/** Most processes need a small part of a file of megabytes. */
function readPart(descriptor, start, end) {
  const part = Buffer.allocUnsafeSlow(end - start);
  fs.readSync(descriptor, part, 0, part.length, start);
  return part;
}

/** All caches in one file, and beside it where each begins and ends. */
function writeCaches(filename, scripts) {
  const places = {};
  const parts = [];
  let at = 0;
  for (const [name, script] of scripts) {
    const data = script.createCachedData();
    places[name] = [at, at + data.length];
    // The engine reads from even addresses.
    const padding = Buffer.alloc(-data.length & 7);
    parts.push(data, padding);
    at += data.length + padding.length;
  }
  fs.writeFileSync(filename, Buffer.concat(parts));
  fs.writeFileSync(`${filename}.json`, JSON.stringify(places));
}

/** @param sources - of functions that stand in for those of modules, by the modules' paths */
function compilePlanted(sources) {
  return Object.fromEntries(
    Object.entries(sources).map(([name, code]) => [
      name,
      vm.runInThisContext(`(${code})`, { filename: path.join(root, name) }),
    ]),
  );
}

/** From now on each module is loaded anew, with these functions in place of those of modules. Packages stay. */
function renew(sources) {
  loaded.clear();
  plantedFunctions = compilePlanted(sources);
}

/** @param name - the module's path, from the root and with forward slashes */
function load(name) {
  const found = loaded.get(name);
  if (found !== undefined) return found.exports;
  const filename = path.join(root, name);
  const isPlanted = Object.hasOwn(plantedFunctions, name);
  if (!isPlanted && !modules.has(name)) return requireFile(filename);
  const module = { exports: {} };
  loaded.set(name, module);
  const dirname = path.dirname(filename);
  const { href } = pathToFileURL(filename);
  const meta = { dirname, filename, url: href, main: false, resolve: (specifier) => new URL(specifier, href).href };
  const folderName = path.posix.dirname(name);
  const requireFrom = (specifier) =>
    specifier.startsWith(".") ? load(path.posix.join(folderName, specifier)) : loadPackage(specifier);
  const moduleFunction = isPlanted ? plantedFunctions[name] : modules.functionOf(name);
  moduleFunction(requireFrom, module, module.exports, meta);
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
  const filename = path.join(folder, "packages.cjs");
  const cache = cacheOf(filename);
  const cachedData = !isMaking && fs.existsSync(cache) ? fs.readFileSync(cache) : undefined;
  const script = scriptOf(fs.readFileSync(filename, "latin1"), filename, cachedData);
  if (isMaking) process.on("exit", () => fs.writeFileSync(cache, script.createCachedData()));
  script.runInThisContext()(requireFile, module);
  return module.exports;
}

module.exports = { load, renew };

if (require.main === module) {
  process.argv.splice(1, 1);
  load(path.relative(root, path.resolve(process.argv[1])).replaceAll(path.sep, "/"));
}
