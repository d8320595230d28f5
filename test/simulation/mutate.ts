/**
 * Plants a bug in the code under test, for this process only: pieces of source files are replaced by others when the
 * files are loaded. So no copy of the tree is needed, and everything else is exactly what is tested.
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Profile } from "./fault-kinds.ts";

/** A bug that can be planted. */
export interface SourceBug {
  /** In kebab case, for the command line. */
  readonly name: string;
  readonly edits: readonly Edit[];
}

/** A bug that the simulator must find. */
export interface Mutation extends SourceBug {
  /** The rule that it breaks, by its number in docs/internals/protocol.md, and in words. */
  readonly breaks: string;
  /** Where it is hunted. */
  readonly world: Profile;
  /** Worlds find it once in a million: so this test must. */
  readonly test?: FindingTest;
}

/** The test that must find a bug. */
export interface FindingTest {
  /** From the root, with forward slashes. */
  readonly file: string;
  /** The test's whole name, without that of its `describe`. No other test of the file has it. */
  readonly name: string;
  /** What the test says when it fails: a test that fails for another reason has not found the bug. */
  readonly says: RegExp;
}

export interface Edit {
  /** From the root, with forward slashes. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

const root = join(import.meta.dirname, "..", "..");

/**
 * The texts of the files with the bug in them, by their paths; undefined when the bug is stale: what it replaces is not
 * there, or not once.
 */
export function mutated({ edits }: SourceBug): ReadonlyMap<string, string> | undefined {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const parts = (sources.get(file) ?? readFileSync(join(root, file), "utf8")).split(find);
    if (parts.length !== 2) return undefined;
    sources.set(file, parts.join(replace));
  }
  return sources;
}

/**
 * To be called before the code under test is imported.
 * @returns false when the bug is stale
 */
export function plant(bug: SourceBug): boolean {
  const texts = mutated(bug);
  if (texts === undefined) return false;
  const sources = new Map([...texts].map(([path, text]) => [pathToFileURL(join(root, path)).href, text]));
  registerHooks({
    load(url, context, nextLoad) {
      const source = sources.get(url);
      return source === undefined
        ? nextLoad(url, context)
        : { format: "module-typescript", source, shortCircuit: true };
    },
  });
  return true;
}
