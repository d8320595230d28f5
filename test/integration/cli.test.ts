/** The command line as a process: its help, its exit codes, and what it says when something is wrong. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createProgram } from "../../src/cli/program.ts";
import { formatView } from "../../src/core/view.ts";
import { firstView } from "../../src/core/view-changes.ts";
import { version } from "../../src/version.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { type Outcome, weir as runWeir } from "../harness/command.ts";
import { memberOf, parameters } from "../harness/view-fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-cli-"));
after(() => rmSync(folder, { recursive: true }));

function weir(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ""): Promise<Outcome> {
  return runWeir(args, { env, input, cwd: folder });
}

/** A cluster.json in the test's folder. */
function configFile(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

/** A server that answers as told, for as long as the callback runs. */
async function withServer(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("weir --version prints the version of package.json and exits with 0", async () => {
  assert.deepEqual(await weir(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

test("weir --help lists the commands with examples and exits with 0", async () => {
  const { code, stdout } = await weir(["--help"]);
  assert.equal(code, 0);
  for (const command of [
    "serve",
    "dev",
    "check",
    "put",
    "get",
    "rm",
    "ls",
    "import",
    "export",
    "bench",
    "status",
    "health",
    "leave",
    "forget",
  ]) {
    assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
  }
  assert.match(stdout, /weir serve --config cluster\.json/);
});

test("each command's help ends with an example", () => {
  const { commands } = createProgram();
  assert.ok(commands.length >= 10);
  for (const command of commands) {
    let help = "";
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    assert.match(help, new RegExp(`Examples?:\n(?:.*\n)*.*weir ${command.name()}`));
  }
});

test("wrong usage says what is wrong on stderr and exits with 2", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Usage: weir/],
    [["statsu"], /unknown command 'statsu'\n\(Did you mean status\?\)/],
    [["put"], /missing required argument 'key'\n\("weir put --help" shows how it is used\)/],
    [["get", "k", "--outptu", "f"], /unknown option '--outptu'/],
    [["serve"], /required option '--config <file>'/],
    [["dev", "--nodes", "0"], /must be a whole number from 1 to 26/],
  ];
  const outcomes = await Promise.all(cases.map(([args]) => weir(args)));
  for (const [index, [args, message]] of cases.entries()) {
    const { code, stdout, stderr } = outcomes[index] as Outcome;
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
});

test("weir check tells every mistake of a file at once and exits with 1", async () => {
  const path = configFile("wrong.json", { cluster: "C", secret: "s", store: { type: "file" }, nodes: [], extra: 1 });
  const { code, stderr } = await weir(["check", path]);
  assert.equal(code, 1);
  for (const start of ["cluster: ", "secret: ", "store.path: ", "nodes: ", "extra: "])
    assert.ok(stderr.includes(`\n  ${start}`));
});

test("weir check probes the store of a right file and exits with 0", async () => {
  const path = configFile("right.json", {
    cluster: "c",
    secret: "env:WEIR_SECRET",
    store: { type: "file", path: "store" },
    nodes: [{ id: "a", url: "http://127.0.0.1:7070" }],
  });
  const env = { WEIR_SECRET: "0123456789abcdef" };
  const { code, stdout, stderr } = await weir(["check", path], env);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /is right\.[\s\S]*journal {2}.*\/weir-data, a folder for each node[\s\S]*can be read, written and removed from[\s\S]*All is well/,
  );
  assert.match(
    stdout,
    /\nreplicas 2, and 1 of the nodes own keys: each write waits for the store until there are more\n/,
  );
  assert.match(stdout, /\n {9}it has no cluster yet: the first node that starts founds one\n/);
  // Which node this host is follows from its url.
  assert.match(stdout, /\ndisk {5}.* free for .*\/weir-data\/a; its journal takes 0 B, and may take .*B\n/);
  mkdirSync(join(folder, "store", ".weir"), { recursive: true });
  const view = firstView(memberOf("a"), { ...parameters, store: "s3://b/p/" }, "proposal");
  writeFileSync(join(folder, "store", ".weir", "view.json"), formatView(view));
  const json = await weir(["check", "--config", path, "--json"], env);
  const found = JSON.parse(json.stdout) as { usable: boolean; view: unknown; disk: { limitBytes: number } };
  assert.ok(found.disk.limitBytes > 128 * 1024 ** 2, json.stdout);
  assert.deepEqual([found.usable, found.view], [true, { clusterId: "c1", epoch: 1, members: ["a"] }]);
  const text = (await weir(["check", path], env)).stdout;
  assert.match(text, /it has the cluster c1 over s3:\/\/b\/p\/, view 1: a.*; each host must see this cluster/);
  const wrong = await weir(["check", path, "--node", "b"], env);
  assert.deepEqual([wrong.code, wrong.stderr], [2, 'weir: there is no node "b"; the nodes are a\n']);
});

test("weir serve that can't use its data folder names the folder, the setting and what to do, and exits with 1", async () => {
  const path = configFile("unwritable.json", {
    cluster: "c",
    secret: "env:WEIR_SECRET",
    store: { type: "file", path: "store" },
    // Whoever runs the tests, and be it root, can't make a folder there.
    data: "unwritable.json/data",
    nodes: [{ id: "a", url: "http://127.0.0.1:7070" }],
  });
  const { code, stdout, stderr } = await weir(["serve", "--config", path], { WEIR_SECRET: "0123456789abcdef" });
  assert.equal(code, 1);
  const line = (stdout + stderr).split("\n").find((each) => each.includes("could not start")) ?? "";
  const { error } = JSON.parse(line) as { error: { message: string } };
  assert.match(
    error.message,
    /the data folder [^ ]*unwritable\.json\/data\/a .*can't be made .*is not a folder.*The setting "data" chooses the folder/,
  );
});

test("weir put of a file that is not there says so, and exits with 1", async () => {
  const { code, stderr } = await weir(["put", "key", "none.png"]);
  assert.deepEqual([code, stderr], [1, "weir: can't read none.png: there is no such file or folder\n"]);
});

test("a client command without a node to talk to says so and exits with 1", async () => {
  const { code, stderr } = await weir(["status", "--url", "http://127.0.0.1:1"]);
  assert.equal(code, 1);
  assert.match(stderr, /no answer from http:\/\/127\.0\.0\.1:1: nothing listens there\n {6}Check the address/);
});

test("a client command that speaks plain HTTP to a node with TLS is told so, and not to retry at first", async (t) => {
  const { cert, key } = new CertificateAuthority(join(folder, "ca")).issue();
  const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { code, stderr } = await weir([
    "status",
    "--url",
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /https:\/\/\)\n {6}Check the address \(--url/);
});

test("weir dev and weir export that can't make their folder say so, and exit with 1", {
  skip: !existsSync("/proc/self") && "there is no file system here that refuses it",
}, async () => {
  const outcomes = await Promise.all([
    weir(["dev", "--dir", "/proc/weir"]),
    weir(["export", "/proc/weir/out", "--url", "http://127.0.0.1:1"]),
  ]);
  for (const { code, stderr } of outcomes) {
    assert.equal(code, 1);
    assert.match(stderr, /^weir: .*folder \/proc\/weir/);
    assert.doesNotMatch(stderr, /bug|Retry/);
  }
});

test("a client command asks the next node of the configuration when one does not answer", async () => {
  await withServer(
    (request, response) => response.setHeader("weir-version", "1.1").end(request.url),
    async (url) => {
      const nodes = [
        { id: "a", url: "http://127.0.0.1:1" },
        { id: "b", url },
      ];
      const path = configFile("two.json", {
        cluster: "c",
        secret: "env:NOT_SET",
        store: { type: "file", path: "s" },
        nodes,
      });
      const { stdout } = await weir(["get", "k", "--config", path]);
      assert.equal(stdout, "/kv/k");
    },
  );
});

test("a key goes over the wire exactly as given, percent-encoded but for its slashes", async () => {
  await withServer(
    (request, response) => response.setHeader("weir-version", "1.1").end(request.url),
    async (url) => {
      const { stdout } = await weir(["get", "a//../ü %?#", "--url", url]);
      assert.equal(stdout, "/kv/a//../%C3%BC%20%25%3F%23");
    },
  );
});

test("weir put streams its input with the type that it was told", async () => {
  let seen = "";
  await withServer(
    (request, response) => {
      seen = `${request.method} ${request.url} ${request.headers["content-type"]} `;
      request.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
      });
      request.on("end", () => response.writeHead(204, { etag: '"abc"', "weir-version": "3.1" }).end());
    },
    async (url) => {
      const outcome = await weir(["put", "greeting", "--type", "text/plain", "--json"], { WEIR_URL: url }, "hello");
      assert.equal(seen, "PUT /kv/greeting text/plain hello");
      assert.deepEqual(JSON.parse(outcome.stdout), { key: "greeting", etag: "abc", version: "3.1" });
    },
  );
});

test("an error answer is told with its code and what to do next", async () => {
  const problem = { type: "about:blank", status: 503, code: "buffer_full", detail: "no room for 5 bytes" };
  await withServer(
    (_request, response) =>
      response.writeHead(503, { "content-type": "application/problem+json" }).end(JSON.stringify(problem)),
    async (url) => {
      const { code, stderr } = await weir(["rm", "k", "--url", url]);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^weir: no room for 5 bytes \(buffer_full, 503\)\n {6}Retry after a while: the buffer is full/,
      );
    },
  );
});

test("a value that breaks off leaves no file behind", async () => {
  await withServer(
    (_request, response) => {
      response.writeHead(200, { "content-length": "10", "weir-version": "1.1" });
      response.write("half", () => response.destroy());
    },
    async (url) => {
      const { code, stderr } = await weir(["get", "k", "-o", "out", "--url", url]);
      assert.equal(code, 1);
      assert.match(stderr, /did not arrive whole/);
      assert.deepEqual([existsSync(join(folder, "out")), existsSync(join(folder, "out.partial"))], [false, false]);
    },
  );
});
