/**
 * The import table: which part of the source may know which. Imports point one way, from the program down to the words
 * of every layer; a member sees the ports of store, network and journal, never an adapter.
 */

import { dirname, join } from "node:path/posix";

/** What a member sees of disk, store and network. */
const ports = ["src/journal/journal.ts", "src/store/blob-store.ts", "src/network/network.ts"];
const words = ["src/base", "src/core"];
/** What every room of a member knows. */
const memberWords = [...words, ...ports, "src/member/context.ts", "src/member/metrics.ts", "src/member/settings.ts"];
/** What every kind of store is made of. */
const storeWords = [
  ...words,
  "src/folders.ts",
  "src/store/blob-store.ts",
  "src/store/deadline.ts",
  "src/store/probe-steps.ts",
];

/** What every room of the command line knows. */
const cliWords = [
  ...words,
  "src/access",
  "src/store/blob-store.ts",
  "src/store/folder/folder-copy.ts",
  "src/store/open-store.ts",
  "src/config",
  "src/compose.ts",
  "src/folders.ts",
  "src/log.ts",
  "src/system.ts",
  "src/version.ts",
];

/** What every room of the S3 dialect knows: the server, and what the native routes have that HTTP itself defines. */
const s3Words = [
  ...words,
  "src/access",
  "src/http/server",
  "src/http/routes/content-headers.ts",
  "src/http/routes/content-md5.ts",
  "src/http/routes/http-date.ts",
  "src/http/routes/preconditions.ts",
  "src/http/routes/range.ts",
  "src/http/routes/stored-reads.ts",
  "src/s3/words",
];

/**
 * What the files of a part may import, its own aside: other parts, or single files of them. A part within another
 * one is a room: it has its own row, and the outer row is for the files that lie in no room.
 */
const table: Readonly<Record<string, readonly string[]>> = {
  "src/base": [],
  "src/core": ["src/base"],
  "src/access": ["src/base"],
  "src/folders.ts": [],
  "src/runtime-options.ts": [],
  "src/journal": [...words, "src/folders.ts"],
  "src/store/http": storeWords,
  "src/store/s3": [...storeWords, "src/store/http"],
  "src/store/azure": [...storeWords, "src/store/http"],
  "src/store/folder": storeWords,
  "src/store": words,
  "src/network": words,
  "src/member/keys": memberWords,
  "src/member/flush": [...memberWords, "src/member/keys"],
  "src/member/route": [...memberWords, "src/member/keys"],
  "src/member/large": memberWords,
  "src/member/admin": [...memberWords, "src/member/keys", "src/member/flush", "src/member/route"],
  "src/member/views": [...memberWords, "src/member/keys", "src/member/flush", "src/member/route", "src/member/admin"],
  "src/member": [...words, ...ports],
  "src/http/server": [...words, "src/access"],
  "src/http/routes": [...words, "src/access", "src/http/server"],
  "src/http": [...words, "src/access"],
  "src/s3/words": s3Words,
  "src/s3/signature": s3Words,
  "src/s3/body": [...s3Words, "src/s3/signature", "src/s3/call.ts"],
  "src/s3/uploads": [...s3Words, "src/s3/body/checksum.ts", "src/s3/body/object-facts.ts"],
  "src/s3/routes": [
    ...s3Words,
    "src/s3/body",
    "src/s3/buckets.ts",
    "src/s3/call.ts",
    "src/s3/slow-answers.ts",
    "src/s3/uploads",
  ],
  "src/s3": s3Words,
  "src/metrics": [...words, "src/journal", "src/store", "src/network", "src/member", "src/http"],
  "src/ui": words,
  "src/config": [...words, "src/access"],
  "src/system.ts": ["src/base"],
  "src/log.ts": ["src/base"],
  "src/version.ts": ["package.json"],
  "src/node-settings.ts": [
    ...words,
    "src/config",
    "src/http",
    "src/journal",
    "src/member",
    "src/network",
    "src/s3",
    "src/store",
  ],
  "src/node-networks.ts": [
    "src/node-settings.ts",
    ...words,
    "src/config",
    "src/http/server/connections.ts",
    "src/network",
    "src/system.ts",
  ],
  "src/compose.ts": [
    "src/node-settings.ts",
    "src/node-networks.ts",
    ...words,
    "src/access",
    "src/config",
    "src/journal",
    "src/store",
    "src/network",
    "src/member",
    "src/http",
    "src/s3",
    "src/metrics",
    "src/ui",
    "src/system.ts",
    "src/version.ts",
  ],
  "src/cli/process": cliWords,
  "src/cli/client": [...cliWords, "src/cli/process"],
  "src/cli/copy": [...cliWords, "src/cli/process", "src/cli/client"],
  "src/cli/dev": [...cliWords, "src/cli/process", "src/journal/folder-lock.ts"],
  "src/cli/commands": [...cliWords, "src/cli/process", "src/cli/client", "src/cli/copy", "src/cli/dev"],
  "src/cli": cliWords,
  "src/main.ts": ["src/cli"],
  "src/folder-thread.ts": ["src/base", "src/store", "src/system.ts"],
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
    const isOutside =
      part !== undefined && pureParts.some((pure) => isWithin(part, pure)) && outsideModules.test(specifier);
    return isOutside ? `${part} must not import ${specifier}: it goes through a port` : undefined;
  }
  if (!/\.(?:ts|json|mjs)$/.test(specifier)) return `an import names the file: ${specifier}.ts`;
  const target = join(dirname(path), specifier);
  if (!path.startsWith("src/")) return outsideMistake(path, target);
  const part = partOf(path);
  if (part === undefined) return "is in no part of the import table; add it to test/harness/tidy/imports.ts";
  const allowed = [part, ...(table[part] as readonly string[])];
  if (allowed.some((each) => isWithin(target, each))) return undefined;
  return `${part} must not import ${target}`;
}

/**
 * The same for what is not the program. Scripts are entry points over what tests share; nothing imports an entry point,
 * and tests run it as a process.
 */
function outsideMistake(path: string, target: string): string | undefined {
  const isScript = isWithin(path, "scripts");
  if (isScript && isWithin(target, "test") && !isWithin(target, "test/harness")) {
    return `scripts must not import ${target}: of test/ they import test/harness`;
  }
  return !isScript && isWithin(target, "scripts")
    ? `${path} must not import ${target}: run it as a process`
    : undefined;
}

/** The key of the table under which `path` falls: rooms stand before what they are in. */
function partOf(path: string): string | undefined {
  return Object.keys(table).find((part) => isWithin(path, part));
}

function isWithin(path: string, part: string): boolean {
  return path === part || path.startsWith(`${part}/`);
}
