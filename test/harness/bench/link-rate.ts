/**
 * How many round trips a second one peer link carries between two processes on loopback, and what a message costs each
 * of them in processor time: `node test/harness/bench/link-rate.ts [--requesters 32] [--bytes 1024] [--seconds 3]
 * [--mixed]`. The process starts the other end itself. `--mixed` keeps one 4 MiB write in flight beside, to see what
 * the small ones lose.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import type { Log } from "../../../src/base/log.ts";
import { noHeaders } from "../../../src/core/entry.ts";
import type { PeerAnswer, PeerRequest, WriteRequest } from "../../../src/core/message.ts";
import { HttpNetwork } from "../../../src/network/http-network.ts";
import { defaultLinkSettings } from "../../../src/network/link-settings.ts";
import type { PeerHandler } from "../../../src/network/network.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";

const { values } = parseArgs({
  options: {
    requesters: { type: "string", default: "32" },
    bytes: { type: "string", default: "1024" },
    seconds: { type: "string", default: "3" },
    mixed: { type: "boolean", default: false },
    child: { type: "boolean", default: false },
  },
});

const quiet: Log = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => quiet,
};

function network(id: string): HttpNetwork {
  return new HttpNetwork({
    identity: { id, incarnation: systemRandom.id() },
    cluster: "bench",
    secrets: () => ["bench"],
    settings: defaultLinkSettings,
    clock: systemClock,
    random: systemRandom,
    log: quiet,
  });
}

function handler(onRequest: (request: PeerRequest) => PeerAnswer, onLinkUp: () => void): PeerHandler {
  return {
    onRequest: (_from, request) => onRequest(request),
    onNotice() {},
    onLinkUp,
    onLinkDown() {},
    clusterId: undefined,
    refusal: () => undefined,
    onRefused() {},
  };
}

/** The other end: answers, and tells its processor time when asked. */
async function serve(): Promise<void> {
  const peer = network("b");
  let seq = 0;
  peer.start(
    handler(
      () => {
        seq += 1;
        return { kind: "written", tag: "", version: { epoch: 1, seq }, durability: "replicated" };
      },
      () => {},
    ),
  );
  const server = createServer();
  server.on("upgrade", (request, socket, head) => peer.accept(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.({ port: (server.address() as AddressInfo).port });
  process.on("message", () => process.send?.({ cpu: process.cpuUsage() }));
  process.on("disconnect", () => process.exit(0));
}

async function measure(): Promise<void> {
  const child = fork(import.meta.filename, ["--child"]);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  const linked = Promise.withResolvers<void>();
  await using self = network("a");
  self.start(handler(() => ({ kind: "missing" }), linked.resolve));
  self.setPeers([{ id: "b", url: `http://127.0.0.1:${port}` }]);
  await linked.promise;

  const router = systemRandom.id();
  let counter = 0;
  const write = (bytes: number): WriteRequest => {
    counter += 1;
    return {
      kind: "write",
      epoch: 1,
      key: `photos/${counter % 10_000}.jpg`,
      requestId: { router, counter },
      precondition: undefined,
      headers: noHeaders,
      value: bytes === smallBytes ? small : large,
      md5: "9e107d9d372bb6826bd81d3542a419d6",
      durability: "replicated",
      deadlineMs: 10_000,
    };
  };
  const smallBytes = Number(values.bytes);
  const small = Buffer.allocUnsafeSlow(smallBytes);
  const large = Buffer.allocUnsafeSlow(4 * 1024 * 1024);
  let trips = 0;
  let largeTrips = 0;
  let running = true;
  let worstMs = 0;
  const requester = async (): Promise<void> => {
    while (running) {
      const began = performance.now();
      const answer = await self.request("b", write(smallBytes), 10_000);
      if (answer.kind !== "written") throw new Error(`answered ${answer.kind}`);
      trips += 1;
      worstMs = Math.max(worstMs, performance.now() - began);
    }
  };
  const largeRequester = async (): Promise<void> => {
    while (running) {
      await self.request("b", write(large.length), 10_000);
      largeTrips += 1;
    }
  };
  const childCpu = async (): Promise<NodeJS.CpuUsage> => {
    child.send("cpu");
    const [{ cpu }] = (await once(child, "message")) as [{ cpu: NodeJS.CpuUsage }];
    return cpu;
  };
  const all = [
    ...Array.from({ length: Number(values.requesters) }, requester),
    ...(values.mixed ? [largeRequester()] : []),
  ];
  const pause = (ms: number): Promise<void> => new Promise((resolve) => systemClock.after(ms, resolve));
  await pause(1000); // until the engine has optimised what is hot
  const theirs = await childCpu();
  const ours = process.cpuUsage();
  const began = performance.now();
  trips = 0;
  largeTrips = 0;
  worstMs = 0;
  await pause(Number(values.seconds) * 1000);
  const ourCpu = process.cpuUsage(ours);
  const theirCpu = await childCpu();
  const seconds = (performance.now() - began) / 1000;
  const done = trips;
  running = false;
  await Promise.all(all);
  const perTrip = (cpu: NodeJS.CpuUsage): string => ((cpu.user + cpu.system) / done).toFixed(2);
  const rest = { user: theirCpu.user - theirs.user, system: theirCpu.system - theirs.system };
  console.log(
    `${Math.round(done / seconds)} round trips/s of ${smallBytes} bytes, ${values.requesters} requesters, slowest ${worstMs.toFixed(1)} ms; ` +
      `processor µs a round trip: asking ${perTrip(ourCpu)}, answering ${perTrip(rest)}` +
      (values.mixed ? `; beside ${((largeTrips * 4) / seconds).toFixed(0)} MiB/s in values of 4 MiB` : ""),
  );
  child.disconnect();
}

await (values.child ? serve() : measure());
