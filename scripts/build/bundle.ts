/**
 * The program and all that it imports as one CommonJS file: a code cache, which halves the start, is only taken with
 * that format. The program of its thread is a text in it: an executable has no file that a thread could run.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";

export interface BundleOptions {
  readonly root: string;
  readonly outputPath: string;
  /** What {@link commitOf} says. */
  readonly commit: string | undefined;
}

/** The major version of Node that the bundle may be run by. */
const target = `node${process.versions.node.split(".")[0]}`;

/** Only what weir uses of undici is evaluated at each start. */
export const partOfUndici: Plugin = {
  name: "part of undici",
  setup(builder) {
    const insteadOf = (filter: RegExp, name: string): void =>
      builder.onResolve({ filter }, () => ({ path: join(import.meta.dirname, name) }));
    insteadOf(/^undici$/, "undici.cjs");
    insteadOf(/^\.\/client-h2\.js$/, "undici-h2.cjs");
  },
};

const common = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target,
  // Smaller to load, but identifiers stay as they are: stacks in logs have to be read. `keepNames` would add a call to
  // each function that is made, those of each request among them.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  // Packages that have both forms are smaller without what their CommonJS one drags along.
  mainFields: ["module", "main"],
  conditions: ["node", "import"],
  logLevel: "warning",
  plugins: [partOfUndici],
} as const satisfies BuildOptions;

/** @returns what is in the bundle */
export async function bundle({ root, outputPath, commit }: BundleOptions): Promise<Metafile> {
  const result = await build({
    ...common,
    absWorkingDir: root,
    entryPoints: ["src/main.ts"],
    outfile: outputPath,
    define: {
      WEIR_COMMIT: JSON.stringify(commit ?? ""),
      WEIR_FOLDER_THREAD: JSON.stringify(await threadProgram(root)),
      // The bundle looks for no file beside it.
      "import.meta.url": '""',
    },
    metafile: true,
  });
  const foreign = Object.values(result.metafile.outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ path }) => !isBuiltin(path));
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(", ")}`);
  await writeFile(outputPath, inAscii(await readFile(outputPath, "utf8")));
  return result.metafile;
}

/**
 * The same program in ASCII: the engine holds it in one byte a character then, which saves 4 MiB in each process.
 * esbuild does the same, but for regular expressions.
 */
export function inAscii(program: string): string {
  return program.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** All that is in it is in the main program, too: its metafile would name nothing else. */
async function threadProgram(root: string): Promise<string> {
  const result = await build({
    ...common,
    absWorkingDir: root,
    entryPoints: ["src/folder-thread.ts"],
    write: false,
  });
  return result.outputFiles[0]?.text ?? "";
}

function isBuiltin(path: string): boolean {
  return path.startsWith("node:") || process.getBuiltinModule(path) !== undefined;
}
