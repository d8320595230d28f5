/**
 * The simulated network keeps the port's contract: order, one answer each, links that come and go on both sides (W27).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import type { MemberState, PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../../../src/core/message.ts";
import { noFigures } from "../../../src/member/admin/status.ts";
import type { PeerHandler } from "../../../src/network/network.ts";
import { defaultNetworkSettings, SimNetwork } from "../../simulation/sim-network.ts";
import type { SimPort } from "../../simulation/sim-port.ts";
import { SimProcess } from "../../simulation/sim-process.ts";
import { SimWorld } from "../../simulation/sim-world.ts";

const clock = { maxRateError: 0.01, maxTimerDelayMs: 1 };
const state = (epoch: number): MemberState => ({
  cluster: "",
  epoch,
  seenEpoch: 0,
  settled: false,
  progress: "adopted",
  quiet: true,
  watermark: 0,
  finished: [],
  suspects: [],
  folder: { name: "", began: { segment: 0, offset: 0 }, journaled: { segment: 0, offset: 0 } },
  broughtBack: [],
  storeFailingMs: 0,
  storeWorks: true,
  figures: noFigures,
});

/** A process that notes what comes and answers pings with their own epoch. */
class Node implements PeerHandler {
  readonly port: SimPort;
  readonly process: SimProcess;
  readonly seen: string[] = [];
  readonly epochs: number[] = [];
  /** The incarnation that gets no link. */
  refused: string | undefined;

  constructor(
    world: SimWorld,
    network: SimNetwork,
    id: string,
    incarnation: string,
    peers: string[],
    process = new SimProcess(world, `${id}/${incarnation}`, clock),
  ) {
    this.process = process;
    this.port = network.connect(this.process, { id, incarnation });
    this.port.start(this);
    this.port.setPeers(peers.map((peer) => ({ id: peer, url: "" })));
  }

  onRequest(_from: PeerIdentity, request: PeerRequest): PeerAnswer {
    assert.equal(request.kind, "ping");
    const { epoch } = (request as { state: MemberState }).state;
    this.epochs.push(epoch);
    return { kind: "pong", state: state(epoch) };
  }

  onNotice(from: PeerIdentity, notice: PeerNotice): void {
    assert.ok(this.port.linked(from.id), "nothing comes over a link that is down");
    this.epochs.push(notice.state.epoch);
  }

  onLinkUp(peer: PeerIdentity): void {
    this.seen.push(`up ${peer.id}/${peer.incarnation}`);
  }

  onLinkDown(peer: PeerIdentity): void {
    this.seen.push(`down ${peer.id}/${peer.incarnation}`);
  }

  readonly clusterId = undefined;

  refusal(caller: PeerIdentity): string | undefined {
    return this.refused === caller.incarnation ? "it is refused" : undefined;
  }

  onRefused(id: string): void {
    this.seen.push(`refused by ${id}`);
  }
}

function pair(seed: number): { world: SimWorld; network: SimNetwork; a: Node; b: Node } {
  const world = new SimWorld({ seed });
  const network = new SimNetwork(world, defaultNetworkSettings);
  return { world, network, a: new Node(world, network, "a", "1", ["b"]), b: new Node(world, network, "b", "1", []) };
}

describe("the simulated network", () => {
  it("links two processes of which one names the other, and tells both", async () => {
    const { world, a, b } = pair(1);
    assert.equal(a.port.linked("b"), undefined);
    await world.run(1_000);
    assert.deepEqual(a.port.linked("b"), { id: "b", incarnation: "1" });
    assert.deepEqual([a.seen, b.seen], [["up b/1"], ["up a/1"]]);
  });

  it("gives no link to a process that the other refuses, and tells it", async () => {
    const { world, a, b } = pair(1);
    b.refused = "1";
    await world.run(1_000);
    assert.equal(a.port.linked("b"), undefined);
    assert.deepEqual([a.seen[0], b.seen.length], ["refused by b", 0]);
    b.refused = undefined;
    await world.run(3_000);
    assert.deepEqual(a.port.linked("b"), { id: "b", incarnation: "1" });
  });

  it("delivers what one process sends in order and matches each answer to its request", async () => {
    const { world, a, b } = pair(2);
    await world.run(1_000);
    const answers: number[] = [];
    for (let epoch = 0; epoch < 50; epoch++) {
      void a.port.request("b", { kind: "ping", state: state(epoch) }, 1_000).then((answer) => {
        assert.ok(answer.kind === "pong");
        assert.equal(answer.state.epoch, epoch);
        answers.push(epoch);
      });
    }
    await world.run(2_000);
    const inOrder = [...Array(50).keys()];
    assert.deepEqual([b.epochs, answers], [inOrder, inOrder]);
  });

  it("rejects a request without a link, and one whose answer does not come in time", async () => {
    const { world, network, a } = pair(3);
    await assert.rejects(a.port.request("b", { kind: "ping", state: state(1) }, 100), (error) =>
      isOperatingError(error, "peer_unreachable"),
    );
    await world.run(1_000);
    network.stall("b", "a");
    const late = assert.rejects(a.port.request("b", { kind: "ping", state: state(1) }, 100), (error) =>
      isOperatingError(error, "deadline_exceeded"),
    );
    await world.run(1_500);
    await late;
  });

  it("tells both sides of a broken link, rejects what was under way, loses at most the last messages, and links again", async () => {
    let lost = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { world, network, a, b } = pair(seed);
      await world.run(1_000);
      const results: string[] = [];
      for (let epoch = 0; epoch < 20; epoch++) {
        a.port.request("b", { kind: "ping", state: state(epoch) }, 10_000).then(
          () => results.push("answer"),
          (error: unknown) => results.push(isOperatingError(error) ? error.code : String(error)),
        );
      }
      world.schedule(1, () => network.breakLink("a", "b"));
      await world.run(2_000);
      assert.equal(results.length, 20, `seed ${seed}`);
      assert.ok(
        results.every((each) => each === "answer" || each === "peer_unreachable"),
        `seed ${seed}: ${results.join()}`,
      );
      assert.deepEqual(b.epochs, [...Array(b.epochs.length).keys()], `seed ${seed}: a prefix arrived`);
      assert.ok(b.epochs.length >= results.filter((each) => each === "answer").length, `seed ${seed}`);
      lost += 20 - b.epochs.length;
      assert.deepEqual(
        [a.seen, b.seen],
        [
          ["up b/1", "down b/1", "up b/1"],
          ["up a/1", "down a/1", "up a/1"],
        ],
        `seed ${seed}`,
      );
    }
    assert.ok(lost > 100 && lost < 1_900, `${lost} of 2,000 messages were lost`);
  });

  it("holds up what goes one way and delivers it when the link heals soon enough", async () => {
    const { world, network, a, b } = pair(5);
    await world.run(1_000);
    const heal = network.stall("a", "b");
    assert.ok(a.port.notify("b", { kind: "state", state: state(7) }));
    assert.ok(b.port.notify("a", { kind: "state", state: state(8) }));
    await world.run(2_000);
    assert.deepEqual([a.epochs, b.epochs], [[8], []]);
    heal();
    await world.run(3_000);
    assert.deepEqual(b.epochs, [7]);
    assert.deepEqual(a.seen, ["up b/1"]);
  });

  it("gives a link up that has been silent for too long, and what it held is lost", async () => {
    const { world, network, a, b } = pair(6);
    await world.run(1_000);
    const heal = network.stall("a", "b");
    a.port.notify("b", { kind: "state", state: state(7) });
    await world.run(1_000 + defaultNetworkSettings.silenceMs + 1_000);
    assert.deepEqual([a.seen.slice(1), b.seen.slice(1)], [["down b/1"], ["down a/1"]]);
    heal();
    await world.run(10_000);
    assert.deepEqual([a.seen.at(-1), b.epochs], ["up b/1", []]);
  });

  it("keeps two hosts apart until the last fault between them has ended, resetting their link or saying nothing", async () => {
    for (const silent of [true, false]) {
      const { world, network, a, b } = pair(9);
      await world.run(1_000);
      const [first, second] = [network.part("a", "b", silent), network.part("b", "a", silent)];
      a.port.notify("b", { kind: "state", state: state(7) });
      await world.run(1_000 + defaultNetworkSettings.maxNoticeMs);
      assert.deepEqual(a.seen.slice(1), silent ? [] : ["down b/1"]);
      await world.run(20_000);
      first();
      first();
      await world.run(30_000);
      assert.deepEqual([a.seen.slice(1), b.seen.slice(1)], [["down b/1"], ["down a/1"]]);
      second();
      await world.run(40_000);
      assert.deepEqual([a.seen.at(-1), b.seen.at(-1), b.epochs], ["up b/1", "up a/1", []]);
    }
  });

  it("gives a process a new port for each of its lives, and the one before hears nothing more", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { world, network, a, b } = pair(seed);
      await world.run(1_000);
      const again = new Node(world, network, "b", "2", ["a"], b.process);
      await b.port[Symbol.asyncDispose]();
      await world.run(10_000);
      assert.deepEqual(a.seen, ["up b/1", "down b/1", "up b/2"], `seed ${seed}`);
      assert.deepEqual(again.seen, ["up a/1"], `seed ${seed}`);
      a.port.notify("b", { kind: "state", state: state(7) });
      await world.run(11_000);
      assert.deepEqual([b.epochs, again.epochs], [[], [7]]);
    }
  });

  it("lets pings and notices through a choked link, and holds the rest until it is free again", async () => {
    const { world, network, a, b } = pair(11);
    await world.run(1_000);
    const free = network.choke("a", "b");
    const kinds: string[] = [];
    b.onRequest = (_from, request) => {
      kinds.push(request.kind);
      return { kind: "missing" };
    };
    void a.port.request("b", { kind: "leave", epoch: 1 }, 60_000).catch(() => undefined);
    void a.port.request("b", { kind: "ping", state: state(1) }, 60_000).catch(() => undefined);
    a.port.notify("b", { kind: "state", state: state(7) });
    await world.run(30_000);
    assert.deepEqual([kinds, b.epochs, a.seen], [["ping"], [7], ["up b/1"]]);
    free();
    await world.run(31_000);
    assert.deepEqual(kinds, ["ping", "leave"]);
  });

  it("lets pings overtake other messages, each kind in its own order", async () => {
    let overtook = 0;
    for (let seed = 0; seed < 50; seed++) {
      const { world, a, b } = pair(seed);
      await world.run(1_000);
      const seen: string[] = [];
      b.onRequest = (_from, request) => {
        seen.push(`${request.kind} ${request.kind === "ping" ? request.state.epoch : request.epoch}`);
        return { kind: "missing" };
      };
      for (const epoch of [1, 2, 3]) {
        void a.port.request("b", { kind: "leave", epoch }, 1_000).catch(() => undefined);
        void a.port.request("b", { kind: "ping", state: state(epoch) }, 1_000).catch(() => undefined);
      }
      await world.run(2_000);
      const orderOf = (kind: string): string[] => seen.filter((each) => each.startsWith(kind));
      assert.deepEqual(orderOf("leave"), ["leave 1", "leave 2", "leave 3"], `seed ${seed}`);
      assert.deepEqual(orderOf("ping"), ["ping 1", "ping 2", "ping 3"], `seed ${seed}`);
      if (seen[0] === "ping 1") overtook++;
    }
    assert.ok(overtook > 5 && overtook < 45, `pings came first ${overtook} times of 50`);
  });

  it("tells a watcher when a message is sent and when its receiver has begun to act on it", async () => {
    const { world, network, a } = pair(10);
    await world.run(1_000);
    const seen: string[] = [];
    network.watch((moment, kind, from, to) => seen.push(`${kind} ${moment} ${from.name} ${to.name}`));
    void a.port.request("b", { kind: "ping", state: state(1) }, 1_000);
    await world.run(2_000);
    assert.deepEqual(seen, ["ping sent a/1 b/1", "ping handled a/1 b/1", "pong sent b/1 a/1", "pong handled b/1 a/1"]);
  });

  it("replaces the link to a crashed process by that to its next one, the old one going down first", async () => {
    for (let seed = 0; seed < 100; seed++) {
      const { world, network, a, b } = pair(seed);
      await world.run(1_000);
      b.process.crash();
      const again = new Node(world, network, "b", "2", ["a"]);
      await world.run(10_000);
      assert.deepEqual(a.seen, ["up b/1", "down b/1", "up b/2"], `seed ${seed}`);
      assert.deepEqual(again.seen, ["up a/1"], `seed ${seed}`);
      assert.deepEqual(b.seen, ["up a/1"], `seed ${seed}`);
    }
  });

  it("closes its links when it is disposed, and rejects what was under way", async () => {
    const { world, a, b } = pair(8);
    await world.run(1_000);
    const rejected = assert.rejects(a.port.request("b", { kind: "ping", state: state(1) }, 1_000), (error) =>
      isOperatingError(error, "peer_unreachable"),
    );
    await a.port[Symbol.asyncDispose]();
    await rejected;
    await world.run(10_000);
    assert.deepEqual(b.seen, ["up a/1", "down a/1"]);
  });

  it("lets a message overtake a large one, never the other way round", async () => {
    let overtaken = 0;
    for (let seed = 0; seed < 100; seed++) {
      const world = new SimWorld({ seed });
      const network = new SimNetwork(world, defaultNetworkSettings);
      const a = new Node(world, network, "a", "1", ["b"]);
      const b = new Node(world, network, "b", "1", []);
      const kinds: string[] = [];
      b.onRequest = (_from, request) => {
        kinds.push(request.kind === "write" ? "large" : "small");
        return { kind: "missing" };
      };
      await world.run(1_000);
      const value = Buffer.alloc(defaultNetworkSettings.fragmentBytes + 1);
      const requestId = { router: "0".repeat(32), counter: 1 };
      const large: PeerRequest = {
        kind: "write",
        epoch: 1,
        key: "k",
        requestId,
        precondition: undefined,
        headers: {},
        value,
        md5: "0".repeat(32),
        durability: "replicated",
        deadlineMs: 1,
      };
      const small: PeerRequest = { kind: "leave", epoch: 1 };
      void a.port.request("b", small, 1_000);
      void a.port.request("b", large, 1_000);
      void a.port.request("b", small, 1_000);
      await world.run(2_000);
      assert.equal(kinds[0], "small", `seed ${seed}`);
      if (kinds[2] === "large") overtaken++;
    }
    assert.ok(overtaken > 10 && overtaken < 90, `${overtaken} of 100 were overtaken`);
  });
});
