/**
 * A node that is stopped while a load balancer sends it requests over kept connections: it says that it is not ready,
 * still serves for as long as the balancer takes to see that, and then ends connections with their answers. No request
 * fails, and what was begun is done to its end.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { request } from "node:http";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { BalancedClients } from "../harness/balanced-clients.ts";
import { TestCluster } from "../harness/cluster.ts";
import { pathOf } from "../harness/http-client.ts";

const mebibyte = 1024 ** 2;
/** Between two pieces that a slow client sends or reads, in milliseconds. */
const pieceMs = 100;

/** A PUT whose body comes piece by piece; the answer's status, and its error's code. */
function putSlowly(url: string, key: string, pieces: readonly Buffer[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const put = request(new URL(pathOf(key), url), { method: "PUT", agent: false }, (answer) => {
      const code = async (): Promise<string> => {
        let text = "";
        for await (const piece of answer) text += piece;
        return text === "" ? "" : ` ${(JSON.parse(text) as { readonly code: string }).code}`;
      };
      code().then((text) => resolve(`${answer.statusCode}${text}`), reject);
    });
    put.once("error", reject);
    put.setHeader("Content-Length", Buffer.concat(pieces).length);
    const send = async (): Promise<void> => {
      for (const piece of pieces) {
        put.write(piece);
        await sleep(systemClock, pieceMs);
      }
      put.end();
    };
    void send();
  });
}

/** A GET whose answer is read with pauses; the body's hash. */
function getSlowly(url: string, key: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const get = request(new URL(pathOf(key), url), { agent: false }, (answer) => {
      const read = async (): Promise<void> => {
        const pieces: Buffer[] = [];
        for await (const piece of answer) {
          pieces.push(piece as Buffer);
          if (pieces.length % 20 === 0) await sleep(systemClock, pieceMs);
        }
        resolve(hash("md5", Buffer.concat(pieces)));
      };
      read().catch(reject);
    });
    get.once("error", reject);
    get.end();
  });
}

test("a node stopped under load behind a balancer that looks at /readyz: no request fails, with each node in turn", async () => {
  await using cluster = await TestCluster.start({ config: { http: { drainMs: 1_000 } } });
  await using clients = new BalancedClients(cluster);
  for (const id of cluster.ids) {
    // Clients come to the node until the balancer's next look.
    await clients.untilReady(id);
    const before = clients.answered.get(id) ?? 0;
    const stopped = cluster.process(id).stop(20_000);
    await sleep(systemClock, 300);
    const own = await cluster.http.request(cluster.url(id), "GET", "/readyz");
    assert.deepEqual([own.status, own.code], [503, "not_ready"]);
    assert.equal((await cluster.put(id, "own", id)).status, 204, "it still serves");
    assert.equal((await stopped).code, 0);
    assert.ok((clients.answered.get(id) ?? 0) > before);
    cluster.restart(id);
    await cluster.untilReady();
  }
  await clients.stop();
  clients.assertServed("all stops");
});

test("what has been begun when a node is stopped is done to its end: slow and large uploads, a large download", async () => {
  await using cluster = await TestCluster.start();
  const url = cluster.url("c");
  const large = Buffer.alloc(12 * mebibyte, "a large value, read slowly; ");
  assert.equal((await cluster.put("a", "read", large)).status, 204);
  const piece = Buffer.alloc(mebibyte / 2, "uploaded slowly; ");
  const under = [
    putSlowly(
      url,
      "large",
      Array.from({ length: 24 }, () => piece),
    ),
    putSlowly(
      url,
      "small",
      Array.from({ length: 20 }, () => Buffer.from("bit by bit, ")),
    ),
    getSlowly(url, "read"),
  ] as const;
  await sleep(systemClock, 3 * pieceMs);
  const stopped = cluster.process("c").stop(30_000);
  assert.deepEqual(await Promise.all(under), ["204", "204", hash("md5", large)]);
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert.equal((await cluster.get("a", "large")).body.length, 24 * piece.length);
  assert.equal((await cluster.get("b", "small")).body.length, 20 * 12);
});

test("clients that come to a node until it is gone are answered, refused with nothing done, or not let in", async (t) => {
  await using cluster = await TestCluster.start();
  let goesOn = true;
  let stop = 0;
  const answers = new Map<string, number>();
  const acknowledged = new Map<string, string>();
  /** Who was reset in which stop. */
  const resets: string[] = [];
  const client = async (n: number): Promise<void> => {
    for (let m = 0; goesOn; m++) {
      const key = `key ${n}-${m % 20}`;
      const value = `value ${m}`;
      // Each on a connection of its own, as one whose balancer does not look at /readyz.
      const answer = await putSlowly(cluster.url("c"), key, [Buffer.from(value)]).catch(
        ({ code }: NodeJS.ErrnoException) => code ?? "unknown",
      );
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      if (answer === "204") acknowledged.set(key, value);
      if (answer === "ECONNRESET") resets.push(`client ${n} in stop ${stop}`);
      await sleep(systemClock, answer === "ECONNREFUSED" ? 100 : 10);
    }
  };
  const clients = Array.from({ length: 20 }, (_, n) => client(n));
  for (let n = 0; n < 3; n++) {
    // However slow the machine is, so much is answered before each stop.
    while ((answers.get("204") ?? 0) <= 200 * (n + 1)) await sleep(systemClock, 20);
    stop++;
    assert.equal((await cluster.process("c").stop(30_000)).code, 0);
    cluster.restart("c");
    await cluster.untilReady();
  }
  goesOn = false;
  await Promise.all(clients);
  t.diagnostic(JSON.stringify([...answers]));
  // Until it has joined again, it is not ready.
  const expected = ["204", "503 shutting_down", "503 not_ready", "ECONNREFUSED", "ECONNRESET"];
  assert.deepEqual(
    [...answers.keys()].filter((answer) => !expected.includes(answer)),
    [],
  );
  assert.ok((answers.get("204") ?? 0) > 500);
  // The system resets whom the node has not let in when it ends. http-finish.test.ts has those who came before.
  assert.equal(new Set(resets).size, resets.length, "the same one is reset twice");
  for (const [key, value] of acknowledged) assert.equal((await cluster.get("a", key)).body.toString(), value, key);
});
