/**
 * What one caller does uses up its own share of a node, never another's: a token that holds all that it can get of
 * something, in each way there is, and another token that is served all the same.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { sleep } from "../../src/base/clock.ts";
import type { ValueStream } from "../../src/core/operation.ts";
import type { HttpSettings } from "../../src/http/server/http-settings.ts";
import { systemClock } from "../../src/system.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { assertProblem, HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { RawConnection, rawRequest } from "../harness/raw-http.ts";
import { presignS3, sendS3, testKeyRule } from "../harness/s3-request.ts";
import { tokenOf } from "../harness/tokens.ts";

const timeout = hangMs;
const kibibyte = 1_024;
const mebibyte = 1_024 * kibibyte;
const greedy = tokenOf("greedy", ["read", "write"]);
const third = tokenOf("third", ["read", "write"]);
const modest = tokenOf("modest", ["read", "write"]);
const operator = tokenOf("operator", ["monitor"]);
const by = ({ token }: typeof greedy): string => `Authorization: Bearer ${token}`;
const head = (method: string, target: string, ...headers: string[]): string =>
  `${[`${method} ${target} HTTP/1.1`, "Host: test", ...headers].join("\r\n")}\r\n\r\n`;

async function startHost(settings: Partial<HttpSettings> = {}): Promise<HttpHost> {
  const host = await HttpHost.start({
    maxValueBytes: mebibyte,
    inFlightBytes: 8 * mebibyte,
    lingerMs: 50,
    ...settings,
  });
  host.access.setRules({ tokens: [greedy.rule, modest.rule, third.rule] });
  return host;
}

/** Connections of the greedy one, which are closed in the end. */
class Greedy implements AsyncDisposable {
  readonly connections: RawConnection[] = [];
  readonly #host: HttpHost;

  constructor(host: HttpHost) {
    this.#host = host;
  }

  async open(count: number, data: string | Buffer): Promise<void> {
    for (let index = 0; index < count; index++) {
      const connection = await this.#host.connect();
      connection.send(data);
      this.connections.push(connection);
    }
    // What was sent before this has been taken in by the time this is answered.
    assert.equal((await this.#host.request("GET", "/healthz")).status, 200);
    await sleep(systemClock, 50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) await connection[Symbol.asyncDispose]();
  }
}

async function put(host: HttpHost, bytes: number): Promise<number> {
  const { status } = await host.request("PUT", "/kv/modest", [by(modest)], Buffer.alloc(bytes));
  return status;
}

describe("the room for bodies", { timeout }, () => {
  test("is all for the largest value, if there is no more", async () => {
    await using host = await startHost({ inFlightBytes: mebibyte });
    assert.equal(await put(host, mebibyte), 204);
  });

  test("is not used up by announcing much", async () => {
    await using host = await startHost();
    await using others = new Greedy(host);
    await others.open(64, head("PUT", "/kv/a", by(greedy), `Content-Length: ${mebibyte}`));
    assert.equal(await put(host, mebibyte), 204);
  });

  test("is given up by who has most of it, when another comes: by the bodies that began last", async () => {
    await using host = await startHost();
    await using others = new Greedy(host);
    const most = Buffer.concat([
      Buffer.from(head("PUT", "/kv/a", by(greedy), `Content-Length: ${mebibyte}`)),
      Buffer.alloc(mebibyte - 1),
    ]);
    await others.open(12, most);
    assert.deepEqual([await put(host, mebibyte), await put(host, mebibyte)], [204, 204]);
    const [first] = others.connections as [RawConnection];
    assert.equal((await first.send("x").answer()).status, 204, "the oldest ends well");
    assertProblem(await (others.connections.at(-1) as RawConnection).answer(), 503, "overloaded");
    const { refused, givenUp } = host.server.shares.losses("body_bytes");
    assert.ok((refused.get("greedy") ?? 0) + (givenUp.get("greedy") ?? 0) > 0);
    assert.equal(refused.get("modest"), undefined);
  });

  test("is not used up by bodies that are whole, and wait", async () => {
    await using host = await startHost();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    await others.open(16, rawRequest("PUT", "/kv/a", [by(greedy)], Buffer.alloc(mebibyte)));
    host.operations.gate = undefined;
    assert.equal(await put(host, mebibyte), 204);
    open();
  });
});

describe("the places for uploads", { timeout }, () => {
  const settings = { maxStreamBytes: 100 * mebibyte, uploads: 3 };
  const begunBy = (token: typeof greedy): string =>
    head("PUT", "/kv/a", by(token), `Content-Length: ${50 * mebibyte}`) + "x".repeat(kibibyte);
  const begun = begunBy(greedy);

  test("are given up by who has most of them, when another comes", async () => {
    await using host = await startHost(settings);
    await using others = new Greedy(host);
    await others.open(2, begun);
    await others.open(1, begunBy(third));
    assert.equal(await put(host, 2 * mebibyte), 204);
    assertProblem(await (others.connections[1] as RawConnection).answer(), 503, "overloaded");
    assert.equal(host.server.shares.used("uploads"), 2);
  });

  test("are not used up by values that are whole, and wait for the store", async () => {
    await using host = await startHost({ ...settings, inFlightBytes: 64 * mebibyte });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    await others.open(4, rawRequest("PUT", "/kv/a", [by(greedy)], Buffer.alloc(2 * mebibyte)));
    // Until those that have a place are whole.
    const areWhole = (): boolean => host.operations.calls === host.server.shares.used("uploads");
    for (let tries = 0; tries < 1_000 && !areWhole(); tries++) await sleep(systemClock, 10);
    assert.ok(areWhole() && host.operations.calls >= 2);
    host.operations.gate = undefined;
    assert.equal(await put(host, 2 * mebibyte), 204);
    open();
  });

  test("are given back by who sends a byte now and then", async () => {
    await using host = await startHost({ ...settings, bodyIdleMs: 300, leastBytesPerSecond: 1_000 });
    await using others = new Greedy(host);
    await others.open(1, begun);
    const [slow] = others.connections as [RawConnection];
    const trickle = systemClock.now();
    while (host.server.shares.used("uploads") > 0) {
      slow.send("x");
      await sleep(systemClock, 20);
    }
    assertProblem(await slow.answer(), 408, "body_timeout");
    assert.ok(systemClock.now() - trickle < 5_000);
  });
});

describe("the places for downloads", { timeout }, () => {
  /** A value that is only in the store, of which as much comes as is taken. */
  async function hostOfLarge(settings: Partial<HttpSettings>): Promise<HttpHost> {
    const host = await startHost({ downloads: 2, ...settings });
    const info = { epoch: 1, seq: 1, headers: {}, md5: "0".repeat(32), modifiedMs: 0, size: 64 * mebibyte };
    host.operations.read = () => Promise.resolve({ kind: "stored", info });
    host.operations.open = async (_key?: string, _tag?: string, start = 0, end = 0): Promise<ValueStream> => ({
      async *[Symbol.asyncIterator]() {
        for (let at = start; at < end; at += mebibyte) yield Buffer.alloc(Math.min(mebibyte, end - at));
      },
      async [Symbol.asyncDispose]() {},
    });
    return host;
  }

  async function read(host: HttpHost): Promise<number> {
    const { status, body } = await host.request("GET", "/kv/large", [by(modest), "Range: bytes=0-9"]);
    assert.equal(body.length, 10);
    return status;
  }

  async function silentReader(host: HttpHost): Promise<Socket> {
    const socket = connect(host.port, "127.0.0.1");
    await once(socket, "connect");
    socket.pause();
    socket.on("error", () => {});
    socket.write(rawRequest("GET", "/kv/large", [by(greedy)]));
    return socket;
  }

  test("are given up by who has most of them, when another comes", async () => {
    await using host = await hostOfLarge({});
    const sockets = [await silentReader(host), await silentReader(host)];
    while (host.server.shares.used("downloads") < 2) await sleep(systemClock, 10);
    assert.equal(await read(host), 206);
    assert.equal(host.server.shares.used("downloads"), 1);
    for (const socket of sockets) socket.destroy();
  });

  test("are given up with a refusal as long as the answer has not begun", async () => {
    await using host = await hostOfLarge({});
    const open = host.operations.open.bind(host.operations);
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    host.operations.open = async (...args) => {
      if (args[2] === 0) await goOn;
      return await open(...args);
    };
    const refused = [0, 1].map(() => host.request("GET", "/kv/large", [by(greedy), "Range: bytes=0-9"]));
    while (host.server.shares.used("downloads") < 2) await sleep(systemClock, 10);
    const other = await host.request("GET", "/kv/large", [by(modest), "Range: bytes=5-14"]);
    assert.equal(other.body.length, 10);
    resolve();
    const answers = await Promise.allSettled(refused);
    assert.deepEqual(
      answers.map((each) => (each.status === "fulfilled" ? each.value.status : each.reason)),
      [206, 503],
    );
  });

  test("are given back by who reads a little now and then", async () => {
    await using host = await hostOfLarge({ bodyIdleMs: 300, leastBytesPerSecond: 100 * mebibyte });
    const socket = await silentReader(host);
    let received = 0;
    socket.on("data", (chunk: Buffer) => (received += chunk.length));
    while (host.server.shares.used("downloads") === 0) await sleep(systemClock, 10);
    const since = systemClock.now();
    while (host.server.shares.used("downloads") > 0) {
      socket.resume();
      await sleep(systemClock, 1);
      socket.pause();
      await sleep(systemClock, 30);
    }
    assert.ok(systemClock.now() - since < 8_000 && received < 64 * mebibyte, `${received} bytes`);
    socket.destroy();
  });
});

describe("the room for requests that wait for an earlier answer", { timeout }, () => {
  test("is bounded, and given back", async () => {
    await using host = await startHost({ unreadBytes: mebibyte });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    const first = rawRequest("GET", "/kv/a", [by(greedy)]);
    const more = rawRequest("GET", "/kv/a", [by(greedy), `Padding: ${"x".repeat(15_000)}`]);
    await others.open(12, Buffer.concat([first, ...Array.from({ length: 10 }, () => more)]));
    const used = host.server.shares.used("unread_bytes");
    assert.ok(used > 6 * 10 * 15_000 && used <= mebibyte, `${used} bytes`);
    open();
    const [connection] = others.connections as [RawConnection];
    for (let index = 0; index < 11; index++) assert.equal((await connection.answer()).status, 404);
    for (const each of others.connections) each.socket.destroy();
    await sleep(systemClock, 100);
    assert.equal(host.server.shares.used("unread_bytes"), 0);
  });

  test("counts what may have come of their bodies", async () => {
    await using host = await startHost();
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using connection = await host.connect();
    const body = Buffer.alloc(50_000);
    connection.send(rawRequest("GET", "/kv/a", [by(greedy)]));
    connection.send(rawRequest("PUT", "/kv/a", [by(greedy)], body));
    await sleep(systemClock, 100);
    assert.ok(host.server.shares.used("unread_bytes") > body.length);
    open();
    assert.deepEqual([(await connection.answer()).status, (await connection.answer()).status], [404, 204]);
    assert.equal(host.server.shares.used("unread_bytes"), 0);
  });

  test("is given back when the connection ends", async () => {
    await using host = await startHost({ finishMs: 50 });
    host.operations.gate = new Promise(() => {});
    await using others = new Greedy(host);
    await others.open(1, Buffer.concat(Array.from({ length: 5 }, () => rawRequest("GET", "/kv/a", [by(greedy)]))));
    assert.ok(host.server.shares.used("unread_bytes") > 4 * 1_500);
    others.connections[0]?.socket.resetAndDestroy();
    await sleep(systemClock, 100);
    assert.equal(host.server.shares.used("unread_bytes"), 0);
  });
});

describe("the places for requests", { timeout }, () => {
  test("are not needed by operators", async () => {
    await using host = await startHost({ requests: 3 });
    host.access.setRules({ tokens: [greedy.rule, third.rule, operator.rule] });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    await others.open(3, rawRequest("GET", "/kv/a", [by(greedy)]));
    await others.open(1, rawRequest("GET", "/kv/a", [by(third)]));
    assert.equal(host.server.shares.used("requests"), 3);
    assert.equal((await host.request("GET", "/cluster", [by(operator)])).status, 200);
    open();
  });

  test("are not used up by one caller", async () => {
    await using host = await startHost({ requests: 10 });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    await others.open(12, rawRequest("GET", "/kv/a", [by(greedy)]));
    assert.equal(host.server.shares.used("requests"), 8);
    assertProblem(await (others.connections.at(-1) as RawConnection).answer(), 503, "overloaded");
    host.operations.gate = undefined;
    assert.equal(await put(host, 10), 204);
    open();
    for (const connection of others.connections.slice(0, 8)) assert.equal((await connection.answer()).status, 404);
    assert.equal(host.server.shares.used("requests"), 0);
  });
});

describe("the places for listings", { timeout }, () => {
  test("are not used up by who lists much", async () => {
    await using host = await startHost({ listings: 5 });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    await using others = new Greedy(host);
    await others.open(8, rawRequest("GET", "/kv/?prefix=a", [by(greedy)]));
    assert.equal(host.server.shares.used("listings"), 4);
    assertProblem(await (others.connections.at(-1) as RawConnection).answer(), 503, "overloaded");
    // Its other requests are no listings.
    host.operations.gate = undefined;
    assert.equal((await host.request("GET", "/kv/a", [by(greedy)])).status, 404);
    assert.equal((await host.request("GET", "/kv/?prefix=a", [by(modest)])).status, 200);
    open();
    for (const connection of others.connections.slice(0, 4)) assert.equal((await connection.answer()).status, 200);
    assert.equal(host.server.shares.used("listings"), 0);
  });
});

describe("the places for connections", { timeout }, () => {
  async function from(address: string, host: HttpHost): Promise<Socket> {
    const socket = connect({ port: host.port, host: "127.0.0.1", localAddress: address });
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  }

  test("are given up by the address that has most of them, by one without a request under way", async () => {
    await using host = await startHost({ connections: 4, spareConnections: 16 });
    let open = (): void => {};
    host.operations.gate = new Promise((resolve) => (open = resolve));
    const greedySockets: Socket[] = [];
    for (let index = 0; index < 30; index++) greedySockets.push(await from("127.0.0.2", host));
    const busy = greedySockets[3] as Socket;
    busy.write(rawRequest("GET", "/kv/a", [by(greedy)]));
    await sleep(systemClock, 100);
    for (const address of ["127.0.0.3", "127.0.0.4"]) {
      const socket = await from(address, host);
      socket.write(rawRequest("GET", "/healthz"));
      const [answer] = (await once(socket, "data")) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 /, address);
    }
    assert.equal(host.server.shares.used("connections"), 4);
    open();
    const [answer] = (await once(busy, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 404 /, "a request under way is not cut off");
    for (const socket of greedySockets) socket.destroy();
  });

  const unfinished = [
    ["a body that does not come", [by(greedy)]],
    ["a body that nobody wanted", []],
  ] as const;
  for (const [what, headers] of unfinished) {
    test(`are given up also by requests that wait for their clients: ${what}`, async () => {
      await using host = await startHost({ connections: 4, spareConnections: 16, lingerMs: 10_000, finishMs: 50 });
      const greedySockets: Socket[] = [];
      for (let index = 0; index < 20; index++) {
        const socket = await from("127.0.0.2", host);
        socket.write(`${head("PUT", "/kv/a", ...headers, "Content-Length: 10")}x`);
        greedySockets.push(socket);
      }
      await sleep(systemClock, 100);
      const socket = await from("127.0.0.3", host);
      let answer = "";
      socket.on("data", (chunk: Buffer) => (answer += chunk));
      socket.end(rawRequest("GET", "/healthz"));
      await once(socket, "close");
      for (const each of greedySockets) each.destroy();
      assert.match(answer, /^HTTP\/1\.1 200 /);
    });
  }

  test("are kept free for peers and operators, however many addresses hold all others and say nothing", async () => {
    const taken: Duplex[] = [];
    const onUpgrade = (_request: IncomingMessage, socket: Duplex): unknown => taken.push(socket);
    const settings = { connections: 4, spareConnections: 16 };
    await using host = await HttpHost.start(settings, { onUpgrade, upgradeProtocol: "other" });
    host.access.setRules({ tokens: [modest.rule, operator.rule] });
    const silent: Socket[] = [];
    // Each has one connection: none has more than who comes next.
    for (let index = 2; index < 42; index++) silent.push(await from(`127.0.1.${index}`, host));
    const peer = await from("127.0.0.3", host);
    peer.write(head("GET", "/peer", "Connection: Upgrade", "Upgrade: other"));
    for (let tries = 0; tries < 400 && taken.length === 0; tries++) await sleep(systemClock, 5);
    assert.equal(taken.length, 1, "the peer's call is taken");
    const ask = async (address: string, of: typeof modest, target: string): Promise<string> => {
      const socket = await from(address, host);
      socket.write(rawRequest("GET", target, [by(of)]));
      const [answer] = (await once(socket, "data")) as [Buffer];
      return answer.toString().slice(9, 12);
    };
    assert.equal(await ask("127.0.0.4", operator, "/cluster"), "200");
    assert.equal(await ask("127.0.0.5", modest, "/cluster"), "403");
    assert.equal(await ask("127.0.0.6", modest, "/kv/a"), "503");
    // What was taken over is no connection of clients: it is not closed for others.
    for (let index = 50; index < 80; index++) silent.push(await from(`127.0.1.${index}`, host));
    await sleep(systemClock, 50);
    assert.equal(taken[0]?.destroyed, false);
    for (const each of [...silent, peer, ...taken]) each.destroy();
  });

  test("are given back by clients that reset their connections before these are heard", async () => {
    await using host = await startHost({ connections: 16, spareConnections: 16 });
    for (let burst = 0; burst < 10; burst++) {
      const closed: Promise<unknown>[] = [];
      for (let index = 0; index < 10; index++) {
        const socket = connect({ port: host.port, host: "127.0.0.1", localAddress: "127.0.0.2" });
        socket.once("connect", () => socket.resetAndDestroy());
        closed.push(once(socket, "close"));
      }
      await Promise.all(closed);
      await sleep(systemClock, 20);
    }
    // On a loaded machine the last reset is heard late.
    for (let tries = 0; tries < 400 && host.server.shares.used("connections") > 0; tries++) await sleep(systemClock, 5);
    assert.equal(host.server.shares.used("connections"), 0);
  });

  test("are left by a connection that goes over to another protocol", async () => {
    const taken: Duplex[] = [];
    const onUpgrade = (_request: IncomingMessage, socket: Duplex): unknown => taken.push(socket);
    await using host = await HttpHost.start({}, { onUpgrade, upgradeProtocol: "other" });
    const socket = await from("127.0.0.2", host);
    socket.write(head("GET", "/", "Connection: Upgrade", "Upgrade: other"));
    while (taken.length === 0) await sleep(systemClock, 5);
    assert.equal(host.server.shares.used("connections"), 0);
    for (const each of [socket, ...taken]) each.destroy();
  });

  test("are given up also by clients that never speak TLS", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weir-shares-"));
    const { cert, key } = new CertificateAuthority(folder).issue();
    const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    await using host = await HttpHost.start({ connections: 4, spareConnections: 16 }, { tls });
    const silent: Socket[] = [];
    for (let index = 0; index < 30; index++) silent.push(await from("127.0.0.2", host));
    const socket = connectTls({ socket: await from("127.0.0.3", host), rejectUnauthorized: false });
    await once(socket, "secureConnect");
    socket.write(rawRequest("GET", "/healthz"));
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    for (const each of [...silent, socket]) each.destroy();
    rmSync(folder, { recursive: true, force: true });
  });
});

test("the room of a body without a length is given back when its write is refused before it is read on", {
  timeout,
}, async () => {
  const maxValueBytes = 100 * kibibyte;
  const sizes = { maxValueBytes, maxStreamBytes: 10 * mebibyte, inFlightBytes: mebibyte };
  const buckets = { buckets: [{ name: "all", prefix: "" }], createBuckets: false, domain: undefined };
  await using host = await HttpHost.start({ ...sizes, lingerMs: 50 }, { s3: buckets, s3Alone: true });
  host.access.setRules({ tokens: [], s3Keys: [testKeyRule] });
  assert.equal((await sendS3(host, { method: "PUT", path: "/all/k", body: "1" })).status, 200);
  const address = `127.0.0.1:${host.port}`;
  const target = await presignS3({ method: "PUT", path: "/all/k" }, address);
  const lines = ["If-None-Match: *", "Transfer-Encoding: chunked"];
  const request = `PUT ${target} HTTP/1.1\r\nHost: ${address}\r\n${lines.join("\r\n")}\r\n\r\n`;
  const bytes = 150 * kibibyte;
  const body = `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n0\r\n\r\n`;
  // Twice as many as there is room for.
  for (let count = 0; count < 16; count++) {
    await using connection = await RawConnection.open(host.port);
    connection.send(request + body);
    assert.equal((await connection.answer()).status, 412, `request ${count}`);
  }
  assert.equal(host.server.shares.used("body_bytes"), 0);
});
