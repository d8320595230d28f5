/** What the documents say can be done: their links lead somewhere, and the commands, settings, codes and log lines that they name exist. */

import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { errorKinds } from "../../../src/base/errors.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { listSettings } from "../../../src/config/settings.ts";
import { protocolVersion } from "../../../src/network/link-handshake.ts";
import { commandMistake, projectFile, root } from "../../harness/deployment.ts";

const paths = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: root })];
const documents = paths.map((path) => ({ path, text: projectFile(path) }));
const operations = projectFile("docs/operations.md");

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;

function prose(text: string): string {
  return text.replaceAll(fence, "");
}

/** What stands between backquotes in the prose. */
function quoted(text: string): string[] {
  return [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code as string);
}

/** Commands in the shell's fenced blocks, without comments, variables before them, pipes and what is redirected. */
function shellCommands(text: string): string[][] {
  const lines = [...text.matchAll(fence)]
    .filter(([, language]) => language === "sh")
    .flatMap(([, , body = ""]) => body.split("\n"));
  return lines
    .flatMap((line) => line.replace(/\s#.*$/, "").split(/\s(?:\||&&|;)\s/))
    .map((line) =>
      line
        .replace(/\s(?:<|>).*$/, "")
        .trim()
        .replace(/^(?:[A-Z_]+=\S*\s+)+/, "")
        .split(/\s+/),
    );
}

/** As GitHub makes a heading's anchor. */
function anchors(text: string): Set<string> {
  const headings = [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading as string);
  return new Set(
    headings.map((each) =>
      each
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function brokenLinks(path: string, text: string): string[] {
  const targets = [...prose(text).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);
  return targets.filter((target) => {
    if (/^https?:/.test(target)) return false;
    const [file = "", anchor] = target.split("#", 2);
    const resolved = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(root, resolved))) return true;
    return anchor !== undefined && !anchors(projectFile(resolved)).has(anchor);
  });
}

for (const { path, text } of documents) {
  test(`the links of ${path} lead to files and headings that there are`, () => {
    assert.deepEqual(brokenLinks(path, text), []);
  });

  test(`the commands of weir that ${path} names exist, with those options`, () => {
    const shell = shellCommands(text).filter(([program]) => program === "weir");
    // A name in the prose is no whole command; brackets and bars show what may be left out or chosen.
    const mentions = quoted(text)
      .filter((code) => /^weir [a-z]+\b(?![|…])/.test(code))
      .map((code) => code.split(/[\s[\]()]+/));
    const mistakes = [
      ...shell.map(([, ...args]) => commandMistake(args)),
      ...mentions.map(([, name = "", ...rest]) => mentionMistake(name, rest)),
    ];
    assert.deepEqual(
      mistakes.filter((each) => each !== undefined),
      [],
    );
  });

  test(`the npm scripts that ${path} names exist`, () => {
    const { scripts } = JSON.parse(projectFile("package.json")) as { scripts: Record<string, string> };
    const names = [...text.matchAll(/\bnpm run ([a-z-]+)/g)].map(([, name]) => name as string);
    assert.deepEqual(
      names.filter((name) => scripts[name] === undefined),
      [],
    );
  });

  test(`the settings that ${path} names exist`, () => {
    const known = listSettings().map((each) => each.path);
    const groups = new Set(known.filter((each) => each.includes(".")).map((each) => each.split(".")[0] as string));
    const named = quoted(text).filter(
      (code) => /^[a-z]+(?:\[\])?(?:\.[a-zA-Z]+(?:\[\])?)+$/.test(code) && groups.has(code.split(".")[0] as string),
    );
    assert.deepEqual(
      named.filter(
        (code) =>
          !known.some((each) => each === code || each.startsWith(`${code}.`) || each.startsWith(`${code}[]`)) &&
          !existsSync(join(root, "src", code)),
      ),
      [],
    );
  });
}

function mentionMistake(name: string, rest: readonly string[]): string | undefined {
  const command = createProgram().commands.find((each) => each.name() === name);
  if (command === undefined) return `weir has no command ${name}`;
  const flags = rest.filter((each) => each.startsWith("--")).map((each) => each.split("=")[0] as string);
  const unknown = flags.filter((flag) => flag !== "--help" && !command.options.some((option) => option.long === flag));
  return unknown.length === 0 ? undefined : `weir ${name} has no option ${unknown.join(", ")}`;
}

test("the operations guide says for every error code what an operator does", () => {
  const missing = Object.keys(errorKinds).filter((code) => !operations.includes(`\`${code}\``));
  assert.deepEqual(missing, []);
});

test("the log lines that the operations guide explains are those that the program prints", () => {
  const sources = globSync("src/**/*.ts", { cwd: root }).map(projectFile).join("\n");
  const section = operations.slice(operations.indexOf("## Log lines"));
  const messages = [...section.matchAll(/^\| "([^"]+)" \|/gm)].map(([, message]) => message as string);
  assert.ok(messages.length > 10);
  assert.deepEqual(
    messages.filter((message) => !sources.includes(message)),
    [],
  );
});

test("the changelog names the version of the peer protocol, by which a rolling upgrade is possible or not", () => {
  const [, topmost = ""] = projectFile("CHANGELOG.md").split(/^## /m);
  assert.match(topmost, new RegExp(`Peer protocol: version ${protocolVersion}\\b`), "raised: say so in CHANGELOG.md");
});

/** What the store client sends, by a trace of it in its source. */
const rights: readonly (readonly [action: string, trace: RegExp])[] = [
  ["s3:GetObject", /method: "GET"/],
  ["s3:PutObject", /method: "PUT"/],
  ["s3:DeleteObject", /method: "DELETE"/],
  ["s3:ListBucket", /"list-type"/],
  ["s3:AbortMultipartUpload", /method: "DELETE", key, query: \[\["uploadId"/],
  ["s3:ListBucketMultipartUploads", /\[\["uploads", ""\], \["prefix"/],
  ["s3:ListMultipartUploadParts", /"part-number-marker"|"max-parts"/],
];

test("the rights that the operations guide has for S3 are those that the store client needs, and no others", () => {
  const policies = [...operations.matchAll(fence)]
    .filter(([, language]) => language === "json")
    .map(([, , body = ""]) => JSON.parse(body) as { Statement?: { Action: string[] }[] });
  const actions = policies.flatMap(({ Statement = [] }) => Statement).flatMap(({ Action }) => Action);
  const client = globSync("src/store/s3/*.ts", { cwd: root }).map(projectFile).join("\n");
  assert.deepEqual(
    actions.toSorted(),
    rights
      .filter(([, trace]) => trace.test(client))
      .map(([action]) => action)
      .toSorted(),
  );
});
