/** The house rules: the project keeps them, and each of them is able to say no. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { settingsTable } from "../../../src/config/settings.ts";
import { root } from "../../harness/steps.ts";
import { blank } from "../../harness/tidy/code-text.ts";
import {
  documentViolations,
  errorsPageViolations,
  readmeViolations,
  settingsPage,
  settingsPageViolations,
} from "../../harness/tidy/documents.ts";
import { circleViolations, classViolations, projectViolations } from "../../harness/tidy/project.ts";
import { meanWords, sentencesOf } from "../../harness/tidy/prose.ts";
import { citationViolations, fileViolations } from "../../harness/tidy/rules.ts";

const header = "/** Why this file exists. */\n\n";

/** What is wrong with a file of this text, without the place. */
function violations(path: string, text: string): string[] {
  return fileViolations(path, text).map((line) => line.replace(/^\S+: /, ""));
}

test("the project keeps its house rules", () => {
  assert.deepEqual(projectViolations(), []);
});

test("a file in order is left alone", () => {
  assert.deepEqual(violations("src/core/x.ts", `${header}import { assert } from "../base/assert.ts";\n`), []);
});

test("a file without a comment at its top is found, a first line for the shell aside", () => {
  assert.match(violations("src/core/x.ts", "export const x = 1;\n").join(), /must open with a comment/);
  assert.deepEqual(violations("scripts/x.mjs", `#!/usr/bin/env node\n${header}`), []);
});

test("an import that points up or sideways is found", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["src/base/x.ts", "../core/entry.ts", false],
    ["src/core/x.ts", "../store/blob-store.ts", false],
    ["src/store/x.ts", "../network/network.ts", false],
    ["src/store/x.ts", "../core/entry.ts", true],
    ["src/member/x.ts", "../store/blob-store.ts", true],
    ["src/member/x.ts", "../store/s3-store.ts", false],
    ["src/member/x.ts", "../network/peer-link.ts", false],
    ["src/http/x.ts", "../core/operation.ts", true],
    ["src/http/x.ts", "../config/config.ts", false],
    ["src/cli/x.ts", "../compose.ts", true],
    ["src/compose.ts", "./cli/serve.ts", false],
    ["src/core/x.ts", "../system.ts", false],
    ["src/unknown/x.ts", "../base/assert.ts", false],
    ["test/unit/x.test.ts", "../../src/store/s3-store.ts", true],
  ];
  for (const [path, specifier, isAllowed] of cases) {
    const found = violations(path, `${header}import { x } from "${specifier}";\n`);
    assert.equal(found.length === 0, isAllowed, `${path} ${specifier}: ${found.join()}`);
  }
});

test("every way to import is seen", () => {
  for (const text of ['import "../cli/x.ts";', 'await import("../cli/x.ts");', 'export { x } from "../cli/x.ts";']) {
    assert.match(
      violations("src/core/x.ts", `${header}${text}\n`).join(),
      /src\/core must not import src\/cli\/x\.ts/,
      text,
    );
  }
});

test("a word like from before a string is no import", () => {
  assert.deepEqual(violations("src/core/x.ts", `${header}Buffer.from("../cli/x.ts");\n// from "../cli/x.ts"\n`), []);
});

test("an import that leaves out the file's ending is found", () => {
  assert.match(violations("test/unit/x.ts", `${header}import { x } from "../y";\n`).join(), /names the file/);
});

test("a part that must be deterministic is found importing disk, network or timers", () => {
  for (const name of ["node:fs", "node:fs/promises", "node:net", "node:timers/promises", "undici"]) {
    assert.equal(violations("src/core/x.ts", `${header}import { x } from "${name}";\n`).length, 1, name);
    assert.equal(violations("src/store/x.ts", `${header}import { x } from "${name}";\n`).length, 0, name);
  }
});

test("real time and real chance are found outside system.ts, tests and scripts", () => {
  const uses = [
    "Date.now()",
    "new Date()",
    "performance.now()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "Math.random()",
    "randomBytes(1)",
    "randomUUID()",
    "AbortSignal.timeout(1)",
  ];
  for (const use of uses) {
    assert.equal(violations("src/store/x.ts", `${header}${use};\n`).length, 1, use);
    for (const path of ["src/system.ts", "scripts/x.ts", "test/unit/x.test.ts"]) {
      assert.deepEqual(violations(path, `${header}${use};\n`), [], path);
    }
  }
  assert.deepEqual(
    violations("src/store/x.ts", `${header}socket.setTimeout(0);\nnew Date(0);\n// Date.now()\nlog("Date.now");\n`),
    [],
  );
});

test("a class or a function of more than 400 lines is found, and so is another file; a file of short ones may be longer", () => {
  const lines = "  a();\n".repeat(399);
  for (const head of ["class X", "export class X", "function x()", "export async function x()"]) {
    assert.match(violations("src/core/x.ts", `${header}${head} {\n${lines}}\n`).join(), /has 401 lines/);
    assert.deepEqual(violations("src/core/x.ts", `${header}${head} {\n${lines.slice(7)}}\n`), []);
  }
  assert.match(violations("scripts/x.sh", "\n".repeat(401)).join(), /has 401 lines/);
  assert.deepEqual(violations("src/core/x.ts", header + "const a = 1;\n".repeat(800)), []);
});

test("work that was put off is found, in scripts too", () => {
  const word = ["TO", "DO"].join("");
  assert.match(violations("src/core/x.ts", `${header}// ${word}: later\n`).join(), /do it/);
  assert.match(violations("scripts/x.sh", `# ${word}\n`).join(), /do it/);
});

test("scripts import of test/ the harness alone, and no test imports a script", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["scripts/x.ts", "../test/harness/steps.ts", true],
    ["scripts/x.ts", "../test/simulation/mutations.ts", false],
    ["scripts/x.ts", "../src/runtime-options.ts", true],
    ["scripts/build/x.ts", "./targets.ts", true],
    ["test/unit/x.test.ts", "../../scripts/build/targets.ts", false],
    ["test/harness/x.ts", "../simulation/mutations.ts", true],
    ["src/core/x.ts", "../../scripts/x.ts", false],
  ];
  for (const [path, specifier, isAllowed] of cases) {
    const found = violations(path, `${header}import { x } from "${specifier}";\n`);
    assert.equal(found.length === 0, isAllowed, `${path} ${specifier}: ${found.join()}`);
  }
});

test("files that import each other are found, however long the way round and if only for types", () => {
  const source = new Map([
    ["src/core/a.ts", 'import { b } from "./b.ts";'],
    ["src/core/b.ts", 'import type { C } from "../base/c.ts";'],
    ["src/base/c.ts", '// import { a } from "../core/a.ts";'],
  ]);
  assert.deepEqual(circleViolations(source), []);
  source.set("src/base/c.ts", 'import type { A } from "../core/a.ts";');
  source.set("src/core/d.ts", 'import { a } from "./a.ts";\nimport { b } from "./b.ts";');
  assert.deepEqual(circleViolations(source), [
    "src/base/c.ts: imports itself through others: src/base/c.ts, src/core/a.ts, src/core/b.ts",
  ]);
  source.set("src/core/e.ts", 'import { e } from "./e.ts";');
  assert.equal(circleViolations(source).length, 2);
});

test("two classes of one name are found, and a class that a comment or a string names is none", () => {
  const source = new Map([
    ["src/core/a.ts", "export class Look {}\n"],
    ["src/core/b.ts", "// class Look {}\nconst x = `\nclass Look {}`;\n"],
  ]);
  assert.deepEqual(classViolations(source), []);
  source.set("src/core/c.ts", "class Look {}\n");
  assert.match(classViolations(source).join(), /^src\/core\/c\.ts: has a class Look, like src\/core\/a\.ts/);
});

test("a comment that goes on past column 120 is found, and code or a lone address that does is left alone", () => {
  const long = "word ".repeat(30);
  const found = (text: string): string => violations("src/core/x.ts", `${header}${text}\n`).join();
  for (const text of [`// ${long}.`, `/**\n * ${long}.\n */`, `const x = 1; // ${long}.`]) {
    assert.match(found(text), /column 120/, text);
  }
  assert.equal(found(`const x = "${long}";`), "");
  assert.equal(found(`// https://example.org/${"x".repeat(120)}`), "");
});

test("a page that is not in the repository, or a section of one, is found where it is cited", () => {
  const pages = ["README.md", "docs/limits.md"];
  const found = (path: string, text: string): number => citationViolations(path, text, pages).length;
  assert.equal(found("src/x.ts", "// See docs/limits.md and README.md; a.limits.md\nconst x = blob.info.md;\n"), 1);
  assert.equal(found("src/x.ts", "/** See protocol.md. */\n"), 1);
  assert.equal(found("docs/limits.md", "See [the README](../README.md) and [there](https://example.org/other.md)."), 0);
  assert.equal(found("docs/limits.md", "See ../design/style.md."), 1);
  assert.equal(found("test/x.ts", `const breaks = "${String.fromCodePoint(0xa7)}3: the lease";\n`), 1);
});

test("default exports and barrels are found", () => {
  for (const text of ["export default 1;", 'export * from "./y.ts";', 'export { x } from "./y.ts";']) {
    assert.match(violations("src/core/x.ts", `${header}${text}\n`).join(), /no default exports and no barrels/, text);
  }
});

test("a test whose name is no sentence is found", () => {
  const found = (text: string): number => violations("test/unit/x.test.ts", `${header}${text}\n`).length;
  assert.equal(found('test("parser works", () => {});'), 1);
  assert.equal(found('it("works", () => {});'), 1);
  assert.equal(found('test("a parser refuses an empty text", () => {});'), 0);
  assert.equal(found('it("refuses empty text", () => {});'), 0);
});

test("paths of some machine and hosts of a registry are found in any file", () => {
  const home = ["", "home", "me"].join("/");
  const registry = ["registry", "example", "org"].join(".");
  for (const path of ["README.md", "package.json", "src/core/x.ts"]) {
    assert.match(violations(path, `${header}see ${home}/x\n`).join(), /path of some machine/);
    assert.match(violations(path, `${header}see https://${registry}/x\n`).join(), /package registry/);
  }
  assert.deepEqual(violations("README.md", "http://host/home/page and src/home/x\n"), []);
});

test("a lock file that says where packages came from is found", () => {
  const text = `{ "${["re", "solved"].join("")}": "https://example.org/x.tgz" }\n`;
  assert.match(violations("package-lock.json", text).join(), /where packages came from/);
});

test("a row of a setting in words of its own is found in any document", () => {
  assert.deepEqual(documentViolations("CHANGELOG.md", settingsTable()), []);
  const changed = documentViolations("docs/x.md", "| `buffer.waitMs` | `1` | Milliseconds to wait. |");
  assert.match(changed.join(), /has another row for buffer\.waitMs/);
});

test("a page of error codes that lacks a code, or has another status or advice, is found", () => {
  const page = readFileSync(join(root, "docs/errors.md"), "utf8");
  assert.deepEqual(errorsPageViolations(page), []);
  const [forClients = "", forOperators = ""] = page.split("## For operators");
  const cases: readonly (readonly [text: string, what: RegExp])[] = [
    [page.replace(/^\| `buffer_full` \| 503.*\n/m, ""), /needs one row for the code buffer_full/],
    [page.replace(/^\| `internal` \| 500/m, "| `internal` | 501"), /internal has the status 500/],
    [page.replace("Retry: the members have just changed.", "Retry."), /advises otherwise on wrong_view/],
    [page.replace("Mend the disk of the data folder", "Mend the disk"), /advises otherwise on disk_failed/],
    [page.replace("| `overloaded` | 503", "| `overlooked` | 503"), /there is no code overlooked/],
    [
      `${forClients}## For operators${forOperators.replace("`internal`", "")}`,
      /does not tell operators about internal/,
    ],
  ];
  for (const [text, what] of cases) assert.match(errorsPageViolations(text).join("\n"), what);
});

test("a README that is long, or has another figure than the benchmarks, is found", () => {
  const benchmarks = "| GET | 67,500/s (15 µs) | bare 85,900/s (11 µs) | 0.77 |\n";
  const readme = (row: string): string =>
    `# x\n\n## Speed\n\n| what | weir |\n| --- | --- |\n${row}\n\n## Other\n\n| a | b |\n`;
  const found = (text: string): string => readmeViolations(text, benchmarks).join("\n");
  assert.equal(found(readme("| GET | 67,500/s, 15 µs | bare 85,900/s |")), "");
  assert.match(found(readme("| GET | 67,501/s | bare 85,900/s |")), /another figure than 67,501$/);
  assert.match(found(readme("| GET | 67,5/s | |")), /another figure than 67,5$/);
  assert.match(found(readme("| PUT | 1/s | |")), /"PUT" is not in docs\/benchmarks\.md/);
  assert.match(found("# x\n"), /has no table/);
  assert.match(found(readme("| GET | 67,500/s | |") + "\n".repeat(140)), /has 15\d lines, at most 150/);
});

test("a document's sentence that is long is found, and so are sentences that are long on average", () => {
  const long = `${"word ".repeat(25)}end.`;
  assert.match(
    documentViolations("docs/x.md", `# x\n\nShort.\n\n- ${long}\n`).join(),
    /^docs\/x\.md:5: .* of 26 words/,
  );
  assert.match(documentViolations("docs/x.md", `| a | ${long} |\n`).join(), /of 26 words, at most 25/);
  assert.match(documentViolations("docs/x.md", `${"word ".repeat(16)}end.`).join(), /17\.0 words .* on average/);
  for (const text of [`> ${long}`, `\`\`\`\n${long}\n\`\`\``, `## ${long}`, "A short one. ".repeat(30)]) {
    assert.deepEqual(documentViolations("docs/x.md", `${text}\n`), []);
  }
});

test("sentences end at their full stops, not in numbers, links, code or at the end of a line", () => {
  const text =
    "A [link. Two](x.md) of\n1.7 KiB in `a. b c`. **Next?** Yes.\n1. Item\n2. Item\n\n| a cell | b |\n| --- | --- |\n";
  assert.deepEqual(
    sentencesOf(text).map(({ words, line, isInTable }) => [words, line, isInTable]),
    [
      [2, 1, false],
      [6, 1, false],
      [1, 1, false],
      [1, 1, false],
      [1, 3, false],
      [1, 4, false],
      [2, 6, true],
      [1, 6, true],
    ],
  );
  assert.equal(meanWords("One two. Three four five six.\n| a b c d e f g | h |\n"), 3);
});

test("a page of settings that is missing, or is not what the schema says, is found", () => {
  assert.deepEqual(settingsPageViolations(settingsPage()), []);
  for (const page of [undefined, settingsPage().replace("buffer.waitMs", "buffer.waitSeconds")]) {
    assert.match(settingsPageViolations(page).join(), /npm run settings/);
  }
});

test("comments, strings, templates and regular expressions are blanked in their place", () => {
  const dollar = "$";
  const text = `a('x'); // y\nb(\`p${dollar}{c("q")}r\`); /* s\n */ d(/[/'"]/g, 1 / 2 / 3);\n`;
  const code = blank(text, "code");
  assert.equal(code.length, text.length);
  assert.equal(code.replace(/ +/g, " "), "a( ); \nb( c( ) ); \n d( , 1 / 2 / 3);\n");
  assert.equal(blank("x = 1; // y 'z'\n'//w'", "strings"), `x = 1; ${" ".repeat(8)}\n'//w'`);
});
