/**
 * What commands with many requests do when a node can't answer just now: wait as long as it says, ask the next one, and
 * give up where that is no use.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import { compareText } from "../../src/base/text-order.ts";
import { BulkClient, brokenBody } from "../../src/cli/client/bulk-client.ts";
import { ClusterClient } from "../../src/cli/client/client.ts";
import { type PageKey, pages } from "../../src/cli/client/listing.ts";
import { Load } from "../../src/cli/commands/bench-load.ts";
import { justBefore, RemoteIndex } from "../../src/cli/copy/remote-index.ts";
import { Transfer } from "../../src/cli/copy/transfer.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { weir } from "../harness/command.ts";
import { ManualClock } from "../harness/manual-clock.ts";
import { turn } from "../harness/scripted-network.ts";

const ports = { clock: systemClock, random: systemRandom };

/** Servers that answer as told, for as long as the callback runs. */
async function withServers(
  listeners: readonly RequestListener[],
  use: (urls: string[]) => Promise<void>,
): Promise<void> {
  const servers = listeners.map((listener) => createServer(listener).listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  try {
    await use(servers.map((server) => `http://127.0.0.1:${(server.address() as { port: number }).port}`));
  } finally {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

function problem(status: number, code: string, headers: Record<string, string> = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/problem+json", ...headers });
    response.end(JSON.stringify({ code, detail: "as told" }));
  };
}

const targetOf = (urls: string[]) => ({ urls, token: undefined, tls: {} });
const get = { method: "GET", path: "/kv/a" } as const;

describe("BulkClient.persist", () => {
  test("waits as long as a 503 asks for, and tries again, on the next node", async () => {
    const asked: string[] = [];
    const refuse = problem(503, "not_ready", { "retry-after": "1" });
    const first: RequestListener = (request, response) => {
      asked.push("first");
      refuse(request, response);
    };
    const second: RequestListener = (_request, response) => {
      asked.push("second");
      response.setHeader("weir-version", "1").end("value");
    };
    await withServers([first, second], async (urls) => {
      await using cluster = new BulkClient(targetOf(urls), ports);
      const startedAt = systemClock.now();
      const answer = await cluster.persist((client) => client.request(get));
      assert.equal(answer.status, 200);
      assert.deepEqual([asked, cluster.retries], [["first", "second"], 1]);
      assert.ok(systemClock.now() - startedAt >= 990);
    });
  });

  test("gives up at once what no other try would change, and where no node has ever answered", async () => {
    for (const [status, code] of [
      [413, "value_too_large"],
      [503, "store_refused"],
      [401, "unauthorized"],
    ] as const) {
      let asked = 0;
      const refuse = problem(status, code);
      const listener: RequestListener = (request, response) => {
        asked++;
        refuse(request, response);
      };
      await withServers([listener], async (urls) => {
        await using cluster = new BulkClient(targetOf(urls), ports);
        await assert.rejects(
          cluster.persist((client) => client.request(get)),
          (error) => isOperatingError(error, code),
        );
        assert.equal(asked, 1);
      });
    }
    await using nowhere = new BulkClient(targetOf(["http://127.0.0.1:1", "http://127.0.0.1:1"]), ports);
    let attempts = 0;
    await assert.rejects(
      nowhere.persist((client) => (++attempts > 2 ? Promise.resolve(undefined) : client.request(get))),
      (error) => isOperatingError(error, "peer_unreachable"),
    );
    assert.equal(nowhere.retries, 1, "each node is tried once");
  });

  test("lets all nodes go when it is disposed of", async () => {
    let asked = 0;
    const listener: RequestListener = (_request, response) => {
      asked++;
      response.setHeader("weir-version", "1").end();
    };
    await withServers([listener, listener], async (urls) => {
      const used = new Set<ClusterClient>();
      const cluster = new BulkClient(targetOf(urls), ports);
      for (let i = 0; i < 2; i++) {
        await cluster.persist((client) => {
          used.add(client);
          return client.request(get);
        });
      }
      assert.equal(used.size, 2);
      await cluster[Symbol.asyncDispose]();
      for (const client of used) {
        await assert.rejects(client.request(get), (error) => isOperatingError(error, "peer_unreachable"));
      }
      assert.equal(asked, 2);
    });
  });

  test("tries what has taken longer than its patience once more, too", async () => {
    const clock = new ManualClock();
    await using cluster = new BulkClient(targetOf(["http://127.0.0.1:1"]), { clock, random: systemRandom });
    assert.equal(await cluster.persist(() => Promise.resolve("a node has answered")), "a node has answered");
    let attempts = 0;
    const done = cluster.persist(() => {
      // A large value, say, whose node is restarted in the end.
      clock.advance(600_000);
      return ++attempts === 1 ? Promise.reject(brokenBody("the node is gone")) : Promise.resolve("done");
    });
    done.catch(() => undefined);
    await turn();
    clock.advance(1_000);
    assert.equal(await done, "done");
  });

  test("refuses what is no listing of this version", async () => {
    await withServers([(_request, response) => void response.end('{"keys":[{}]}')], async (urls) => {
      await using cluster = new BulkClient(targetOf(urls), ports);
      await assert.rejects(pages(cluster, { prefix: "" }).next(), (error) => isOperatingError(error));
    });
  });
});

describe("ClusterClient", () => {
  const node = (name: string, status: number, asked: string[]): RequestListener => {
    return (request, response) => {
      if (request.url === "/readyz") response.statusCode = status;
      else asked.push(name);
      response.setHeader("weir-version", "1").end();
    };
  };

  test("asks the first node that is ready, or the first that answers where none is", async () => {
    for (const [statuses, expected] of [
      [[503, 200, 200], "1"],
      [[503, 503], "0"],
    ] as const) {
      const asked: string[] = [];
      const nodes = statuses.map((status, index) => node(String(index), status, asked));
      await withServers(nodes, async (urls) => {
        await using client = new ClusterClient(targetOf(["http://127.0.0.1:1", ...urls]));
        await client.request(get);
        assert.deepEqual(asked, [expected]);
      });
    }
  });

  test("holds a node's certificate against the host that it is told, not the one in the url", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "weir-client-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const authority = new CertificateAuthority(folder);
    const tls = { ca: readFileSync(authority.ca, "utf8"), host: "node.example" };
    for (const [names, isRight] of [
      ["DNS:node.example", true],
      ["DNS:other.example,IP:127.0.0.1", false],
    ] as const) {
      const { cert, key } = authority.issue({ names });
      const options = { cert: readFileSync(cert), key: readFileSync(key) };
      const server = createTlsServer(
        options,
        (_request, response) => void response.setHeader("weir-version", "1").end(),
      ).listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = `https://127.0.0.1:${(server.address() as { port: number }).port}`;
      await using client = new ClusterClient({ urls: [url], token: undefined, tls });
      try {
        const answer = client.request(get);
        if (isRight) assert.equal((await answer).status, 200);
        else await assert.rejects(answer, (error) => isOperatingError(error, "config_invalid"));
      } finally {
        server.close();
        server.closeAllConnections();
      }
    }
  });
});

test("a load counts answers that break off as failures, and goes on", async () => {
  const serve: RequestListener = (_request, response) => {
    response.writeHead(200, { "content-length": 9, "weir-version": "1" }).write("{", () => response.destroy());
  };
  await withServers([serve], async (urls) => {
    const options = { seconds: 0.2, connections: 2, size: 1, readShare: 0.5, keys: 1, prefix: "" };
    await using load = new Load(targetOf(urls), options, ports);
    await load.run(() => undefined);
    const { reads, writes } = load;
    assert.ok(reads.failed + writes.failed > 2);
    assert.deepEqual([reads.latency.count, writes.latency.count], [0, 0]);
  });
});

describe("Transfer.run", () => {
  const failing = (code: "unauthorized" | "forbidden" | "value_too_large") => {
    const transfer = new Transfer(() => undefined);
    let attempts = 0;
    const items = Array.from({ length: 20 }, (_, n) => ({ name: `${n}` })).values();
    const run = transfer.run({ next: () => Promise.resolve(items.next()) }, 2, () => {
      attempts++;
      return Promise.reject(new OperatingError(code, "as told"));
    });
    return { run, transfer, attempts: () => attempts };
  };

  test("ends with the first failure that would be everybody's", async () => {
    for (const code of ["unauthorized", "forbidden"] as const) {
      const { run, attempts, transfer } = failing(code);
      await assert.rejects(run, (error) => isOperatingError(error, code));
      assert.equal(attempts(), 2, "one in each lane");
      assert.equal(transfer.counts.failed, 0);
    }
  });

  test("counts any other, and goes on", async () => {
    const { run, transfer } = failing("value_too_large");
    await run;
    assert.deepEqual([transfer.counts.failed, transfer.done, transfer.failures.length], [20, 20, 20]);
  });
});

test("import sends a file that has grown meanwhile as it is then, and nothing of weir's own", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-import-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, ".weir/tmp"), { recursive: true });
  writeFileSync(join(folder, ".weir/tmp/own"), "own");
  writeFileSync(join(folder, "a"), "short");
  const refuse = problem(503, "not_ready");
  const taken: [string | undefined, string][] = [];
  const serve: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      if (request.method === "GET") response.end(JSON.stringify({ keys: [], prefixes: [], next: null }));
      else if (body === "short") {
        writeFileSync(join(folder, "a"), "longer");
        refuse(request, response);
      } else {
        taken.push([request.url, body]);
        response.writeHead(200, { "weir-version": "1" }).end("{}");
      }
    });
  };
  await withServers([serve], async ([url = ""]) => {
    const outcome = await weir(["import", folder, "--prefix", "p/", "--url", url, "--json"]);
    assert.equal(outcome.code, 0, outcome.stdout + outcome.stderr);
  });
  assert.deepEqual(taken, [["/kv/p/a", "longer"]]);
});

test("RemoteIndex.find reads pages alongside the keys that are asked for, and jumps over the rest", async () => {
  const keys = Array.from({ length: 5_000 }, (_, n) => `p/${String(n).padStart(5, "0")}`);
  let requests = 0;
  const serve: RequestListener = (request, response) => {
    requests++;
    const query = new URL(request.url as string, "http://x").searchParams;
    assert.equal(query.get("prefix"), "p/");
    const after = query.get("after") ?? "";
    const found = keys.filter((key) => key > after).slice(0, 100);
    const listed: PageKey[] = found.map((key) => ({ key, size: 1, etag: key, lastModified: "" }));
    const next = found.length === 100 ? found.at(-1) : null;
    response.end(JSON.stringify({ keys: listed, prefixes: [], next }));
  };
  await withServers([serve], async (urls) => {
    await using cluster = new BulkClient(targetOf(urls), ports);
    const index = new RemoteIndex(cluster, "p/");
    for (let n = 1_000; n < 1_100; n++) assert.equal((await index.find(`p/0${n}`))?.etag, `p/0${n}`);
    assert.equal(requests, 1);
    assert.equal((await index.find("p/04000"))?.key, "p/04000");
    assert.equal(await index.find("p/04000x"), undefined);
    assert.equal(requests, 2);
    assert.equal(await index.find("p/9"), undefined);
    assert.equal(await index.find("p/99"), undefined);
    assert.equal(requests, 3);
  });
});

test("export takes a value whose tag looks like an MD5 and is none, as where the store encrypts by KMS", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-export-"));
  const etag = "0123456789abcdef".repeat(2);
  const serve: RequestListener = (request, response) => {
    const keys: PageKey[] = [{ key: "large", size: 5, etag, lastModified: "" }];
    if (request.url?.startsWith("/kv/?")) response.end(JSON.stringify({ keys, prefixes: [], next: null }));
    else response.writeHead(200, { etag: `"${etag}"`, "content-length": 5, "weir-version": "1" }).end("value");
  };
  try {
    await withServers([serve], async ([url = ""]) => {
      const outcome = await weir(["export", "out", "--url", url, "--json"], { cwd: folder });
      assert.equal(outcome.code, 0, outcome.stdout);
      assert.equal(readFileSync(join(folder, "out/large"), "utf8"), "value");
      const again = await weir(["export", "out", "--url", url, "--json"], { cwd: folder });
      assert.equal((JSON.parse(again.stdout) as { same: number }).same, 1);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("export does not take a value that is not what its tag says, but asks for it again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-export-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const etag = hash("md5", "value");
  let asked = 0;
  const serve: RequestListener = (request, response) => {
    const keys: PageKey[] = [{ key: "a", size: 5, etag, lastModified: "" }];
    if (request.url?.startsWith("/kv/?")) response.end(JSON.stringify({ keys, prefixes: [], next: null }));
    else
      response
        .writeHead(200, { etag: `"${etag}"`, "content-length": 5, "weir-version": "1" })
        .end(++asked === 1 ? "torn!" : "value");
  };
  await withServers([serve], async ([url = ""]) => {
    const outcome = await weir(["export", "out", "--url", url, "--json"], { cwd: folder });
    assert.equal(outcome.code, 0, outcome.stdout);
  });
  assert.equal(readFileSync(join(folder, "out/a"), "utf8"), "value");
});

test("justBefore is less than the key, whatever that ends with, and no longer than a key may be", () => {
  for (const key of ["a", "b\0", "\ue000", "\u{10000}", "\u{1F600}", "x/", "\0", "n".repeat(1024)]) {
    const before = justBefore(key);
    assert.ok(before.isWellFormed() && Buffer.byteLength(before) <= 1024);
    assert.ok(compareText(before, key) < 0, JSON.stringify(key));
  }
});
