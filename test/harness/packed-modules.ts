/**
 * All modules of the project in one file, each of them a function, for the processes of a whole run of the tests. From
 * the sources such a process looks for some hundred files, has their types stripped, and compiles each function that it
 * runs: that is 0.3 s of processor time before the test does anything, from one file with a code cache 0.1 s. The
 * modules stay apart, so that a planted bug takes the place of one. run-packed.cjs runs them.
 */

import { globSync, readFileSync, writeFileSync } from "node:fs";
import type { SourceMapPayload } from "node:module";
import { join, sep } from "node:path";
import { build, type Plugin, type TransformOptions, transform } from "esbuild";
import { root } from "./steps.ts";

/** The variable that names the folder in which {@link packModules} has put its files. */
export const packVariable = "WEIR_TEST_PACK";

/** Runs a packed module; a process takes others from it, too. */
export const packedRunner = join(root, "test", "harness", "run-packed.cjs");

/** What Node runs for a module, before the arguments of the program: the packed one, if this is part of a whole run. */
export function commandOf(path: string): readonly string[] {
  return process.env[packVariable] === undefined ? [path] : [packedRunner, path];
}

const target = `node${process.versions.node.split(".")[0]}`;

const options: TransformOptions = {
  loader: "ts",
  format: "cjs",
  platform: "node",
  target,
  define: { "import.meta": "meta" },
  // The modules are there anyway.
  supported: { "dynamic-import": false },
  tsconfigRaw: { compilerOptions: { target: "esnext", verbatimModuleSyntax: true } },
  legalComments: "none",
  logLevel: "silent",
};

/** What run-packed.cjs calls with what the module needs. */
const parameters = "require, module, exports, meta";

/** The file with the modules, in the folder. */
export const modulesFile = "modules.cjs";

/** The folder within, for files that load modules: a whole run takes them in place of files of tests. */
export const filesFolder = "files";

/** The module with this text, as the source of a function. Fails if the module waits while it is loaded. */
export async function functionOf(path: string, text: string): Promise<string> {
  const { code } = await transform(text, { ...options, sourcefile: path });
  return `function (${parameters}) {\n${ascii(code)}}`;
}

/** The source map of the function of a module, without its first line. */
export async function mapOf(path: string): Promise<SourceMapPayload> {
  const text = readFileSync(join(root, path), "utf8");
  const { map } = await transform(text, { ...options, sourcefile: path, sourcemap: "external" });
  return JSON.parse(map) as SourceMapPayload;
}

/** What a module has that imports what it computes: only Node knows what that is. */
const computedImport = /\bimport\((?!")/;

/**
 * Writes all modules, and the packages that src/ imports, into `folder`. Node loads the others from the sources: those
 * with a computed import, and those that wait while they are loaded, which no function of this kind can do.
 *
 * @param plugins - for the packages
 */
export async function packModules(folder: string, plugins: readonly Plugin[] = []): Promise<void> {
  const paths = globSync(["src/**/*.ts", "test/**/*.ts", "scripts/*.ts"], { cwd: root });
  const packed = new Map<string, string>();
  const packages = new Set<string>();
  const pack = async (path: string): Promise<void> => {
    const text = readFileSync(join(root, path), "utf8");
    const code = computedImport.test(text) ? undefined : await functionOf(path, text).catch(() => undefined);
    if (code === undefined) return;
    packed.set(path, code);
    if (path.startsWith("src/")) for (const name of packagesIn(text)) packages.add(name);
  };
  await Promise.all(paths.map((path) => pack(path.replaceAll(sep, "/"))));
  writeModules(packed, folder);
  await packPackages([...packages].toSorted(), join(folder, "packages.cjs"), plugins);
}

/** Writes the functions, by the paths of their modules, and beside them where in the file each begins and ends. */
function writeModules(functions: ReadonlyMap<string, string>, folder: string): void {
  const places: Record<string, readonly [start: number, end: number, line: number]> = {};
  let text = "({\n";
  let line = 1;
  for (const path of [...functions.keys()].toSorted()) {
    const code = functions.get(path) as string;
    text += `${JSON.stringify(path)}: `;
    places[path] = [text.length, text.length + code.length, line];
    text += `${code},\n`;
    line += code.split("\n").length;
  }
  writeFileSync(join(folder, modulesFile), `${text}})`);
  writeFileSync(join(folder, "modules.json"), JSON.stringify(places));
}

/** The packages that a module imports at once, types aside: the others may be large. */
function packagesIn(text: string): string[] {
  return [...text.matchAll(/^(?:import|\}) (?!type )(?:.* )?from "([^".][^"]*)";$/gm)]
    .map(([, name]) => name as string)
    .filter((name) => !name.startsWith("node:"));
}

/** One file of all packages, each of which is evaluated when it is asked for. */
async function packPackages(names: readonly string[], path: string, plugins: readonly Plugin[]): Promise<void> {
  const entries = names.map((name) => `${JSON.stringify(name)}: () => require(${JSON.stringify(name)}),`);
  const { outputFiles } = await build({
    stdin: { contents: `module.exports = {${entries.join("\n")}};`, resolveDir: root },
    bundle: true,
    platform: "node",
    format: "cjs",
    target,
    mainFields: ["module", "main"],
    conditions: ["node", "import"],
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "warning",
    plugins: [...plugins],
    write: false,
  });
  writeFileSync(path, `(function (require, module) {\n${ascii(outputFiles[0]?.text ?? "")}})`);
}

/** The same code in one byte a character: what regular expressions have besides can be escaped there. */
function ascii(code: string): string {
  return code.replaceAll(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
