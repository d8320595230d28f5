/**
 * What the documents say can be done: their links lead somewhere, and the commands, settings, files, variables, codes
 * and log lines that they name exist. And nothing is left out: what a user can ask for has its page.
 */

import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { createProgram } from "../../../src/cli/program.ts";
import { listSettings } from "../../../src/config/settings.ts";
import { protocolVersion } from "../../../src/network/link-handshake.ts";
import { commandMistake, projectFile, root } from "../../harness/deployment.ts";

const pages = globSync("docs/*.md", { cwd: root }).toSorted();
const paths = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...pages,
  ...globSync("docs/internals/*.md", { cwd: root }),
];
const documents = paths.map((path) => ({ path, text: projectFile(path) }));
const sources = globSync("src/**/*.ts", { cwd: root }).map(projectFile).join("\n");
const packageFile = JSON.parse(projectFile("package.json")) as Readonly<
  Record<"scripts" | "dependencies" | "devDependencies", Readonly<Record<string, string>>>
>;
const operations = projectFile("docs/operations.md");
const failures = projectFile("docs/failures.md");

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** For a regular expression. */
function escaped(text: string): string {
  return text.replaceAll(/[{}./?]/g, "\\$&");
}

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
    const names = [...text.matchAll(/\bnpm run ([a-z-]+)/g)].map(([, name]) => name as string);
    assert.deepEqual(
      names.filter((name) => packageFile.scripts[name] === undefined),
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

test("the metrics that the documents name are those that a node exposes", () => {
  const named = new Set(
    documents.flatMap(({ text }) => quoted(text).flatMap((code) => code.match(/^weir_[a-z_]+/g) ?? [])),
  );
  assert.ok(named.size > 5);
  assert.deepEqual(
    [...named].filter((name) => !sources.includes(`"${name}"`)),
    [],
  );
});

// The changelog tells of what was there once.
for (const { path, text } of documents.filter((each) => each.path !== "CHANGELOG.md")) {
  test(`the project's files that ${path} names exist`, () => {
    const named = quoted(text)
      .map((code) => code.replace(/^npx node (?:--test )?|^npm test -- /, ""))
      .filter((code) => /^(?:src|test|scripts|deploy|docs)\/[\w./*-]+$/.test(code));
    assert.deepEqual(
      named.filter((code) => globSync(code, { cwd: root }).length === 0),
      [],
    );
  });

  test(`the variables WEIR_ that ${path} names are read somewhere`, () => {
    const named = new Set(text.match(/\bWEIR_[A-Z_]+\b/g));
    const others = ["Dockerfile", "scripts/test.ts", "test/harness/bench/s3-servers.ts"];
    const readers = [sources, ...others.map(projectFile)].join("\n");
    assert.deepEqual(
      [...named].filter((name) => !readers.includes(name)),
      [],
    );
  });
}

for (const path of pages) {
  const lines = projectFile(path).trim().split("\n");

  test(`${path} says in its first line what it is for, and at its end where to read on`, () => {
    assert.match(lines[0] ?? "", /^# /);
    assert.match(lines[2] ?? "", /^This page /);
    assert.match(lines.at(-1) ?? "", /^Next: \[/);
  });

  test(`${path} is named in the README`, () => {
    assert.ok(projectFile("README.md").includes(`](${path})`));
  });
}

test("every command of weir is on the page of the command line", () => {
  const page = projectFile("docs/cli.md");
  const names = createProgram().commands.map((each) => each.name());
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\`weir ${name}\\b`).test(page)),
    [],
  );
});

test("every path of the interface is on the page of HTTP", () => {
  const page = projectFile("docs/http.md");
  const { paths: routes } = parse(projectFile("docs/openapi.yaml")) as { paths: Record<string, unknown> };
  assert.deepEqual(
    Object.keys(routes).filter(
      (route) => !quoted(page).some((code) => new RegExp(`(?:^| )${escaped(route)}/?(?:$|[?])`).test(code)),
    ),
    [],
  );
});

test("every package that the project depends on is on the page of dependencies", () => {
  const page = projectFile("docs/dependencies.md");
  const names = Object.keys({ ...packageFile.dependencies, ...packageFile.devDependencies });
  assert.deepEqual(
    names.filter((name) => !page.includes(name)),
    [],
  );
});

test("every npm script is in the guide for those who work on weir", () => {
  const guide = projectFile("CONTRIBUTING.md");
  const names = Object.keys(packageFile.scripts).filter((name) => !/^(?:pre|post)/.test(name));
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\bnpm (?:run )?${name}\\b`).test(guide)),
    [],
  );
});

function mentionMistake(name: string, rest: readonly string[]): string | undefined {
  const command = createProgram().commands.find((each) => each.name() === name);
  if (command === undefined) return `weir has no command ${name}`;
  const flags = rest.filter((each) => each.startsWith("--")).map((each) => each.split("=")[0] as string);
  const unknown = flags.filter((flag) => flag !== "--help" && !command.options.some((option) => option.long === flag));
  return unknown.length === 0 ? undefined : `weir ${name} has no option ${unknown.join(", ")}`;
}

test("the log lines that the page of failures explains are those that the program prints", () => {
  const section = failures.slice(failures.indexOf("## Log lines"));
  const messages = [...section.matchAll(/^\| "([^"]+)" \|/gm)].map(([, message]) => message as string);
  assert.ok(messages.length > 10);
  assert.deepEqual(
    messages.filter((message) => !sources.includes(message)),
    [],
  );
});

/** Calls of the log at a level, each with its message if that stands there. */
function logCalls(level: "error" | "warn"): readonly (string | undefined)[] {
  // What a complaint is about comes before its message.
  const call = `\\b(?:log\\.${level}\\(|complaints\\.${level}\\(\\s*(?:"[^"]*"|\`[^\`]*\`|code),)`;
  const messages = sources.matchAll(new RegExp(`${call}\\s*(?:["\`]([^"\`$]+)|[a-z]+\\b)`, "g"));
  return [...messages].map(([, message]) => message?.replace(/: $/, ""));
}

/** Messages that reach the log under a name: `giveUp`, for example, is called with them. */
const named = /(?:giveUp\(log,|#complain\(|joinAgain\(|const goneOn =)\s*"([^"]+)"/g;
const namedNearby = /const message =\s*"([^"]+)";\s*(?:this\.#context\.)?complaints\./g;

test("the page of failures explains each warning and each error of the log", () => {
  const explained = [...failures.matchAll(/^\| "([^"]+)" \|/gm)].map(([, message]) => message as string);
  const calls = [...logCalls("error"), ...logCalls("warn")];
  const others = [...sources.matchAll(named), ...sources.matchAll(namedNearby)].map(([, message]) => message as string);
  const messages = [...calls, ...others].filter((message) => message !== undefined);
  assert.ok(messages.length > 60);
  // `what`, `why` and `message`: their texts are the others.
  assert.equal(calls.filter((message) => message === undefined).length, 8);
  assert.deepEqual(
    messages.filter((message) => !explained.some((each) => message.startsWith(each))),
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
