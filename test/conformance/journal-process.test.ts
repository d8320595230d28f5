/** The journal in real processes: killed without warning, two on one folder, and on a disk that is full (J9). */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { isOperatingError } from "../../src/base/errors.ts";
import type { Entry } from "../../src/core/entry.ts";
import { openFileDisk } from "../../src/journal/file-disk.ts";
import { openJournal } from "../../src/journal/file-journal.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { RecordedLog } from "../harness/recorded-log.ts";

const child = join(import.meta.dirname, "journal-child.ts");

function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "weir-journal-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Run {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Resolves once a line matches, or there are no more. */
  until(pattern: RegExp): Promise<string | undefined>;
  readonly ended: Promise<number | null>;
}

function run(test: TestContext, folder: string, command: string): Run {
  const started = spawn(process.execPath, [child, folder, command], { stdio: ["ignore", "pipe", "inherit"] });
  test.after(() => started.kill("SIGKILL"));
  const lines: string[] = [];
  const reader = createInterface({ input: started.stdout });
  reader.on("line", (line) => lines.push(line));
  const closed = once(reader, "close");
  const ended = once(started, "close").then(([code]) => code as number | null);
  return {
    process: started,
    lines,
    ended,
    async until(pattern) {
      for (;;) {
        const found = lines.find((line) => pattern.test(line));
        if (found !== undefined) return found;
        const isClosed = await Promise.race([once(reader, "line").then(() => false), closed.then(() => true)]);
        if (isClosed) return lines.find((line) => pattern.test(line));
      }
    },
  };
}

async function recover(folder: string): Promise<readonly Entry[]> {
  const journal = await openJournal({
    disk: await openFileDisk(folder, systemRandom),
    clock: systemClock,
    log: new RecordedLog(),
    settings: { segmentBytes: 128 * 1024, liveLimitBytes: 8 * 1024 * 1024 },
    onFailed: (error) => {
      throw error;
    },
  });
  const { entries } = journal.recovered;
  await journal[Symbol.asyncDispose]();
  return [...entries];
}

test("after kill -9, again and again, everything that was durable is there and nothing that was cleaned", async (test) => {
  const folder = temporaryFolder(test);
  const states = new Map<string, { seq: number; state: string }>();
  for (let round = 0; round < 8; round += 1) {
    const writer = run(test, folder, "write");
    await writer.until(/^durable key-3-/);
    await new Promise((resolve) => {
      setTimeout(resolve, 40 * round);
    });
    writer.process.kill("SIGKILL");
    await writer.ended;
    assert.ok(writer.lines.length > 0);
    for (const line of writer.lines) {
      const [what, key = "", digits] = line.split(" ");
      assert.match(line, /^(?:durable|cleaning|cleaned) key-\d-\d+ \d+$/);
      const seq = Number(digits);
      const before = states.get(key);
      if (before === undefined || before.seq <= seq) states.set(key, { seq, state: what as string });
    }
    const found = new Map((await recover(folder)).map((entry) => [entry.key, entry]));
    for (const [key, { seq, state }] of states) {
      const entry = found.get(key);
      // What came after it may have become durable without anybody having been told.
      if (state === "durable" && entry === undefined) assert.fail(`round ${round}: ${key} ${seq} is lost`);
      if (state === "cleaned" && entry !== undefined)
        assert.ok(entry.seq > seq, `round ${round}: ${key} ${seq} is back`);
      if (entry !== undefined) assert.ok(entry.seq >= seq, `round ${round}: ${key} has ${entry.seq}, not ${seq}`);
      const text = entry?.value?.toString() ?? "";
      assert.equal(text, `value of ${key} `.repeat(text.length / `value of ${key} `.length));
    }
    for (const [key, entry] of found) states.set(key, { seq: entry.seq, state: "durable" });
    for (const key of states.keys()) if (!found.has(key)) states.delete(key);
  }
});

test("a second process on a data folder is refused, and told which folder and what to do; after a kill -9 it is not", async (test) => {
  const folder = temporaryFolder(test);
  const first = run(test, folder, "hold");
  assert.equal(await first.until(/^held$/), "held");
  const second = run(test, folder, "hold");
  const refusal = await second.until(/./);
  assert.match(refusal ?? "", /^refused another process uses the data folder .*weir-journal-.*: give each node/);
  assert.equal(await second.ended, 2);
  await assert.rejects(openFileDisk(folder, systemRandom), (error) => isOperatingError(error, "config_invalid"));
  first.process.kill("SIGKILL");
  await first.ended;
  const third = run(test, folder, "hold");
  assert.equal(await third.until(/./), "held");
  third.process.kill("SIGKILL");
  await third.ended;
});

test("two owners in one process do not share a data folder, until the first lets it go", async (test) => {
  const folder = temporaryFolder(test);
  const disk = await openFileDisk(folder, systemRandom);
  await assert.rejects(openFileDisk(folder, systemRandom), (error) => isOperatingError(error, "config_invalid"));
  // The refused try has not cost the first its lock, as closing a file does with locks of its kind.
  assert.match((await run(test, folder, "hold").until(/./)) ?? "", /^refused another process/);
  await disk[Symbol.asyncDispose]();
  const again = await openFileDisk(folder, systemRandom);
  assert.equal(again.folder, disk.folder);
  await again[Symbol.asyncDispose]();
});

test("a full disk ends the journal with a message that says what to do, and what was durable is there afterwards", async (test) => {
  const folder = temporaryFolder(test);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
  if (mounted.status !== 0) {
    test.skip(`a small file system can't be mounted here: ${mounted.stderr?.toString().trim() ?? mounted.error}`);
    return;
  }
  try {
    const filling = run(test, folder, "fill");
    const failure = await filling.until(/^failed/);
    assert.match(failure ?? "", /^failed the disk of the data folder .* is full .*: make room there/);
    assert.equal(await filling.ended, 3);
    const durable = filling.lines.filter((line) => line.startsWith("durable")).map((line) => line.split(" ")[1]);
    assert.ok(durable.length > 10);
    const found = new Set((await recover(folder)).map(({ key }) => key));
    for (const key of durable) assert.ok(found.has(key as string), `${key} is lost`);
  } finally {
    spawnSync("umount", [folder]);
  }
});

test("a data folder that can't be written is refused with a message that says what to do", async (test) => {
  if (process.getuid?.() === 0) {
    test.skip("root may write everywhere");
    return;
  }
  const folder = temporaryFolder(test);
  chmodSync(folder, 0o500);
  await assert.rejects(
    openFileDisk(join(folder, "data"), systemRandom),
    /can't be written .* give weir's user the right/,
  );
  await assert.rejects(openFileDisk(folder, systemRandom), /can't be written .* give weir's user the right/);
});

test("a data folder is made with all that is above it", async (test) => {
  const folder = join(temporaryFolder(test), "a", "b", "c");
  assert.deepEqual(await recover(folder), []);
});

test("a data folder whose name is gone or damaged is refused", async (test) => {
  const folder = temporaryFolder(test);
  await recover(folder);
  await writeFile(join(folder, "folder"), "0123\n");
  await assert.rejects(openFileDisk(folder, systemRandom), /folder is damaged/);
  await rm(join(folder, "folder"));
  await assert.rejects(openFileDisk(folder, systemRandom), /folder is missing beside journal-0/);
});
