/**
 * Plants a bug in the code under test, for this process only: one piece of one source file is replaced by another when the file is loaded. So no copy of the tree is
 * needed, and everything else is exactly what is tested.
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export interface Mutation {
  /** In kebab case, for the command line. */
  readonly name: string;
  /** What it breaks, and where that is written: a section of the protocol, or a part of ARCHITECTURE.md. */
  readonly breaks: string;
  /** From the root, with forward slashes. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Worlds in which it was caught, tried first. */
  readonly caught: readonly { readonly profile: string; readonly seed: number }[];
}

const root = join(import.meta.dirname, "..", "..");

/** The file's text with the bug in it; undefined when the mutation is stale: what it replaces is not there, or not once. */
export function mutated(mutation: Mutation): string | undefined {
  const text = readFileSync(join(root, mutation.file), "utf8");
  const parts = text.split(mutation.find);
  return parts.length === 2 ? parts.join(mutation.replace) : undefined;
}

/**
 * To be called before the code under test is imported.
 * @returns false when the mutation is stale
 */
export function plant(mutation: Mutation): boolean {
  const source = mutated(mutation);
  if (source === undefined) return false;
  const target = pathToFileURL(join(root, mutation.file)).href;
  registerHooks({
    load(url, context, nextLoad) {
      if (url !== target) return nextLoad(url, context);
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
  return true;
}
