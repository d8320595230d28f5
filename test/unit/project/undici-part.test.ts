/** The part of undici that is in the bundle has all that weir's sources import, as the package has it. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../harness/steps.ts";

const load = createRequire(import.meta.url) as (path: string) => Readonly<Record<string, unknown>>;

test("what stands in for undici in the bundle has every name that a source imports from it, and the same under it", () => {
  const texts = globSync("src/**/*.ts", { cwd: root }).map((path) => readFileSync(join(root, path), "utf8"));
  const imports = texts.flatMap((text) => [...text.matchAll(/^import (type )?\{([^}]+)\} from "undici";$/gm)]);
  const names = imports
    .filter(([, type]) => type === undefined)
    .flatMap(([, , list = ""]) => list.split(",").map((each) => each.trim()))
    .filter((name) => !name.startsWith("type "));
  const all = load("undici");
  const part = load(join(root, "scripts", "build", "undici.cjs"));
  assert.ok(names.includes("Client"));
  for (const name of names) assert.equal(part[name], all[name], name);
  const mentions = texts.flatMap((text) => [...text.matchAll(/"undici[^"]*"/g)]);
  assert.equal(mentions.length, imports.length, "undici is imported in no other way");
});
