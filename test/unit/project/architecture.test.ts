/**
 * What ARCHITECTURE.md and docs/internals name exists: their links lead somewhere, and files, symbols and layers are
 * those of the code.
 */

import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { projectFile, root } from "../../harness/deployment.ts";

const fence = /^```\w*\n([\s\S]*?)^```$/gm;
const internals = globSync("docs/internals/*.md", { cwd: root }).toSorted();

function code(pattern: string): { path: string; text: string }[] {
  return globSync(pattern, { cwd: root }).map((path) => ({ path, text: projectFile(path) }));
}

const sources = [...code("src/**/*.ts"), ...code("test/**/*.ts")];
const fileNames = new Set(sources.map(({ path }) => basename(path)));
const words = new Set(sources.flatMap(({ text }) => text.match(/[A-Za-z_$][\w$]*/g) ?? []));

/** What stands between backquotes, outside of fenced blocks. */
function quoted(text: string): string[] {
  return [...text.replaceAll(fence, "").matchAll(/`([^`\n]+)`/g)].map(([, name]) => name as string);
}

/** As GitHub makes a heading's anchor. */
function anchorsOf(path: string): Set<string> {
  const headings = [...projectFile(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading as string);
  return new Set(
    headings.map((each) =>
      each
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Whether the file or folder is there, from the root or from src; a name alone may be any file's. */
function isPath(name: string): boolean {
  if (name.includes("*")) return globSync(name, { cwd: root }).length > 0;
  const isThere = existsSync(join(root, name)) || existsSync(join(root, "src", name));
  return isThere || (!name.includes("/") && fileNames.has(name));
}

/** The texts of the source files that declare a class or an interface, by its name. */
const declaring = new Map<string, string[]>();
for (const { path, text } of sources) {
  if (!path.startsWith("src/")) continue;
  for (const [, name = ""] of text.matchAll(/^(?:export )?(?:class|interface|type) ([A-Z]\w*)/gm)) {
    declaring.set(name, [...(declaring.get(name) ?? []), text]);
  }
}

/** Whether the code has the symbol; of `Class.member` whether a file that declares the class has the member. */
function isSymbol(name: string): boolean {
  const [first = "", ...rest] = name.replaceAll("#", "").split(".");
  if (rest.length === 0 || !/^[A-Z]/.test(first)) return [first, ...rest].every((word) => words.has(word));
  return rest.every((word) => {
    const member = new RegExp(`^\\s+(?:(?:readonly|async|get|static) )*#?${word}\\b\\s*[?!(<:=;]`, "m");
    return declaring.get(first)?.some((text) => member.test(text)) ?? false;
  });
}

function unknownNames(text: string): string[] {
  return quoted(text).filter((name) => {
    if (/^[\w.*-]+(?:\/[\w.*-]*)+$/.test(name) || /^[\w.*-]+\.(?:ts|md|json)$/.test(name)) return !isPath(name);
    return /^[A-Za-z_]\w*(?:\.#?\w+)*$/.test(name) && !isSymbol(name);
  });
}

for (const path of ["ARCHITECTURE.md", ...internals]) {
  test(`the files and symbols that ${path} names exist`, () => {
    assert.deepEqual(unknownNames(projectFile(path)), []);
  });
}

for (const path of internals) {
  test(`the links of ${path} lead to files and headings that there are`, () => {
    const targets = [...projectFile(path).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);
    const broken = targets.filter((target) => {
      const [file = "", anchor] = target.split("#", 2);
      const resolved = file === "" ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(root, resolved))) return true;
      return anchor !== undefined && !anchorsOf(resolved).has(anchor);
    });
    assert.deepEqual(broken, []);
  });
}

test("the layers in ARCHITECTURE.md are all folders of the source, and name files that there are", () => {
  const [, layers = ""] = /^## Layers$[\s\S]*?^```\n([\s\S]*?)^```$/m.exec(projectFile("ARCHITECTURE.md")) ?? [];
  const named = layers.split(/[\s,:;()]+/);
  const folders = globSync("src/**/", { cwd: root }).map((path) => `${basename(path)}/`);
  assert.deepEqual(
    folders.filter((folder) => folder !== "src/" && !named.includes(folder)),
    [],
  );
  const files = named.filter((name) => /^[a-z0-9]+(?:-[a-z0-9]+)+$/.test(name)).map((name) => `${name}.ts`);
  assert.ok(files.length > 30);
  assert.deepEqual(
    files.filter((name) => !fileNames.has(name)),
    [],
  );
});
