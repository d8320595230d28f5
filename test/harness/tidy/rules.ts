/** The house rules that a machine can judge, one file at a time. Each violation is a line: where, and what is wrong. */

import { blank, lineAt } from "./code-text.ts";
import { importMistake, importsOf } from "./imports.ts";

/** Lines in a class, in a function, or in a file that is not TypeScript: past this it is about more than one thing. */
const maxLines = 400;

/** Files that may have more, and why. */
const longFiles: Readonly<Record<string, string>> = {
  "docs/openapi.yaml": "tools want the whole interface in one",
};

/** Words in a test's name: fewer can't say part, situation and outcome. That of an `it` goes on from its `describe`. */
const minTestWords = { test: 4, it: 3 } as const;

/** Time and chance, which only system.ts reads. */
const realWorld =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\.now\b|\bprocess\.hrtime\b|(?<!\.)\b(?:setTimeout|setInterval)\b|\b(?:randomBytes|randomUUID|randomInt|getRandomValues)\b|\bAbortSignal\.timeout\b/g;

/** Files that must, and why: adapters whose whole business is the real thing. */
const realWorldFiles: Readonly<Record<string, string>> = {
  "src/system.ts": "it is the port's implementation",
};

// Written so that this file does not find itself.
const unfinished = /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/g;
const machinePath = /(?<![\w.:-])\/(?:work|root|home|Users)\/[\w.-]+/g;
const registryHost = /\bregistry\.[a-z0-9-]+\.[a-z]+|\bnpm[j]s\.(?:org|com)\b|^\s*registry\s*=/gm;
const lockedOrigin = /"resolved": "http/;
const section = /\u00a7/g;
/** Pages of others that are cited beside the address of their repository. */
const foreignPages: readonly string[] = ["doc/xxhash_spec.md"];
const page = /(?<![\w./-])[\w./-]*[\w-]\.md\b/g;
const address = /\bhttps?:\/\/\S+/g;
const className = /^(?:export )?(?:abstract )?class (\w+)/gm;
const forbiddenExport = /^export\s+(?:default\b|\*|\{[^}]*\}\s*from\b)/gm;
// One that is only there to be skipped stands for a whole suite.
const testName = /\b(test|it)\(\s*(["'`])((?:\\.|(?!\2)[^\\])*)\2(?!,\s*\{\s*skip\b)/g;

/** The column at which comments end, like code. */
const commentColumns = 120;

/** Files whose export has to be the default one, and why. */
const defaultExports: Readonly<Record<string, string>> = {
  "test/harness/reporter.ts": "node's test runner takes a reporter in no other way",
};

/** Judges the text of the file at `path` (from the root, with forward slashes). */
export function fileViolations(path: string, text: string): string[] {
  const found: string[] = [];
  const report = (index: number, what: string): void => {
    found.push(`${path}:${lineAt(text, index)}: ${what}`);
  };
  for (const match of text.matchAll(machinePath)) report(match.index, `names a path of some machine: ${match[0]}`);
  for (const match of text.matchAll(registryHost)) report(match.index, `names a package registry: ${match[0]}`);
  if (path === "package-lock.json" && lockedOrigin.test(text)) {
    report(0, "says where packages came from; .npmrc omits that: run npm install again");
  }
  if (/\.(?:ts|mjs|sh|ya?ml)$|Dockerfile$/.test(path)) {
    for (const match of text.matchAll(unfinished)) report(match.index, `${match[0]}: do it, or file it as an issue`);
    for (const { index, lines } of longPieces(path, text))
      report(index, `has ${lines} lines, at most ${maxLines}: split it`);
  }
  if (/\.(?:ts|mjs)$/.test(path)) found.push(...codeViolations(path, text));
  return found;
}

/**
 * What is longer than it may be, and where it begins: of TypeScript a class or a function, of other files the whole.
 */
function longPieces(path: string, text: string): { readonly index: number; readonly lines: number }[] {
  if (Object.hasOwn(longFiles, path)) return [];
  const pieces = /\.(?:ts|mjs)$/.test(path)
    ? [...text.matchAll(/^(?:export )?(?:async )?(?:class|function)\b[\s\S]*?^\}$/gm)]
    : [{ 0: text, index: 0 }];
  return pieces
    .map(({ 0: piece, index }) => ({ index, lines: piece.replace(/\n$/, "").split("\n").length }))
    .filter(({ lines }) => lines > maxLines);
}

/** Where lines begin that are too long and end in a comment; a word alone, such as an address, can't be broken. */
function wideComments(text: string, withStrings: string): number[] {
  const wide = [...text.matchAll(new RegExp(`^.{${commentColumns + 1},}$`, "gm"))];
  return wide
    .filter(({ 0: line, index }) => {
      const end = index + line.trimEnd().length - 1;
      return withStrings[end] !== text[end] && /\S\s+\S/.test(line.replace(/^\s*(?:\/\*\*?|\*|\/\/)\s*/, ""));
    })
    .map(({ index }) => index);
}

/** The names of the classes that a file declares. */
export function classesOf(text: string): string[] {
  return [...blank(text, "code").matchAll(className)].map(([, name]) => name as string);
}

/**
 * What a file says of pages that nobody who has the repository can open: sections of a page that has none, and names of
 * pages that are not there.
 *
 * @param pages - the paths of all pages of the repository
 */
export function citationViolations(path: string, text: string, pages: readonly string[]): string[] {
  // In code, `.md` is a property; in comments it is a page.
  const prose = /\.(?:ts|mjs|js)$/.test(path) ? commentsOf(text) : text;
  const plain = prose.replace(address, (match) => " ".repeat(match.length));
  const names = new Set(pages.map((each) => each.slice(each.lastIndexOf("/") + 1)));
  const found: string[] = [];
  for (const { 0: name, index } of plain.matchAll(page)) {
    if (foreignPages.includes(name) || names.has(name.slice(name.lastIndexOf("/") + 1))) continue;
    found.push(`${path}:${lineAt(text, index)}: cites a page that is not in the repository: ${name}`);
  }
  for (const { index } of text.matchAll(section)) {
    found.push(`${path}:${lineAt(text, index)}: cites a section, of a page that has none: cite a numbered rule`);
  }
  return found;
}

/** The comments alone, everything in its place. */
function commentsOf(text: string): string {
  const withStrings = blank(text, "strings");
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    out += char === "\n" || withStrings[at] !== char ? char : " ";
  }
  return out;
}

function codeViolations(path: string, text: string): string[] {
  const found: string[] = [];
  const withStrings = blank(text, "strings");
  const code = blank(text, "code");
  const report = (index: number, what: string): void => {
    found.push(`${path}:${lineAt(text, index)}: ${what}`);
  };
  if (!/^(?:#![^\n]*\n)?\/\*\*/.test(text)) report(0, "must open with a comment that says why the file exists");
  for (const { specifier, index } of importsOf(withStrings, code)) {
    const mistake = importMistake(path, specifier);
    if (mistake !== undefined) report(index, mistake);
  }
  if (!Object.hasOwn(defaultExports, path)) {
    for (const match of code.matchAll(forbiddenExport)) report(match.index, "no default exports and no barrels");
  }
  for (const index of wideComments(text, withStrings)) report(index, `a comment ends at column ${commentColumns}`);
  if (path.startsWith("src/") && realWorldFiles[path] === undefined) {
    for (const match of code.matchAll(realWorld)) {
      report(match.index, `${match[0]}: time and chance come through Clock and Random`);
    }
  }
  if (path.endsWith(".test.ts")) {
    for (const match of withStrings.matchAll(testName)) {
      // One that a string quotes is none; one that is put together can't be judged.
      if (code[match.index] !== withStrings[match.index] || match[3]?.includes("${")) continue;
      const [, kind, , name] = match as unknown as [string, keyof typeof minTestWords, string, string];
      const words = name.trim().split(/\s+/).length;
      if (words < minTestWords[kind])
        report(match.index, `a test's name is a sentence: ${JSON.stringify(name)} is not`);
    }
  }
  return found;
}
