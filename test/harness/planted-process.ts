/**
 * How a process gets a planted bug. In a whole run of the tests it takes its modules from one file, and a function with
 * the bug stands in there for that of a module (run-packed.cjs). What it loads besides and the processes that it starts
 * have the bug in the sources (plant-one.cjs), as all has where one file of tests runs alone.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { mutated, type SourceBug } from "../simulation/mutate.ts";
import { functionOf, packVariable } from "./packed-modules.ts";
import { root } from "./steps.ts";

const preload = join(root, "test", "harness", "plant-one.cjs");

/** Of the modules with these texts, by their paths; none where nothing is packed. */
async function functionsOf(texts: ReadonlyMap<string, string>): Promise<Readonly<Record<string, string>>> {
  if (process.env[packVariable] === undefined) return {};
  const functions: Record<string, string> = {};
  for (const [path, text] of texts) functions[path] = await functionOf(path, text);
  return functions;
}

export class PlantedBug implements Disposable {
  /** The functions of the modules with the bug, by the modules' paths; none where nothing is packed. */
  readonly functions: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(folder: string, functions: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.functions = functions;
  }

  /** @returns undefined when the bug is stale */
  static async of(bug: SourceBug): Promise<PlantedBug | undefined> {
    const texts = mutated(bug);
    if (texts === undefined) return undefined;
    const sources = Object.fromEntries([...texts].map(([path, text]) => [pathToFileURL(join(root, path)).href, text]));
    const functions = await functionsOf(texts);
    const planted = new PlantedBug(mkdtempSync(join(tmpdir(), "weir-planted-")), functions);
    writeFileSync(planted.#path, JSON.stringify({ sources, functions }));
    return planted;
  }

  get #path(): string {
    return join(this.#folder, "bug.json");
  }

  /** What the process is to have in its environment besides. */
  get env(): NodeJS.ProcessEnv {
    const options = process.env["NODE_OPTIONS"] ?? "";
    return { NODE_OPTIONS: `${options} --require=${JSON.stringify(preload)}`, WEIR_TEST_PLANTED: this.#path };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
