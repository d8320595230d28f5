/**
 * The import table: which part of the source may know which. Imports point one way, from the program down to the words of every
 * layer; a member sees the ports of store, network and journal, never an adapter.
 */

import { dirname, join } from "node:path/posix";

/** What the files of a part may import, its own aside: other parts, or single files of them. */
const table: Readonly<Record<string, readonly string[]>> = {
  "src/base": [],
  "src/core": ["src/base"],
  "src/access": ["src/base"],
  "src/folders.ts": [],
  "src/journal": ["src/base", "src/core", "src/folders.ts"],
  "src/store": ["src/base", "src/core", "src/folders.ts"],
  "src/network": ["src/base", "src/core"],
  "src/member": [
    "src/base",
    "src/core",
    "src/journal/journal.ts",
    "src/store/blob-store.ts",
    "src/store/large-blobs.ts",
    "src/network/network.ts",
  ],
  "src/http": ["src/base", "src/core", "src/access", "src/member"],
  "src/metrics": ["src/base", "src/core", "src/journal", "src/store", "src/network", "src/member", "src/http"],
  "src/ui": ["src/base", "src/core"],
  "src/config": ["src/base", "src/core", "src/access"],
  "src/system.ts": ["src/base"],
  "src/log.ts": ["src/base"],
  "src/version.ts": ["package.json"],
  "src/node-settings.ts": ["src/base", "src/config", "src/http", "src/member", "src/network", "src/store"],
  "src/compose.ts": [
    "src/node-settings.ts",
    "src/base",
    "src/core",
    "src/access",
    "src/config",
    "src/journal",
    "src/store",
    "src/network",
    "src/member",
    "src/http",
    "src/metrics",
    "src/ui",
    "src/system.ts",
    "src/version.ts",
  ],
  "src/cli": [
    "src/base",
    "src/core",
    "src/access",
    "src/store/folder-copy.ts",
    "src/store/open-store.ts",
    "src/config",
    "src/compose.ts",
    "src/folders.ts",
    "src/log.ts",
    "src/system.ts",
    "src/version.ts",
  ],
  "src/main.ts": ["src/cli"],
};

/** Parts whose every step the simulator owns: no way out to disk, network, processes or timers. */
const pureParts: readonly string[] = ["src/base", "src/core", "src/member"];

const outsideModules =
  /^(?:node:(?:fs|net|http|https|http2|tls|dns|dgram|child_process|cluster|worker_threads|timers)(?:\/.*)?|undici|@aws-sdk\/.*)$/;

const importPattern = /(?<![.\w])(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g;

export interface Import {
  readonly specifier: string;
  readonly index: number;
}

/**
 * The modules that a file imports or re-exports from.
 *
 * @param withStrings the file's text without its comments.
 * @param code the same without its strings, which may quote imports.
 */
export function importsOf(withStrings: string, code: string): Import[] {
  const matches = [...withStrings.matchAll(importPattern)].filter(({ index }) => code[index] === withStrings[index]);
  return matches.map((match) => ({ specifier: match[2] as string, index: match.index }));
}

/** What is wrong with `path` importing `specifier`; undefined if nothing is. */
export function importMistake(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) {
    const part = partOf(path);
    const isOutside = part !== undefined && pureParts.includes(part) && outsideModules.test(specifier);
    return isOutside ? `${part} must not import ${specifier}: it goes through a port` : undefined;
  }
  if (!/\.(?:ts|json|mjs)$/.test(specifier)) return `an import names the file: ${specifier}.ts`;
  if (!path.startsWith("src/")) return undefined;
  const target = join(dirname(path), specifier);
  const part = partOf(path);
  if (part === undefined) return "is in no part of the import table; add it to scripts/tidy/imports.ts";
  const allowed = [part, ...(table[part] as readonly string[])];
  if (allowed.some((each) => target === each || target.startsWith(`${each}/`))) return undefined;
  return `${part} must not import ${target}`;
}

/** The key of the table under which `path` falls. */
function partOf(path: string): string | undefined {
  return Object.keys(table).find((part) => path === part || path.startsWith(`${part}/`));
}
