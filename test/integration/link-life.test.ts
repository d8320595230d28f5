/**
 * How links come and go: dialled from either end or both at once, replaced by newer ones, closed when the other end is
 * silent (W27).
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { defaultLinkSettings } from "../../src/network/link-settings.ts";
import { systemClock } from "../../src/system.ts";
import { LinkPeer, linkedPair, writeOf } from "../harness/link-peer.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

test("link: both ends that dial at once have one link soon, every time", { timeout }, async () => {
  for (let round = 0; round < 40; round += 1) {
    await using a = await LinkPeer.start("a");
    await using b = await LinkPeer.start("b");
    const [first, second] = round % 2 === 0 ? [a, b] : [b, a];
    first.network.setPeers([second.address]);
    if (round % 4 > 1) await new Promise(setImmediate);
    second.network.setPeers([first.address]);
    await Promise.all([a.untilLinked(b), b.untilLinked(a)]);
    const answers = await Promise.all([
      a.network.request("b", writeOf(1, 10), 2000),
      b.network.request("a", writeOf(1, 10), 2000),
    ]);
    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ["ack", "ack"],
    );
    assert.deepEqual([a.ups("b"), b.ups("a")], [1, 1], `round ${round}`);
    const refused = b.logged.filter(({ fields }) => String(fields["error"]).includes("is just calling"));
    assert.equal(refused.length, 0, "the one with the larger id never insists");
  }
});

test("link: three members that all dial each other have three links, which stay", { timeout }, async () => {
  await using a = await LinkPeer.start("a");
  await using b = await LinkPeer.start("b");
  await using c = await LinkPeer.start("c");
  const all = [a, b, c];
  // Each list has its own member in it, as the file that all hosts share does.
  for (const peer of all) peer.network.setPeers(all.map(({ address }) => address));
  for (const peer of all) for (const other of all) if (other !== peer) await peer.untilLinked(other);
  for (const peer of all)
    for (const other of all) if (other !== peer) await peer.network.request(other.identity.id, writeOf(1, 9), 2000);
  for (const peer of all) assert.equal(peer.events.length, 2);
  assert.deepEqual(
    all.flatMap((peer) => peer.warnings()),
    [],
  );
});

test("link: one that broke is made again when both ends dial, without flapping", { timeout }, async () => {
  const [a, b] = await linkedPair();
  await using _a = a;
  await using _b = b;
  b.network.setPeers([a.address]);
  for (let round = 2; round <= 10; round += 1) {
    a.sockets.at(-1)?.destroy();
    b.sockets.at(-1)?.destroy();
    await Promise.all([a.until(() => a.ups("b") === round), b.until(() => b.ups("a") === round)]);
    await a.network.request("b", writeOf(1, 10), 2000);
  }
  assert.deepEqual([a.ups("b"), b.ups("a")], [10, 10]);
});

test("link: a peer that starts after it is dialled is reached", { timeout }, async () => {
  const early = await LinkPeer.start("b");
  const address = early.address;
  const port = early.port;
  await early[Symbol.asyncDispose]();
  await using a = await LinkPeer.start("a");
  a.network.setPeers([address]);
  await a.until(() => a.warnings().length > 0);
  assert.match(a.warnings()[0] ?? "", /no link to a peer/);
  await using b = await LinkPeer.start("b", { port });
  await a.untilLinked(b);
});

test("link: a peer that restarts within a second is missed without a warning, and found again", {
  timeout,
}, async () => {
  // As in production: it waits longest after some two seconds.
  const { redialMinMs, redialMaxMs } = defaultLinkSettings;
  await using a = await LinkPeer.start("a", { settings: { redialMinMs, redialMaxMs } });
  const before = await LinkPeer.start("b");
  a.network.setPeers([before.address]);
  await a.untilLinked(before);
  await before[Symbol.asyncDispose]();
  await a.until(() => a.logged.filter(({ message }) => message === "no link to a peer yet").length >= 3);
  await using after = await LinkPeer.start("b", { port: before.port });
  await a.untilLinked(after);
  assert.deepEqual(a.warnings(), []);
});

test("link: a new process of the same id takes the place of the old one, whose link is down first", {
  timeout,
}, async () => {
  const [a, old] = await linkedPair();
  await using _a = a;
  await using _old = old;
  await using next = await LinkPeer.start("b");
  next.network.setPeers([a.address]);
  await Promise.all([a.untilLinked(next), next.untilLinked(a)]);
  assert.deepEqual(a.events, [
    `up b ${old.identity.incarnation}`,
    `down b ${old.identity.incarnation}`,
    `up b ${next.identity.incarnation}`,
  ]);
  await next.network.request("a", writeOf(1, 10), 1000);
});

test("link: a member that sets its peers when it hears that one is replaced does not dial that one beside the new link", {
  timeout,
}, async () => {
  await using old = await LinkPeer.start("b");
  await using next = await LinkPeer.start("b");
  await using a = await LinkPeer.start("a", { onLinkDown: ({ network }) => network.setPeers([next.address]) });
  a.network.setPeers([old.address]);
  await a.untilLinked(old);
  next.network.setPeers([a.address]);
  await Promise.all([a.untilLinked(next), next.untilLinked(a)]);
  await sleep(systemClock, 500);
  assert.deepEqual([a.ups("b"), next.ups("a"), next.sockets.length], [2, 1, 0]);
});

test("link: a restart at the same address is reached again by its peers", { timeout }, async () => {
  const [a, old] = await linkedPair();
  await using _a = a;
  const port = old.port;
  await old[Symbol.asyncDispose]();
  await using next = await LinkPeer.start("b", { port });
  await a.untilLinked(next);
  assert.equal((await a.network.request("b", writeOf(1, 10), 1000)).kind, "ack");
});

test("link: a caller that is not in the list stays linked, and one that leaves the list does not", {
  timeout,
}, async () => {
  const [a, b] = await linkedPair();
  await using _a = a;
  await using _b = b;
  b.network.setPeers([]);
  assert.equal((await b.network.request("a", writeOf(1, 10), 1000)).kind, "ack");
  a.network.setPeers([]);
  assert.equal(a.network.linked("b"), undefined);
  assert.equal(a.events.at(-1)?.startsWith("down b"), true);
  await b.until(() => b.network.linked("a") === undefined);
});

test("link: an idle one is kept, and its ends do not take it for dead", { timeout }, async () => {
  const settings = { silenceMs: 100, probeAfterMs: 25 };
  const [a, b] = await linkedPair({ settings }, { settings });
  await using _a = a;
  await using _b = b;
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.deepEqual([a.ups("b"), b.ups("a"), a.events.length], [1, 1, 1]);
});

test("link: a peer that has moved is dialled at once, however long the wait for where it was", {
  timeout,
}, async () => {
  await using a = await LinkPeer.start("a", { settings: { redialMinMs: 60_000, redialMaxMs: 60_000 } });
  await using b = await LinkPeer.start("b");
  a.network.setPeers([{ id: "b", url: "http://127.0.0.1:1" }]);
  await a.until(() => a.logged.some(({ message }) => message.startsWith("no link to a peer")));
  a.network.setPeers([b.address]);
  await a.untilLinked(b);
});

test("link: a process that was paused does not take its peers for silent", { timeout }, async () => {
  const settings = { silenceMs: 100, probeAfterMs: 25 };
  const [a, b] = await linkedPair({ settings }, { settings });
  await using _a = a;
  await using _b = b;
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const end = performance.now() + 300; performance.now() < end; );
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual([a.ups("b"), b.ups("a"), a.events.length], [1, 1, 1]);
});

test("link: a peer that falls silent without closing is given up", { timeout }, async () => {
  const settings = { silenceMs: 100, probeAfterMs: 25 };
  await using a = await LinkPeer.start("a", { settings });
  await using b = await LinkPeer.start("b");
  // Between them, what looks like a cable that is pulled: everything is taken, nothing passes.
  const { server, cut } = await relayTo(b.port);
  await using _relay = { [Symbol.asyncDispose]: async () => void server.close() };
  a.network.setPeers([{ id: "b", url: `http://127.0.0.1:${(server.address() as { port: number }).port}` }]);
  await a.untilLinked(b);
  const request = a.network.request("b", writeOf(1, 10), 10_000);
  assert.equal((await request).kind, "ack");
  cut();
  await assert.rejects(a.network.request("b", writeOf(2, 10), 3_000), { code: "peer_unreachable" });
  assert.ok(a.logged.some(({ fields }) => String(fields["reason"]).includes("nothing was heard")));
});

/** Passes bytes both ways until it is cut; then it swallows those of the connections it has, and takes no new ones. */
async function relayTo(port: number): Promise<{ server: Server; cut: () => void }> {
  let isCut = false;
  const server = createServer((inner) => {
    if (isCut) {
      inner.destroy();
      return;
    }
    const outer = connect(port, "127.0.0.1");
    const pass = (from: typeof inner, to: typeof inner): void => {
      from.on("data", (chunk) => {
        if (!isCut) to.write(chunk);
      });
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    };
    pass(inner, outer);
    pass(outer, inner);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    isCut = true;
  };
  return { server, cut };
}
