/**
 * The configuration's file as a file: what editors put into it, what can't be read, and slips with the kind of store.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ConfigContext, parseConfig, readConfigFile } from "../../../src/config/config.ts";
import { readSecret } from "../../../src/config/secret.ts";
import { listSettings } from "../../../src/config/settings.ts";

const context: ConfigContext = {
  fileName: "cluster.json",
  folder: "/etc/weir",
  env: { WEIR_SECRET: "0123456789abcdef" },
  memoryBytes: 1024 ** 3,
  purpose: "member",
};

function textOf(store: unknown): string {
  const nodes = [{ id: "a", url: "http://127.0.0.1:7070" }];
  return JSON.stringify({ cluster: "photos", secret: "env:WEIR_SECRET", store, nodes });
}

test("a byte order mark in front, as some editors put it, is no mistake", () => {
  assert.equal(parseConfig(`\u{FEFF}${textOf({ type: "file", path: "store" })}`, context).cluster, "photos");
});

test("a folder in the file's place, or no file, is said in words", () => {
  assert.throws(() => readConfigFile(tmpdir()), { message: `can't read ${tmpdir()}: it is a folder` });
  const none = join(tmpdir(), "weir-none", "cluster.json");
  assert.throws(() => readConfigFile(none), { message: `can't read ${none}: there is no such file` });
});

test("a secret in a file is all of it but the line break at its end", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-secret-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [text, value] of [
    [" a secret \n", " a secret "],
    ["a secret\r\n", "a secret"],
    ["a secret\n\n", "a secret\n"],
  ] as const) {
    writeFileSync(join(folder, "secret"), text);
    assert.deepEqual(readSecret("file:secret", {}, folder), { value });
  }
});

test("a kind of store that there is not is told which there are, and a setting of another kind so", () => {
  const cases = [
    [{ type: "gcs", path: "x" }, /store\.type: must be "s3", "azure" or "file"$/],
    [{ path: "x" }, /store\.type: must be "s3", "azure" or "file"$/],
    [{ type: "file", path: "x", bucket: "y" }, /store\.bucket: no such setting with this type$/],
    [{ type: "file", pathh: "x", path: "y" }, /store\.pathh: no such setting; did you mean path\?$/],
  ] as const;
  for (const [store, expected] of cases)
    assert.throws(() => parseConfig(textOf(store), context), { message: expected });
});

test("a word that is none of those allowed is told which are, beside what else there may be", () => {
  const text = textOf({ type: "file", path: "x" }).replace(/}$/, ',"auth":"nne"}');
  assert.throws(() => parseConfig(text, context), { message: /auth: is text, must be "none" or an object \(/ });
});

test("a name that is there twice is a mistake, with its path and line, wherever it is", () => {
  const text = textOf({ type: "file", path: "x" });
  const twice = text
    .replace(/}$/, ',"replicas":1,\n"flush":{"delayMs":1,"delayMs":2},\n"r\\u0065plicas":2}')
    .replace('"id":"a"', '"id":"a","id":"a"');
  assert.throws(() => parseConfig(twice, context), {
    message:
      /has 3 mistakes:\n {2}nodes\[0\]\.id: is there twice.* line 1\n {2}flush\.delayMs: .* line 2\n {2}replicas: .* line 3$/,
  });
  const alike = text.replace(/}$/, ',"flush":{"delayMs":1},"http":{"cors":{"origins":["http://a","http://b"]}}}');
  assert.equal(parseConfig(alike, context).flush.delayMs, 1);
});

test("a number beyond all bounds is one mistake, and names the setting's own bound", () => {
  const text = textOf({ type: "file", path: "x" }).replace(/}$/, ',"replicas":1e99,"flush":{"delayMs":-1e99}}');
  assert.throws(() => parseConfig(text, context), {
    message: /has 2 mistakes:\n {2}replicas: .* at most 8 .*\n {2}flush\.delayMs: .* at least 0 /,
  });
});

test("the least that a bound on the age of values may be is said where the setting is described", () => {
  const setting = listSettings().find(({ path }) => path === "buffer.maxDirtyAgeMs");
  assert.match(setting?.description ?? "", /at least flush\.delayMs \+ flush\.deadlineMs/);
});
