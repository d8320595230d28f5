/** A file that is watched while it changes in every way in which people and programs change files. */

import assert from "node:assert/strict";
import fs, { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, sleep } from "../../../src/base/clock.ts";
import { FileWatch } from "../../../src/config/file-watch.ts";
import { systemClock } from "../../../src/system.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { hangMs, patienceMs } from "../../harness/patience.ts";
import { within } from "../../harness/within.ts";

/** Longer than any test: what is seen then was told by the system. */
const neverMs = 3_600_000;

const timeout = hangMs;

interface Watched {
  readonly folder: string;
  readonly watch: FileWatch;
  /** The contents told so far, and `-` for each time that it could not be read. */
  readonly told: string[];
  /** Resolves when so many have been told. */
  readonly until: (count: number) => Promise<void>;
}

function watched(t: TestContext, pollMs: number, prepare: (folder: string) => string): Watched {
  const folder = mkdtempSync(join(tmpdir(), "weir-watch-"));
  const path = prepare(folder);
  const told: string[] = [];
  let wake = (): void => undefined;
  const tell = (text: string): void => {
    told.push(text);
    wake();
  };
  const onChange = (text: string): boolean => {
    tell(text);
    return text !== "refused";
  };
  const observer = { onChange, onUnreadable: () => tell("-") };
  const watch = new FileWatch({ path, text: "0", clock: systemClock, pollMs, observer });
  t.after(() => {
    watch[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    watch,
    told,
    until: async (count) => {
      while (told.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function plain(folder: string): string {
  const path = join(folder, "cluster.json");
  writeFileSync(path, "0");
  return path;
}

test("a file that is written in place, replaced by renaming, or removed and made again is told each time", {
  timeout,
}, async (t) => {
  const { folder, told, until } = watched(t, neverMs, plain);
  const path = join(folder, "cluster.json");
  writeFileSync(path, "1");
  await until(1);
  writeFileSync(join(folder, "new"), "2");
  renameSync(join(folder, "new"), path);
  await until(2);
  unlinkSync(path);
  await until(3);
  writeFileSync(path, "3");
  await until(4);
  assert.deepEqual(told, ["1", "2", "-", "3"]);
});

test("a file behind a link that is swapped beside it, as Kubernetes does, is told", { timeout }, async (t) => {
  const { folder, told, until } = watched(t, neverMs, (root) => {
    for (const version of ["0", "1"]) {
      mkdirSync(join(root, `..${version}`));
      writeFileSync(join(root, `..${version}`, "cluster.json"), version);
    }
    symlinkSync("..0", join(root, "..data"));
    symlinkSync("..data/cluster.json", join(root, "cluster.json"));
    return join(root, "cluster.json");
  });
  symlinkSync("..1", join(folder, "..next"));
  renameSync(join(folder, "..next"), join(folder, "..data"));
  await until(1);
  assert.deepEqual(told, ["1"]);
});

test("a change that the system does not tell of, in another folder that a link names, is found by looking", {
  timeout,
}, async (t) => {
  const { folder, told, until } = watched(t, 50, (root) => {
    for (const name of ["real", "linked"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "real", "cluster.json"), "0");
    symlinkSync("../real/cluster.json", join(root, "linked", "cluster.json"));
    return join(root, "linked", "cluster.json");
  });
  writeFileSync(join(folder, "real", "cluster.json"), "1");
  await until(1);
  assert.deepEqual(told, ["1"]);
});

test("a file that changed before the watch began is told, since the caller says what it knows", {
  timeout,
}, async (t) => {
  const { told, until } = watched(t, 50, (folder) => {
    const path = plain(folder);
    writeFileSync(path, "1");
    return path;
  });
  await until(1);
  assert.deepEqual(told, ["1"]);
});

test("other files beside it and its own content written again are not told, but reading it again on demand is", {
  timeout,
}, async (t) => {
  const { folder, watch, told } = watched(t, 20, plain);
  writeFileSync(join(folder, "other"), "x");
  writeFileSync(join(folder, "cluster.json"), "0");
  await sleep(systemClock, 300);
  assert.deepEqual(told, []);
  await watch.reread();
  assert.deepEqual(told, ["0"]);
});

test("a file that stays away is told once, and once more on demand", { timeout }, async (t) => {
  const { folder, watch, told, until } = watched(t, 20, plain);
  unlinkSync(join(folder, "cluster.json"));
  await until(1);
  await sleep(systemClock, 200);
  assert.deepEqual(told, ["-"]);
  await watch.reread();
  assert.deepEqual(told, ["-", "-"]);
});

test("a file that is back as it was, and goes away again, is told to be away each time", { timeout }, async (t) => {
  const { folder, told, watch } = watched(t, neverMs, plain);
  const path = join(folder, "cluster.json");
  unlinkSync(path);
  await watch.reread();
  writeFileSync(path, "0");
  await watch.reread();
  unlinkSync(path);
  // Not on demand, which is always answered.
  for (const end = told.length + 1; told.length < end; ) await sleep(systemClock, 10);
  assert.deepEqual(told.slice(-2), ["0", "-"]);
});

test("a file that was away and is back as it was is told, or it would be taken for away", { timeout }, async (t) => {
  const { folder, told, until } = watched(t, neverMs, plain);
  const path = join(folder, "cluster.json");
  unlinkSync(path);
  await until(1);
  writeFileSync(path, "0");
  await until(2);
  assert.deepEqual(told, ["-", "0"]);
});

test("a change is told once, however often it is looked at", { timeout }, async (t) => {
  const { folder, told, until } = watched(t, 20, plain);
  writeFileSync(join(folder, "cluster.json"), "1");
  await until(1);
  await sleep(systemClock, 300);
  assert.deepEqual(told, ["1"]);
});

test("a file that is watched no more leaves no timer behind", { timeout }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-watch-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = plain(folder);
  const clock = new ManualClock();
  const observer = { onChange: () => true, onUnreadable: () => undefined };
  // Disposed of after the sign of a change and before the look; and during a look that time gave rise to.
  for (const passedMs of [0, 5_000]) {
    const watch = new FileWatch({ path, text: "0", clock, observer });
    writeFileSync(join(folder, "other"), "x");
    await sleep(systemClock, 100);
    clock.advance(passedMs);
    watch[Symbol.dispose]();
    await sleep(systemClock, 100);
    assert.ok(clock.idle, `${passedMs}`);
  }
});

test("nothing is told of a file that is watched no more", { timeout }, async (t) => {
  const { folder, watch, told } = watched(t, 20, plain);
  const reading = watch.reread();
  watch[Symbol.dispose]();
  writeFileSync(join(folder, "cluster.json"), "1");
  await reading;
  await sleep(systemClock, 200);
  assert.deepEqual(told, []);
});

test("the folder of a file that is watched no more is watched no more either", { timeout }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-watch-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = plain(folder);
  let timers = 0;
  const clock: Clock = {
    ...systemClock,
    after: (ms, callback) => {
      timers++;
      return systemClock.after(ms, callback);
    },
  };
  const observer = { onChange: () => true, onUnreadable: () => undefined };
  const watch = new FileWatch({ path, text: "0", clock, pollMs: neverMs, observer });
  const asked = timers;
  writeFileSync(join(folder, "other"), "x");
  while (timers === asked) await sleep(systemClock, 10);
  // The look that this gave rise to is over.
  await sleep(systemClock, 300);
  watch[Symbol.dispose]();
  const left = timers;
  writeFileSync(join(folder, "other"), "y");
  await sleep(systemClock, 300);
  assert.equal(timers, left);
});

test("of two looks at once, as at a file server that hangs, one waits for the other", { timeout }, async (t) => {
  const { promises } = fs;
  const { readFile } = promises;
  const reads: ((text: string) => void)[] = [];
  const replace = (by: typeof readFile): void => {
    promises.readFile = by;
    syncBuiltinESMExports();
  };
  t.after(() => replace(readFile));
  const { watch, told } = watched(t, neverMs, plain);
  replace((() => new Promise((resolve) => reads.push(resolve))) as typeof readFile);
  const first = watch.reread();
  const second = watch.reread();
  await sleep(systemClock, 20);
  assert.equal(reads.length, 1);
  reads[0]?.("1");
  await first;
  await sleep(systemClock, 20);
  reads[1]?.("2");
  await second;
  assert.deepEqual(told, ["1", "2"]);
});

test("a content that the observer does not take is told again with each look, until it takes one", {
  timeout,
}, async (t) => {
  const { folder, watch, told, until } = watched(t, 20, plain);
  writeFileSync(join(folder, "cluster.json"), "refused");
  assert.notEqual(await within(until(3), patienceMs(2_000)), "nothing", "it is told again");
  assert.deepEqual(told.slice(0, 3), ["refused", "refused", "refused"]);
  writeFileSync(join(folder, "cluster.json"), "taken");
  while (told.at(-1) !== "taken") await until(told.length + 1);
  const count = told.length;
  await watch.reread();
  assert.equal(told.length, count + 1, "only what was asked for");
});
