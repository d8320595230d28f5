/** What is done to the bundle after esbuild has made it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { root } from "../../harness/steps.ts";

const bundler = pathToFileURL(join(root, "scripts", "build", "bundle.ts")).href;

test("a program in ASCII does what it did before", () => {
  const program = `[/[‘’]/.test("‘"), /^[^a-ÿ]$/.test("Ā"), /\\u{1f600}/u.test("😀"), "Größe"].join()`;
  const code = `import { inAscii } from ${JSON.stringify(bundler)}; process.stdout.write(inAscii(process.argv[1]))`;
  const text = execFileSync(process.execPath, ["--input-type=module", "-e", code, program], { encoding: "utf8" });
  assert.match(text, /^[\0-\x7f]+$/);
  assert.equal(runInNewContext(program), "true,true,true,Größe");
  assert.equal(runInNewContext(text), "true,true,true,Größe");
});
