/** The log: what a line holds, in both forms. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { createLog, type LogSettings } from "../../src/log.ts";
import { hangMs } from "../harness/patience.ts";

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

/** A process that has `log`, and runs `body`. */
function logging(body: string, stdout: number | "pipe"): ChildProcess {
  const script = `
    import { createProcessLog } from ${JSON.stringify(import.meta.resolve("../../src/log.ts"))};
    import { backgroundClock } from ${JSON.stringify(import.meta.resolve("../../src/system.ts"))};
    const log = createProcessLog({ level: "info", format: "json" }, backgroundClock, { node: "a" });
    const padding = "x".repeat(100);
    ${body}
  `;
  const stdio = ["ignore", stdout, "pipe"] as const;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: [...stdio],
    timeout: hangMs / 2,
    killSignal: "SIGKILL",
  });
}

async function textOf(stream: Readable | null): Promise<string> {
  return (await (stream as Readable).toArray()).join("");
}

/** The first that comes, or nothing at its end. */
async function wordOf(stream: Readable | null): Promise<string> {
  await once(stream as Readable, "readable");
  return String(stream?.read() ?? "");
}

test("a process whose log can't be written any more goes on", { skip: !existsSync("/dev/full") }, async () => {
  const full = openSync("/dev/full", "w");
  const child = logging(
    `for (let i = 0; i < 20_000; i++) log.info("line", { i, padding });
    setTimeout(() => process.exit(7), 10);`,
    full,
  );
  const errors = textOf(child.stderr);
  assert.deepEqual(await once(child, "close"), [7, null], await errors);
  closeSync(full);
});

test("a process whose log is not read goes on, and tells later how many lines it has dropped", async () => {
  const count = 60_000;
  const child = logging(
    `for (let i = 0; i < ${count}; i++) log.info("line", { i, padding });
    process.stderr.write("goes on");
    setTimeout(() => {}, 1_500);`,
    "pipe",
  );
  assert.equal(await wordOf(child.stderr), "goes on");
  const lines = (await textOf(child.stdout)).trimEnd().split("\n");
  const all = lines.map((line) => JSON.parse(line) as { i?: number; node: string; lines?: number; msg: string });
  const seen = all.flatMap(({ i }) => i ?? []);
  const told = all.filter(({ i }) => i === undefined);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.deepEqual([seen[0], seen.at(-1)], [0, count - 1]);
  assert.match(told[0]?.msg ?? "", /dropped/);
  assert.deepEqual([told.length, told[0]?.node, told[0]?.lines], [1, "a", count - seen.length]);
});

test("a process that ends waits for who reads its last lines, and not for long where nobody does", async () => {
  const body = `for (let i = 0; i < 5_000; i++) log.info("line", { i, padding });
    process.stderr.write("ends");
    process.exit(7);`;
  const [read, unread] = [logging(body, "pipe"), logging(body, "pipe")];
  const ended = once(unread, "exit");
  assert.equal(await wordOf(read.stderr), "ends");
  assert.match(await textOf(read.stdout), /"i":4999,"padding":"x+","msg":"line"\}\n$/);
  assert.deepEqual(await ended, [7, null]);
  unread.stdout?.destroy();
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
