/**
 * The program and all that it imports as one CommonJS file: a code cache, which halves the start, is only taken with
 * that format.
 */

import { build, type Metafile } from "esbuild";

export interface BundleOptions {
  readonly root: string;
  readonly outputPath: string;
  /** What {@link commitOf} says. */
  readonly commit: string | undefined;
}

/** The major version of Node that the bundle may be run by. */
const target = `node${process.versions.node.split(".")[0]}`;

/** @returns what is in the bundle */
export async function bundle({ root, outputPath, commit }: BundleOptions): Promise<Metafile> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ["src/main.ts"],
    outfile: outputPath,
    bundle: true,
    platform: "node",
    format: "cjs",
    target,
    define: { WEIR_COMMIT: JSON.stringify(commit ?? "") },
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
  const foreign = Object.values(result.metafile.outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ path }) => !isBuiltin(path));
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(", ")}`);
  return result.metafile;
}

function isBuiltin(path: string): boolean {
  return path.startsWith("node:") || process.getBuiltinModule(path) !== undefined;
}
