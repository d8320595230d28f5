/**
 * Who gets a link: nobody without the secret, and whoever breaks the protocol loses it; the operator can see why on
 * both sides.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { dial } from "../../src/network/dial.ts";
import { frameKinds } from "../../src/network/frame.ts";
import { HandshakeChannel } from "../../src/network/handshake-channel.ts";
import { acceptHandshake, dialHandshake, protocolVersion } from "../../src/network/link-handshake.ts";
import { systemRandom } from "../../src/system.ts";
import { LinkPeer, linkedPair, quickSettings, writeOf } from "../harness/link-peer.ts";
import { hangMs, patienceMs } from "../harness/patience.ts";

const timeout = hangMs;
const never = new AbortController().signal;

/** A member `z` that has proven itself to `peer`, and now has the bare connection. */
async function bareLink(peer: LinkPeer): Promise<Duplex> {
  const socket = await dial({ url: peer.address.url, timeoutMs: 1000, tls: undefined }, never);
  const channel = new HandshakeChannel(socket, Buffer.alloc(0));
  const credentials = {
    identity: { id: "z", incarnation: systemRandom.id() },
    cluster: "test",
    clusterId: undefined,
    secrets: ["the secret of the test"],
    binding: Buffer.alloc(0),
    receive: quickSettings.receive,
  };
  await dialHandshake(channel, credentials, peer.identity.id, systemRandom.id());
  channel.release();
  socket.on("error", () => {});
  socket.resume();
  return socket;
}

/** The text of all that the server sends until it closes the connection. */
async function exchange(port: number, send: (socket: Socket) => void, localAddress = "127.0.0.1"): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  await once(socket, "connect");
  send(socket);
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

const upgrade = (protocol: string): string =>
  `GET /peer HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

function framed(message: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from([json.length >> 8, json.length & 255]), json]);
}

const hello = {
  type: "hello",
  version: protocolVersion,
  cluster: "test",
  id: "z",
  incarnation: systemRandom.id(),
  to: "b",
  nonce: systemRandom.id(),
  receive: quickSettings.receive,
};

for (const [dialler, acceptor] of [
  ["a", "b"],
  ["b", "a"],
] as const) {
  test(`link: with another secret ${dialler} gets none to ${acceptor}, and both logs say why without it`, {
    timeout,
  }, async () => {
    await using first = await LinkPeer.start(dialler, { secrets: ["secret one"] });
    await using second = await LinkPeer.start(acceptor, { secrets: ["secret two"] });
    first.network.setPeers([second.address]);
    await Promise.all([
      first.until(() => first.warnings().length > 0),
      second.until(() => second.warnings().length > 0),
    ]);
    for (const peer of [first, second]) {
      assert.match(peer.warnings()[0] ?? "", /do not have the same cluster secret/);
      assert.deepEqual(peer.events, []);
      const said = JSON.stringify([peer.logged, peer.warnings()]);
      assert.equal(said.includes("secret one") || said.includes("secret two"), false);
    }
  });
}

test("link: a caller who does not know the secret gets no proof of it to guess on", { timeout }, async () => {
  await using b = await LinkPeer.start("b");
  const said = await exchange(b.port, (socket) => {
    socket.write(upgrade("weir-peer/1"));
    socket.write(framed(hello));
    socket.write(framed({ type: "proof", proof: "0".repeat(64) }));
  });
  assert.match(said, /101 Switching Protocols/);
  assert.match(said, /"code":"secret"/);
  assert.equal(said.includes('"proof"') || said.includes("the secret of the test"), false);
});

/** Takes calls as "b" might that knows no secret: `answer` has the connection behind the upgrade, once for each. */
async function impostor(answer: (channel: HandshakeChannel) => Promise<void>): Promise<Server & { url: string }> {
  const server = createServer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: weir-peer/1\r\n\r\n");
      void answer(new HandshakeChannel(socket, Buffer.alloc(0))).catch(() => {});
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

test("link: who is called proves to know the secret by a proof of its own, not the caller's sent back", {
  timeout,
}, async () => {
  const server = await impostor(async (channel) => {
    await channel.read();
    channel.write(Buffer.from(JSON.stringify({ ...hello, id: "b", to: "a" })));
    channel.write(await channel.read());
  });
  await using a = await LinkPeer.start("a");
  a.network.setPeers([{ id: "b", url: server.url }]);
  await a.until(() => a.warnings().length > 0 || a.events.length > 0);
  assert.match(a.warnings()[0] ?? "", /do not have the same cluster secret/);
  assert.deepEqual(a.events, []);
  server.close();
});

test("link: who is not the one that was called gets no proof", { timeout }, async () => {
  const told = Promise.withResolvers<string>();
  const server = await impostor(async (channel) => {
    await channel.read();
    channel.write(Buffer.from(JSON.stringify({ ...hello, id: "x", to: "a" })));
    told.resolve(String(await channel.read()));
  });
  await using a = await LinkPeer.start("a");
  a.network.setPeers([{ id: "b", url: server.url }]);
  assert.match(await told.promise, /"code":"wrong_id".*called as \\"b\\" is \\"x\\"/);
  server.close();
});

test("link: a caller who may have one no more once it has proven itself gets none", { timeout }, async () => {
  const [ours, theirs] = duplexPair();
  const channels = [ours, theirs].map((socket) => new HandshakeChannel(socket, Buffer.alloc(0)));
  const [dialler, acceptor] = channels as [HandshakeChannel, HandshakeChannel];
  const credentials = (id: string) => ({
    identity: { id, incarnation: systemRandom.id() },
    cluster: "test",
    clusterId: undefined,
    secrets: ["the secret of the test"],
    binding: Buffer.alloc(0),
    receive: quickSettings.receive,
  });
  const closing = { code: "closing", detail: "it is stopping" } as const;
  const looks = [undefined, closing];
  const accepted = acceptHandshake(acceptor, credentials("b"), systemRandom.id(), () => looks.shift());
  const dialled = dialHandshake(dialler, credentials("a"), "b", systemRandom.id());
  await assert.rejects(accepted, { code: "closing" });
  await assert.rejects(dialled, { code: "closing" });
});

test("link: a recorded conversation played again is refused", { timeout }, async () => {
  await using b = await LinkPeer.start("b");
  const recorded: Buffer[] = [];
  const recorder = createServer((inner) => {
    const outer = connect(b.port, "127.0.0.1");
    inner.on("data", (chunk: Buffer) => recorded.push(chunk));
    inner.pipe(outer).pipe(inner);
    inner.on("error", () => {});
    outer.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(recorder, "listening");
  {
    await using a = await LinkPeer.start("a");
    a.network.setPeers([{ id: "b", url: `http://127.0.0.1:${(recorder.address() as { port: number }).port}` }]);
    await a.untilLinked(b);
    assert.equal((await a.network.request("b", writeOf(1, 10), 1000)).kind, "ack");
  }
  recorder.close();
  await b.until(() => b.network.linked("a") === undefined);
  const said = await exchange(b.port, (socket) => socket.write(Buffer.concat(recorded)));
  assert.match(said, /"code":"secret"/);
  assert.equal(b.ups("a"), 1);
});

test("link: another cluster, another version, an own id and a wrong address are refused in plain words", {
  timeout,
}, async () => {
  await using b = await LinkPeer.start("b");
  const refusals: [object, RegExp][] = [
    [{ ...hello, cluster: "other" }, /"code":"cluster".*\\"z\\" is of the cluster \\"other\\"/],
    [{ ...hello, version: 1 }, new RegExp(`"code":"version".*version 1 .*version ${protocolVersion}"`)],
    [{ ...hello, version: protocolVersion + 1, cluster: 5, somethingNew: true }, /"code":"version"/],
    [{ ...hello, id: "b" }, /"code":"self".*two running nodes have the id/],
    [{ ...hello, to: "x" }, /"code":"wrong_id".*called this node as \\"x\\"/],
  ];
  for (const [message, expected] of refusals) {
    const said = await exchange(b.port, (socket) => {
      socket.write(upgrade("weir-peer/1"));
      socket.write(framed(message));
    });
    assert.match(said, expected);
    assert.equal(said.includes("test"), false, "the cluster's name is not told to strangers");
  }
  assert.equal(b.warnings().length, 4, "one warning for each code");
  await using a = await LinkPeer.start("a");
  a.network.setPeers([{ id: "c", url: b.address.url }]);
  await a.until(() => a.warnings().length > 0);
  assert.match(a.warnings()[0] ?? "", /the peer refused: "a" called this node as "c", but it is "b"/);
  assert.match(a.network.refused("c") ?? "", /called this node as "c", but it is "b"/);
  a.network.setPeers([b.address]);
  await a.untilLinked(b);
  assert.deepEqual([a.network.refused("b"), a.network.refused("c")], [undefined, undefined]);
});

test("link: a stranger with many addresses gets one line in the log for each reason", { timeout }, async () => {
  await using b = await LinkPeer.start("b");
  for (const address of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) {
    const call = (socket: Socket): void => {
      socket.write(upgrade("weir-peer/1"));
      socket.write(framed({ ...hello, cluster: "other" }));
    };
    assert.match(await exchange(b.port, call, address), /"code":"cluster"/);
  }
  assert.equal(b.warnings().length, 1);
  assert.equal(b.logged.find(({ level }) => level === "warn")?.fields["address"], "127.0.0.2");
});

test("link: nodes of two clusters with one name get none, and both logs say so (V56)", { timeout }, async () => {
  await using a = await LinkPeer.start("a", { clusterId: "1" });
  await using b = await LinkPeer.start("b", { clusterId: "2" });
  await using c = await LinkPeer.start("c");
  a.network.setPeers([b.address, c.address]);
  await a.untilLinked(c);
  await Promise.all([a, b].map(async (each) => await each.until(() => each.warnings().length > 0)));
  for (const { warnings } of [a, b].map((each) => ({ warnings: each.warnings() })))
    assert.match(warnings[0] ?? "", /are of two clusters with the name "test"/);
  assert.deepEqual([a.ups("b"), b.ups("a")], [0, 0]);
});

test("link: a process that its callee takes for no member gets none, is told, and the callee's log names it (V57)", {
  timeout,
}, async () => {
  const refusal = (): string => "it is another process of that id";
  await using a = await LinkPeer.start("a");
  await using b = await LinkPeer.start("b", { refusal });
  a.network.setPeers([b.address]);
  await a.until(() => a.events.includes("refused by b"));
  await b.until(() => b.warnings().length > 0);
  assert.match(b.warnings()[0] ?? "", /a peer's call was refused: .*another process of that id/);
  assert.deepEqual([a.ups("b"), b.ups("a")], [0, 0]);
});

test("link: a member whose address leads back to itself says so", { timeout }, async () => {
  await using a = await LinkPeer.start("a");
  a.network.setPeers([{ id: "b", url: a.address.url }]);
  await a.until(() => a.warnings().length > 0);
  assert.match(a.warnings().join(" "), /called this node as "b", but it is "a"/);
});

test("link: a server that is no weir is reported as such, and dialled again", { timeout }, async () => {
  await using a = await LinkPeer.start("a");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  a.network.setPeers([{ id: "b", url: `http://127.0.0.1:${(server.address() as { port: number }).port}` }]);
  await once(server, "connection");
  await once(server, "connection");
  await a.until(() => a.warnings().length > 0);
  assert.match(a.warnings()[0] ?? "", /does not take calls of peers/);
  server.close();
});

test("link: malformed handshakes close the connection at once", { timeout }, async () => {
  await using b = await LinkPeer.start("b", { settings: { handshakeMs: 60_000 } });
  const { nonce: _nonce, ...noNonce } = hello;
  for (const message of [Buffer.from([255, 255]), framed("text"), framed(noNonce), Buffer.from([0, 3, 65, 66, 67])]) {
    await exchange(b.port, (socket) => {
      socket.write(upgrade("weir-peer/1"));
      socket.write(message);
    });
  }
  assert.deepEqual(b.events, []);
});

test("link: callers that say nothing are few, and not for long", { timeout: patienceMs(5_000) }, async () => {
  await using b = await LinkPeer.start("b", { settings: { maxHandshakes: 2, handshakeMs: 200 } });
  const silent = [1, 2].map(() => exchange(b.port, (socket) => socket.write(upgrade("weir-peer/1"))));
  for (const said of await Promise.all(silent)) assert.match(said, /^HTTP\/1.1 101/);
});

test("link: callers that say nothing do not keep a peer out", { timeout }, async () => {
  await using b = await LinkPeer.start("b", { settings: { maxHandshakes: 2, handshakeMs: 60_000 } });
  const ended: number[] = [];
  const silent: Promise<void>[] = [];
  for (const n of [1, 2]) {
    const said = exchange(b.port, (socket) => socket.write(upgrade("weir-peer/1")));
    silent.push(said.then(() => void ended.push(n)));
    await b.until(() => b.sockets.length === n);
  }
  await using a = await LinkPeer.start("a");
  a.network.setPeers([b.address]);
  await a.untilLinked(b);
  await Promise.race(silent);
  assert.deepEqual(ended, [1], "one is enough: that which has said nothing for longest");
  await b.network[Symbol.asyncDispose]();
  await Promise.all(silent);
});

test("link: callers that are gone, or have their link, do not count as too many at once", { timeout }, async () => {
  await using b = await LinkPeer.start("b", { settings: { maxHandshakes: 1 } });
  for (let call = 0; call < 3; call++) {
    await exchange(b.port, (socket) => {
      socket.write(upgrade("weir-peer/1"));
      socket.write(framed("text"));
    });
    (await bareLink(b)).destroy();
  }
  assert.deepEqual(b.warnings(), []);
});

test("link: another protocol in the upgrade is answered with the one that is spoken", { timeout }, async () => {
  await using b = await LinkPeer.start("b");
  const said = await exchange(b.port, (socket) => socket.write(upgrade("websocket")));
  assert.match(said, /^HTTP\/1.1 426 .*Upgrade: weir-peer\/1/s);
});

const wrongs: Record<string, Buffer> = {
  "a frame of no kind": Buffer.alloc(16, 255),
  "a frame over the limit": frame(frameKinds.request, 0, 2 ** 31),
  "a payload over the limit": Buffer.concat([frame(frameKinds.request, 0, 10, 2 ** 31), Buffer.alloc(10)]),
  "a credit for what was not sent": frame(frameKinds.credit, 0, 0, 0, 5),
  "a head that is no message": Buffer.concat([frame(frameKinds.request, 3, 3), Buffer.from([200, 1, 2])]),
  "an answer that is cut short": Buffer.concat([frame(frameKinds.answer, 1, 1), Buffer.from([36 + 1])]),
};

function frame(kind: number, headLength: number, length: number, size = 0, number = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(length, 0);
  header.writeUInt32LE(kind + headLength * 256, 4);
  header.writeUInt32LE(number, 8);
  header.writeUInt32LE(size, 12);
  return header;
}

for (const [wrong, bytes] of Object.entries(wrongs)) {
  test(`link: ${wrong} closes the link it came on, with a warning, and no other`, { timeout }, async () => {
    const [a, b] = await linkedPair();
    await using _a = a;
    await using _b = b;
    const socket = await bareLink(b);
    const closed = once(socket, "close");
    socket.write(bytes);
    await closed;
    await b.until(() => b.events.at(-1)?.startsWith("down z") === true);
    assert.match(b.warnings()[0] ?? "", /a peer broke the protocol/);
    // At once, and not for the silence that follows.
    const reasons = b.logged.map(({ fields }) => String(fields["reason"]));
    assert.ok(
      reasons.some((reason) => reason.startsWith("the peer broke the protocol")),
      reasons.join("; "),
    );
    assert.equal((await a.network.request("b", writeOf(1, 10), 1000)).kind, "ack");
    assert.equal(a.ups("b"), 1);
  });
}
