/** `weir ls`, `import` and `export` as processes, against a cluster of processes. */

import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { asideFolder } from "../../src/store/folder/file-names.ts";
import { FolderCopy } from "../../src/store/folder/folder-copy.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { TestCluster } from "../harness/cluster.ts";
import { type Outcome, weir as runWeir } from "../harness/command.ts";
import { setStage } from "../harness/stage.ts";

/** Keys that no file name, or no file beside the others, can be; one is too long for a path. */
const hostile = [
  "a",
  "a/b",
  "a//b",
  "../up",
  "x/./y",
  "tab\tnew\nline",
  "100%",
  "back\\slash",
  "ü/\u{1F600}",
  "n".repeat(1000),
];

interface Summary {
  readonly copied: number;
  readonly copiedBytes: number;
  readonly same: number;
  readonly gone: number;
  readonly failed: number;
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
}

describe("the command line, with many values", () => {
  const stage = setStage(async (stack) => {
    const folder = mkdtempSync(join(tmpdir(), "weir-copy-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    return { cluster: stack.use(await TestCluster.start()), folder };
  });

  function weir(...args: readonly string[]): Promise<Outcome> {
    const { cluster, folder } = stage();
    return runWeir([...args, "--url", cluster.url("a")], { cwd: folder });
  }

  /** Runs a copy that is to work; by all nodes. */
  async function copied(...args: readonly string[]): Promise<Summary> {
    const { cluster, folder } = stage();
    const outcome = await runWeir([...args, "--json", "--config", cluster.configPath], {
      cwd: folder,
      env: { WEIR_TEST_SECRET: "x".repeat(32) },
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    return JSON.parse(outcome.stdout) as Summary;
  }

  function file(path: string, content: string | Buffer): void {
    const full = join(stage().folder, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  test("ls prints all keys over several pages, and folders at a delimiter", async () => {
    const { cluster } = stage();
    const keys = Array.from({ length: 1_203 }, (_, n) => `ls/${String(n).padStart(4, "0")}${n % 3 === 0 ? "/x" : ""}`);
    for (let n = 0; n < keys.length; n += 100)
      await Promise.all(keys.slice(n, n + 100).map((key) => cluster.store("b", key, "v")));
    const all = await weir("ls", "ls/");
    assert.deepEqual([all.code, all.stderr], [0, ""]);
    assert.deepEqual(all.stdout.split("\n"), [...keys, ""]);
    const { stdout } = await weir("ls", "ls/", "--delimiter", "/");
    assert.deepEqual(
      stdout.trimEnd().split("\n"),
      keys.map((key) => key.replace(/x$/, "")),
    );
    const json = (await weir("ls", "ls/000", "--json")).stdout.trimEnd().split("\n");
    assert.deepEqual(Object.keys(JSON.parse(json[0] as string) as object), ["key", "size", "etag", "lastModified"]);
    assert.match((await weir("ls", "ls/0001", "-l")).stdout, /^ +1 B {2}20.*Z {2}[0-9a-f]{32} {2}ls\/0001\n$/);
  });

  test("ls quotes keys that a terminal would act on, and says when there is no cluster", async () => {
    const { cluster } = stage();
    await cluster.put("a", "quoted/\u001b[31m\n\u009b", "v");
    await cluster.put("a", "turned/\u202egnp.exe", "v");
    assert.equal((await weir("ls", "quoted/")).stdout, '"quoted/\\u001b[31m\\n\\u009b"\n');
    assert.equal((await weir("ls", "turned/")).stdout, '"turned/\\u202egnp.exe"\n');
    assert.match((await weir("ls", "turned/", "--json")).stdout, /"turned\/\\u202egnp\.exe"/);
    const nowhere = await runWeir(["ls", "--url", "http://127.0.0.1:1"]);
    assert.deepEqual([nowhere.code, nowhere.stdout], [1, ""]);
    assert.match(nowhere.stderr, /nothing listens there/);
  });

  test("import stores every file under its path, export brings them back, and a second run of each copies nothing", async () => {
    const { cluster, folder } = stage();
    const large = Buffer.alloc(3_000_000, "large");
    for (const [path, content] of [
      ["one", "1"],
      ["sub/two", "22"],
      ["sub/deep/three", large],
      ["empty", ""],
      ["100%25", "%"],
      ["a b+c?#", "odd"],
    ] as const)
      file(`in/${path}`, content);
    symlinkSync("one", join(folder, "in/link"));
    symlinkSync("sub", join(folder, "in/folder-link"));
    const first = await copied("import", "in", "--prefix", "import/", "--type", "auto");
    assert.deepEqual(
      [first.copied, first.same, first.failed, first.copiedBytes],
      [7, 0, 0, 1 + 2 + 3_000_000 + 0 + 1 + 3 + 1],
    );
    for (const [key, content] of [
      ["one", "1"],
      ["link", "1"],
      ["100%25", "%"],
      ["a b+c?#", "odd"],
      ["empty", ""],
    ] as const) {
      const answer = await cluster.get("c", `import/${key}`);
      assert.equal(answer.body.toString(), content);
      assert.equal(answer.headers["content-type"], "application/octet-stream");
    }
    assert.deepEqual((await copied("import", "in", "--prefix", "import/")).same, 7);
    file("in/one", "2");
    const again = await copied("import", "in", "--prefix", "import/");
    assert.deepEqual([again.copied, again.same], [2, 5], "the file that has changed, and the link to it");

    const out = await copied("export", "out", "--prefix", "import/");
    assert.deepEqual([out.copied, out.same], [7, 0]);
    assert.equal(readFileSync(join(folder, "out/one"), "utf8"), "2");
    assert.ok(readFileSync(join(folder, "out/sub/deep/three")).equals(large));
    assert.deepEqual((await copied("export", "out", "--prefix", "import/")).same, 7);
    file("out/one", "3");
    await cluster.remove("a", "import/empty");
    const resumed = await copied("export", "out", "--prefix", "import/");
    assert.deepEqual([resumed.copied, resumed.same], [1, 5]);
    assert.equal(readFileSync(join(folder, "out/one"), "utf8"), "2");
    assert.ok(existsSync(join(folder, "out/empty")), "what is gone from the cluster stays in the folder");
  });

  test("any key, with its headers, survives an export and an import under another prefix", async () => {
    const { cluster } = stage();
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "max-age=9",
      "x-weir-meta-owner": "ada",
    };
    for (const key of hostile) {
      const put = await cluster.put("a", `odd/${key}`, `of ${key}`, key.length % 2 === 0 ? headers : {});
      assert.equal(put.status, 204, put.body.toString());
    }
    assert.equal((await copied("export", "odd", "--prefix", "odd/")).copied, hostile.length);
    assert.equal((await copied("export", "odd", "--prefix", "odd/")).same, hostile.length);
    assert.equal((await copied("import", "odd", "--prefix", "back/")).copied, hostile.length);
    assert.equal((await copied("import", "odd", "--prefix", "back/")).same, hostile.length);
    for (const key of hostile) {
      const { status, body, headers: kept } = await cluster.get("b", `back/${key}`);
      assert.deepEqual([status, body.toString()], [200, `of ${key}`], key);
      const expected = key.length % 2 === 0 ? headers : { "content-type": "application/octet-stream" };
      for (const [name, value] of Object.entries(expected)) assert.equal(kept[name], value, `${key}: ${name}`);
    }
  });

  test("import leaves out what S3 alone keeps with a value, of a folder that was a store", async () => {
    const { cluster, folder } = stage();
    const files = new FolderCopy(join(folder, "store"), { clock: systemClock, random: systemRandom });
    const headers = {
      "x-weir-meta-owner": "ada",
      "x-weir-meta-s3-checksum": "crc32 rLKcag==",
      "x-weir-meta-s3-parts": "1*1",
    };
    await files.prepare();
    await files.put("a", Readable.from([Buffer.from("1")]), { headers, etag: "other" }, () => undefined);
    assert.equal((await copied("import", "store", "--prefix", "stored/")).copied, 1);
    const { status, body, headers: kept } = await cluster.get("b", "stored/a");
    assert.deepEqual([status, body.toString(), kept["x-weir-meta-owner"]], [200, "1", "ada"]);
  });

  test("what fails is told at the end, and holds up nothing else", async () => {
    const { folder } = stage();
    file("some/fine", "x");
    file(`some/${"long/".repeat(250)}name`, "x");
    file("some/.weirdo", "x");
    const { code, stdout, stderr } = await weir("import", "some", "--prefix", "fails/");
    assert.equal(code, 1);
    assert.match(stdout, /^2 copied \(2 B\), 0 were the same, 1 failed, in /);
    assert.match(stderr, /name": its key would have 1260 bytes, more than 1024\n/);
    assert.match(stderr, /the same command again goes on/);
    const json = await weir("import", "some", "--prefix", "fails/", "--json");
    assert.equal(json.code, 1);
    const { same, failed, failures } = JSON.parse(json.stdout) as Summary;
    assert.deepEqual([same, failed, failures.length], [2, 1, 1]);
    const nowhere = await weir("import", "nowhere");
    assert.deepEqual([nowhere.code, nowhere.stderr], [1, `weir: there is no folder ${join(folder, "nowhere")}\n`]);
    assert.equal((await weir("import", "some", "--parallel", "0")).code, 2);
    // A file where the folder should be.
    assert.ok(statSync(join(folder, "some/fine")).isFile());
    assert.match((await weir("export", "some/fine")).stderr, /can't be used/);
  });

  test("export tells a key whose rest would lie among weir's own files, from where import would not bring it back", async () => {
    const { cluster } = stage();
    await cluster.put("a", "own/y", "x");
    // No client can put these: another program has.
    for (const key of ["own/.weir/store/x", "own/.weir/x"]) {
      const path = join(cluster.storeFolder, key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "x");
    }
    const { code, stdout } = await weir("export", "own-out", "--prefix", "own/", "--json");
    const { copied: count, failures } = JSON.parse(stdout) as Summary;
    assert.deepEqual([code, count, failures.length], [1, 1, 2]);
    assert.match(failures[0]?.reason ?? "", /export it with a shorter prefix$/);
    assert.equal((await copied("export", "own-out2", "--prefix", "ow")).copied, 3);
    const back = await weir("import", "own-out2", "--prefix", "OW", "--json");
    const summary = JSON.parse(back.stdout) as Summary;
    assert.deepEqual([back.code, summary.copied, summary.failures.length], [1, 1, 2]);
  });

  test("import sends of a file that grows meanwhile what was there when it began", async () => {
    const { cluster, folder } = stage();
    file("growing/log", Buffer.alloc(3_000_000, "a"));
    const path = join(folder, "growing/log");
    const writer = setInterval(() => appendFileSync(path, Buffer.alloc(10_000, "b")), 1);
    try {
      const { copied: count, failures } = await copied("import", "growing", "--prefix", "growing/");
      assert.deepEqual([count, failures], [1, []]);
    } finally {
      clearInterval(writer);
    }
    const { body } = await cluster.get("a", "growing/log");
    assert.ok(body.length >= 3_000_000);
    assert.ok(body.equals(readFileSync(path).subarray(0, body.length)));
  });

  test("what import can't read, or name, is told, and holds up nothing else", async () => {
    const { folder } = stage();
    file("odd-in/a", "x");
    file("odd-in/z", "x");
    symlinkSync("loop", join(folder, "odd-in/loop"));
    // Latin-1, as old archives have it.
    writeFileSync(Buffer.concat([Buffer.from(join(folder, "odd-in/caf")), Buffer.from([0xe9])]), "x");
    mkdirSync(Buffer.concat([Buffer.from(join(folder, "odd-in/folder")), Buffer.from([0xe9])]));
    const { code, stdout } = await weir("import", "odd-in", "--prefix", "odd-in/", "--json");
    const { copied: count, failures } = JSON.parse(stdout) as Summary;
    assert.deepEqual([code, count], [1, 2]);
    assert.deepEqual(
      failures.map(({ name, reason }) => `${name}: ${reason.replace(/ELOOP.*/, "ELOOP")}`),
      [
        "caf\uFFFD: can't be read: its name is not UTF-8",
        "folder\uFFFD: can't be read: its name is not UTF-8",
        "loop: can't be read: ELOOP",
      ],
    );
  });

  test("import tells a value that lies aside and is not what its metadata says", async () => {
    const { cluster, folder } = stage();
    for (const key of ["aside/a", "aside/a/b"]) assert.equal((await cluster.put("a", key, `of ${key}`)).status, 204);
    assert.equal((await copied("export", "aside", "--prefix", "aside/")).copied, 2);
    const place = join(folder, "aside", asideFolder);
    const [name] = readdirSync(place);
    writeFileSync(join(place, name as string), "");
    const { code, stdout } = await weir("import", "aside", "--prefix", "aside-in/", "--json");
    const { copied: count, failures } = JSON.parse(stdout) as Summary;
    assert.deepEqual([code, count, failures.length], [1, 1, 1]);
    assert.match(failures[0]?.reason ?? "", /is not what its metadata says: export it once more/);
  });

  test("bench measures reads and writes, and leaves nothing behind", async () => {
    const { code, stdout } = await weir("bench", "--seconds", "2", "--connections", "4", "--keys", "20", "--json");
    assert.equal(code, 0);
    const { reads, writes } = JSON.parse(stdout) as Record<string, Record<string, number>>;
    for (const figures of [reads, writes]) {
      assert.equal(figures?.["failed"], 0);
      const { requests = 0, p50Ms = 0, p99Ms = 0, maxMs = 0 } = figures ?? {};
      assert.ok(requests > 10 && p50Ms > 0 && p99Ms >= p50Ms && maxMs >= p99Ms, JSON.stringify(figures));
    }
    assert.equal((await weir("ls", "weir-bench/")).stdout, "");
    const human = await weir("bench", "--seconds", "1", "--read-share", "1", "--keys", "5", "--keep");
    assert.match(
      human.stdout,
      /^32 connections to 1 node, values of 1.0 KiB, 1\.\d s:\n.*p99.*\nreads +\d+ .*\nwrites +0 .*\n$/,
    );
    assert.equal((await weir("ls", "weir-bench/")).stdout.trimEnd().split("\n").length, 5);
    assert.equal((await weir("bench", "--read-share", "2")).code, 2);
  });

  test("an import goes on while a node is killed, and everything is there", async () => {
    const { cluster } = stage();
    for (let n = 0; n < 400; n++) file(`many/${n}`, `value ${n}`);
    const running = copied("import", "many", "--prefix", "many/", "--parallel", "4");
    await cluster.until(10_000, "it is under way", async () => (await cluster.get("a", "many/0")).status === 200);
    await cluster.process("b").kill();
    const summary = await running;
    assert.deepEqual([summary.copied, summary.failed], [400, 0]);
    cluster.restart("b");
    await cluster.untilReady();
    const { stdout } = await weir("ls", "many/");
    assert.equal(stdout.trimEnd().split("\n").length, 400);
  });
});
