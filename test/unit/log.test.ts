/** The log: what a line holds, in both forms. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { createLog, type LogSettings } from "../../src/log.ts";

/** A log and the lines written to it. */
function capture(
  settings: Partial<LogSettings>,
  isTerminal = false,
): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: createLog({ level: "info", format: "auto", ...settings }, destination, isTerminal), lines };
}

test("a log line is JSON off a terminal, with the fields of the log and of the line", () => {
  const { log, lines } = capture({});
  log.child({ node: "a" }).warn("flush failed", { key: "k" });
  const { time, ...rest } = JSON.parse(lines.join("")) as Record<string, unknown>;
  assert.deepEqual(rest, { level: "warn", node: "a", key: "k", msg: "flush failed" });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
});

test("a log drops lines below its level", () => {
  const { log, lines } = capture({ level: "warn" });
  log.info("nothing");
  log.debug("nothing");
  assert.deepEqual(lines, []);
});

test("a logged error shows its code and causes, and its stack at debug level only", () => {
  const cause = new Error("connection reset");
  const error = new OperatingError("store_unavailable", "no answer", { cause });
  const { log, lines } = capture({});
  log.error("flush failed", { error });
  assert.deepEqual((JSON.parse(lines.join("")) as { error: unknown }).error, {
    type: "OperatingError",
    code: "store_unavailable",
    message: "no answer",
    cause: { type: "Error", message: "connection reset" },
  });
  const verbose = capture({ level: "debug" });
  verbose.log.error("flush failed", { error });
  assert.match(verbose.lines.join(""), /"stack":"OperatingError: no answer/);
});

test("an error that causes itself is cut off", () => {
  const error = new Error("round");
  error.cause = error;
  const { log, lines } = capture({});
  log.error("failed", { error });
  assert.ok(lines.join("").length < 2_000);
});

test("a log line is readable on a terminal", () => {
  const { log, lines } = capture({}, true);
  log.info("listening", { url: "http://127.0.0.1:7070" });
  assert.match(lines.join(""), /listening.*127\.0\.0\.1:7070/);
  assert.throws(() => void JSON.parse(lines.join("")));
});

test("a process whose log can't be written any more goes on", { skip: !existsSync("/dev/full") }, async () => {
  const script = `
    import { createProcessLog } from ${JSON.stringify(import.meta.resolve("../../src/log.ts"))};
    const log = createProcessLog({ level: "info", format: "json" });
    for (let i = 0; i < 20_000; i++) log.info("line", { i, padding: "x".repeat(100) });
    setTimeout(() => process.exit(7), 10);
  `;
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", full, "pipe"] });
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  assert.deepEqual(await once(child, "close"), [7, null], errors);
  closeSync(full);
});

test("what strangers chose reaches no line as a character that a terminal acts on, in either form", () => {
  const hostile = "a\u001b[2J\u009b31m\u007f\u202eevil\u2066\u200f\u2028\r\nb";
  for (const format of ["json", "pretty"] as const) {
    const { log, lines } = capture({ format });
    const error = new OperatingError("store_refused", hostile, { cause: new Error(hostile) });
    log.child({ peer: hostile }).warn("refused", { key: hostile, nested: { key: hostile }, error });
    const text = lines.join("");
    // An error is shown on lines of its own.
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Bidi_Control}\u2028]/u, format);
    assert.match(text, /u202eevil/);
    if (format === "json") assert.equal((JSON.parse(text) as { key: string }).key, hostile);
  }
});
