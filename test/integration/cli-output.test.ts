/**
 * Commands whose output, or whose file, can't be written or read, and answers that are none of weir's: they fail, and
 * say so. One whose reader has seen enough does not.
 */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { weir } from "../harness/command.ts";
import { program } from "../harness/program.ts";

const aliveText = '{"alive":true}';
const folder = mkdtempSync(join(tmpdir(), "weir-output-"));
const server = createServer((request, response) => {
  const isHealth = request.url === "/healthz";
  request.resume().on("end", () => response.setHeader("weir-version", "1.1").end(isHealth ? aliveText : "value"));
});
let url = "";
before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function serverOf(listener: RequestListener): Promise<{ readonly url: string } & AsyncDisposable> {
  const other = createServer(listener);
  await once(other.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(other.address() as { port: number }).port}`,
    [Symbol.asyncDispose]: async () => {
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    },
  };
}

/** Commands that print little, and that print a value. */
const commands = [["rm", "k"], ["health"], ["get", "k"]];

/** A device that takes nothing, as a full disk does. */
const fullDevice = "/dev/full";

test("an output that can't be written: exit code 1, with a word why", {
  skip: !existsSync(fullDevice) && "there is no /dev/full",
}, async () => {
  for (const args of commands) {
    const full = openSync(fullDevice, "w");
    const child = spawn(process.execPath, [program, ...args, "--url", url], { stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    const stderr = child.stderr?.toArray() ?? [];
    assert.deepEqual(await once(child, "exit"), [1, null], args.join(" "));
    assert.match((await stderr).join(""), /^weir: the output can't be written: ENOSPC/);
  }
});

test("a reader that has seen enough: exit code 0, and not a word", async () => {
  for (const args of commands) {
    const child = spawn(process.execPath, [program, ...args, "--url", url], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    const stderr = child.stderr?.toArray() ?? [];
    assert.deepEqual(await once(child, "exit"), [0, null], args.join(" "));
    assert.equal((await stderr).join(""), "");
  }
});

test("weir status --watch ends when nobody reads it any more", async () => {
  const child = spawn(process.execPath, [program, "status", "--watch", "--url", "http://127.0.0.1:1"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.stdout.destroy();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("a redirect, or another program's page, is no value and no word of a node's health", async () => {
  const path = join(folder, "kept");
  writeFileSync(path, "old");
  for (const [status, words] of [
    [301, /answered 301 with a redirect to https:\/\/elsewhere\/; is it a node of weir\?/],
    [200, /is it a node of weir\?|does not answer as a node/],
  ] as const) {
    await using other = await serverOf((request, response) => {
      request.resume().on("end", () => response.writeHead(status, { location: "https://elsewhere/" }).end("<html>"));
    });
    for (const args of [["get", "k"], ["get", "k", "-o", path], ["health"], ["health", "--ready"]]) {
      const { code, stdout, stderr } = await weir([...args, "--url", other.url]);
      assert.deepEqual([code, stdout], [1, ""], args.join(" "));
      assert.match(stderr, words);
    }
  }
  assert.equal(readFileSync(path, "utf8"), "old");
});

test("weir get -o leaves alone what has a name like its own, and two at once leave one value whole", async () => {
  const path = join(folder, "twice");
  writeFileSync(`${path}.partial`, "the user's");
  const size = 200_000;
  await using slow = await serverOf((request, response) => {
    response.setHeader("weir-version", "1.1").setHeader("content-length", 2 * size);
    const letter = request.url?.at(-1) ?? "";
    response.write(letter.repeat(size));
    setTimeout(() => response.end(letter.repeat(size)), 300);
  });
  const outcomes = await Promise.all(["a", "b"].map((key) => weir(["get", key, "-o", path, "--url", slow.url])));
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    [0, 0],
  );
  const text = readFileSync(path, "utf8");
  assert.ok(["a", "b"].some((letter) => text === letter.repeat(2 * size)));
  assert.equal(readFileSync(`${path}.partial`, "utf8"), "the user's");
});

test("weir import sends a file again that is written over while it is read, and gives up one that never rests", async () => {
  const files = join(folder, "written-over");
  const path = join(files, "k");
  mkdirSync(files);
  const size = 16 * 1024 ** 2;
  for (const [rewrites, code] of [
    [1, 0],
    [100, 1],
  ] as const) {
    writeFileSync(path, Buffer.alloc(size, "a"));
    let left: number = rewrites;
    const letters: string[] = [];
    await using other = await serverOf((request, response) => {
      if (request.method === "GET") {
        response.end(JSON.stringify({ keys: [], prefixes: [], next: null }));
        return;
      }
      const seen = new Set<string>();
      let isFirst = true;
      request.on("data", (chunk: Buffer) => {
        if (isFirst && left-- > 0) writeFileSync(path, Buffer.alloc(size, left % 2 === 0 ? "b" : "c"), { flag: "r+" });
        isFirst = false;
        for (const at of [0, chunk.length - 1]) seen.add(String.fromCodePoint(chunk[at] as number));
      });
      request.on("end", () => {
        letters.push([...seen].join(""));
        response.writeHead(204, { etag: '"x"', "weir-version": "1.1" }).end();
      });
    });
    const outcome = await weir(["import", files, "--url", other.url]);
    assert.equal(outcome.code, code, outcome.stderr);
    if (code === 0) assert.deepEqual([letters.length, letters[1]], [2, "b"]);
    else assert.match(outcome.stderr, /is written over while it is read/);
  }
});

test("weir import takes a file that is removed while it is read for copied, if nothing was written over in it", async () => {
  const files = join(folder, "removed");
  const path = join(files, "k");
  mkdirSync(files);
  const size = 16 * 1024 ** 2;
  for (const [isWrittenOver, code] of [
    [false, 0],
    [true, 1],
  ] as const) {
    writeFileSync(path, Buffer.alloc(size, "a"));
    let received = 0;
    await using other = await serverOf((request, response) => {
      if (request.method === "GET") {
        response.end(JSON.stringify({ keys: [], prefixes: [], next: null }));
        return;
      }
      request.once("data", () => {
        if (isWrittenOver) writeFileSync(path, "b", { flag: "r+" });
        rmSync(path, { force: true });
      });
      request.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      request.on("end", () => response.writeHead(204, { etag: '"x"', "weir-version": "1.1" }).end());
    });
    const outcome = await weir(["import", files, "--url", other.url]);
    assert.deepEqual([outcome.code, received], [code, size], outcome.stderr);
    if (code === 0) assert.match(outcome.stdout, /^1 copied/);
    else assert.match(outcome.stderr, /there is no such file or folder/);
  }
});

test("weir get into a folder that is not there says so", async () => {
  const path = join(folder, "none", "value");
  const outcome = await weir(["get", "k", "-o", path, "--url", url]);
  assert.deepEqual(outcome, {
    code: 1,
    stdout: "",
    stderr: `weir: can't write ${path}: there is no such file or folder\n`,
  });
  assert.equal((await weir(["get", "k", "-o", join(folder, "value"), "--url", url])).code, 0);
  assert.equal(readFileSync(join(folder, "value"), "utf8"), "value");
});

test("weir get to a disk that is full says so, and does not blame who sent the value", {
  skip: !existsSync(fullDevice) && "there is no /dev/full",
}, async () => {
  const { code, stderr } = await weir(["get", "k", "-o", fullDevice, "--url", url]);
  assert.deepEqual([code, stderr], [1, "weir: can't write /dev/full: ENOSPC: no space left on device, write\n"]);
});

test("options that contradict each other or say what can't be are wrong usage: exit code 2", async () => {
  const config = join(folder, "cluster.json");
  const node = { id: "a", url: "http://127.0.0.1:7070" };
  writeFileSync(
    config,
    JSON.stringify({ cluster: "c", secret: "env:S", store: { type: "file", path: "s" }, nodes: [node] }),
  );
  for (const [args, words] of [
    [["get", "k", "--url", "ftp://a"], /is not a URL of a node/],
    [["get", "k", "--node", "a"], /--node needs --config/],
    [["get", "k", "--url", url, "--config", config], /not both/],
    [["get", "k", "--config", config, "--node", "b"], /there is no node "b"; the nodes are a/],
    [["get", "k", "--cert", config], /--cert and --key/],
    [["leave"], /say which node is to leave/],
    [["token", "--name", ""], /--name: must be/],
    [["token", "--name", "a", "--prefix", ""], /--prefix: is empty/],
    [["token", "--name", "a", "--prefix", ".weir/"], /--prefix: keys that begin with \.weir\/ are weir's own/],
    [["import", ".", "--prefix", ".weir/a", "--url", url], /--prefix: keys with \.weir\/ in them are weir's own/],
    [["check"], /say which file/],
    [["check", config, "--config", config], /once/],
  ] as const) {
    const { code, stderr } = await weir(args, { env: { S: "x".repeat(32) } });
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, words);
  }
});

test("weir get -o - is the standard output", async () => {
  assert.deepEqual(await weir(["get", "k", "-o", "-", "--url", url], { cwd: folder }), {
    code: 0,
    stdout: "value",
    stderr: "",
  });
  assert.equal(existsSync(join(folder, "-")), false);
});

test("weir get writes into a pipe or a device and never puts a file in its place, and keeps links", {
  skip: process.platform === "win32" && "there are no such files",
}, async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
  const reading = reader.stdout.toArray();
  const outcome = await weir(["get", "k", "-o", pipe, "--url", url]);
  const isStillPipe = lstatSync(pipe).isFIFO();
  if (!isStillPipe || outcome.code !== 0) reader.kill();
  assert.deepEqual([outcome.code, outcome.stderr, isStillPipe], [0, "", true]);
  assert.equal((await reading).join(""), "value");

  const link = join(folder, "link");
  writeFileSync(join(folder, "target"), "old");
  symlinkSync("target", link);
  assert.equal((await weir(["get", "k", "-o", link, "--url", url])).code, 0);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.equal(readFileSync(join(folder, "target"), "utf8"), "value");
});

test("weir dev where no folder can be made says so, and how to choose another one", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "");
  const { code, stderr } = await weir(["dev", "--dir", join(path, "dev")]);
  assert.equal(code, 1);
  assert.match(stderr, /^weir: can't write in the folder .*file\/dev: ENOTDIR.*; choose another one with --dir\n$/);
});

test("weir leave wants to be told which node, and not by WEIR_URL, which any may be behind", async () => {
  const { code, stderr } = await weir(["leave"], { env: { WEIR_URL: url } });
  assert.deepEqual([code, stderr], [2, "weir: say which node is to leave: --url URL, or --config FILE [--node ID]\n"]);
});

test("weir token prints the token alone to the standard output, so that it can go into a file", async () => {
  const { stdout, stderr } = await weir(["token", "--name", "ci"]);
  assert.match(stdout, /^weir_[\w-]{43}\n$/);
  assert.match(stderr, /\{"name":"ci","hash":"sha256:/);
});

test("weir token --s3 prints the secret alone to the standard output, and an entry without it", async () => {
  const { stdout, stderr } = await weir(["token", "--s3", "--name", "back.up", "--prefix", "b/"]);
  assert.match(stdout, /^[0-9a-f]{40}\n$/);
  assert.match(
    stderr,
    /"accessKeyId":"WEIR[A-Z2-7]{16}","secret":"env:WEIR_S3_BACK_UP","allow":\["read","write"\],"prefix":"b\/"/,
  );
  assert.equal(stderr.includes(stdout.trim()), false);
  const json = JSON.parse((await weir(["token", "--s3", "--name", "ci", "--json"])).stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(json), ["accessKeyId", "secret", "entry"]);
  const { code, stderr: told } = await weir(["token", "--s3", "--name", "ci", "--allow", "admin"]);
  assert.deepEqual([code, told.includes("--allow")], [2, true]);
});

test("weir put of a file that may not be read says so, also where it has to look for a node first", async (t) => {
  // Root may read everything.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const run = async (...args: string[]): Promise<string> => {
    const child = spawn(process.execPath, [program, ...args], {
      ...user,
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [stderr] = await Promise.all([child.stderr.toArray(), once(child, "exit")]);
    return stderr.join("");
  };
  if ((await run("--version")) !== "") return t.skip("the other user can't run the program");
  chmodSync(folder, 0o755);
  const path = join(folder, "private");
  writeFileSync(path, "x", { mode: 0o000 });
  const config = join(folder, "cluster.json");
  const nodes = [
    { id: "a", url: "http://127.0.0.1:1" },
    { id: "b", url },
  ];
  const store = { type: "file", path: "store" };
  writeFileSync(config, JSON.stringify({ cluster: "test", secret: "env:S", store, nodes }));
  assert.equal(await run("put", "k", path, "--config", config), `weir: can't read ${path}: permission denied\n`);
});

const requests = [
  "status",
  "ls",
  "health",
  "get k",
  "get k --json",
  "rm k",
  "put k cli.json",
  "drop k",
  "drop k --force 1.1",
  "flush",
  "leave",
];

test("an answer that breaks off, or is another program's: a failure, and no bug", async () => {
  writeFileSync(join(folder, "cli.json"), "{}");
  const answers: readonly RequestListener[] = [
    (_request, response) => response.writeHead(200, { "content-length": 9 }).write("{", () => response.destroy()),
    (_request, response) => response.writeHead(503, { "content-type": "application/problem+json" }).end("{"),
    (_request, response) => response.end("<p>welcome</p>"),
  ];
  for (const [index, listener] of answers.entries()) {
    const other = createServer(listener);
    await once(other.listen(0, "127.0.0.1"), "listening");
    const target = `http://127.0.0.1:${(other.address() as { port: number }).port}`;
    // That something answers is all that health asks, and any text may be a value.
    const asked = index === 2 ? requests.filter((request) => !/^(?:health|get)/.test(request)) : requests;
    const run = async (request: string): Promise<void> => {
      const { code, stderr } = await weir([...request.split(" "), "--url", target], { cwd: folder });
      assert.equal(code, 1, request);
      assert.match(stderr, /^weir: (?!this is a bug)/, request);
    };
    await Promise.all(asked.map(run));
    other.close();
  }
});
