/**
 * Bodies of requests under a clock of the test's own: how long they are waited for, and what is left of them when they
 * are over.
 */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { fullGrant, Grant } from "../../../../src/access/grant.ts";
import { Bodies } from "../../../../src/http/server/body.ts";
import type { Exchange } from "../../../../src/http/server/exchange.ts";
import { NodeShares } from "../../../../src/http/server/node-shares.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const places = {
  unreadBytes: 10,
  uploadBytes: 10,
  partBytes: 10,
  maxStreamBytes: 0,
  uploads: 1,
  downloads: 1,
  requests: 10,
  listings: 1,
  connections: 10,
};
const times = { bodyTimeoutMs: 1_000, bodyIdleMs: 1_000, lingerMs: 500, leastBytesPerSecond: 1 };
const settings = { inFlightBytes: 10, ...times, ...places };

/** As much of a request as the readers of bodies ask for. */
function fakeRequest(): EventEmitter & IncomingMessage {
  const fields = {
    complete: true,
    destroyed: false,
    headers: { "content-length": "3" },
    pause() {},
    resume() {},
    socket: {},
  };
  return Object.assign(new EventEmitter(), fields) as unknown as EventEmitter & IncomingMessage;
}

function fakeExchange(request: IncomingMessage): Exchange {
  return {
    request,
    grant: fullGrant,
    awaitsContinue: false,
    broken: undefined,
    reader: undefined,
  } as unknown as Exchange;
}

describe("a body that nobody wants", () => {
  const ends: [string, (request: EventEmitter, clock: ManualClock) => void][] = [
    ["ends", (request) => request.emit("end")],
    ["is cut off", (request) => request.emit("close")],
    ["goes on beyond what may be in flight", (request) => request.emit("data", Buffer.alloc(1))],
    ["takes too long", (_request, clock) => clock.advance(1)],
  ];
  for (const [what, end] of ends) {
    test(`${what}: that is told once, and nothing is left that waits for more`, () => {
      const clock = new ManualClock();
      const request = fakeRequest();
      let told = 0;
      new Bodies(clock, settings, new NodeShares(settings)).discard(request, () => told++);
      request.emit("data", Buffer.alloc(settings.inFlightBytes));
      clock.advance(settings.lingerMs - 1);
      assert.equal(told, 0);
      end(request, clock);
      assert.equal(told, 1);
      assert.ok(clock.idle);
      for (const event of ["data", "end", "close"]) assert.equal(request.listenerCount(event), 0, event);
    });
  }
});

test("a body that has been read is kept by no deadline", async () => {
  const clock = new ManualClock();
  const bodies = new Bodies(clock, settings, new NodeShares(settings));
  for (const waitMs of [0, 1]) {
    clock.advance(waitMs);
    const request = fakeRequest();
    const reading = bodies.read(fakeExchange(request), 3);
    request.emit("data", Buffer.from("abc"));
    request.emit("end");
    (await reading).release();
  }
  // The deadline of the first finds that there is none behind it to wait for.
  clock.advance(settings.bodyTimeoutMs - 1);
  assert.ok(clock.idle);
});

test("the memory of what came in pieces is free once the pieces are together, or the body has failed", async () => {
  const large = { ...settings, inFlightBytes: 100_000 };
  const bodies = new Bodies(new ManualClock(), large, new NodeShares(large));
  // The last of an announced length comes when all of it has its place.
  for (const length of ["50000", undefined]) {
    for (const end of ["end", "close"]) {
      const request = fakeRequest();
      if (length === undefined) {
        delete request.headers["content-length"];
        request.headers["transfer-encoding"] = "chunked";
      } else request.headers["content-length"] = length;
      const reading = bodies.read(fakeExchange(request), 50_000);
      const pieces = Array.from({ length: 5 }, () => Buffer.from(new ArrayBuffer(10_000)));
      for (const piece of pieces.slice(0, end === "end" ? 5 : 4)) request.emit("data", piece.fill("x"));
      request.emit(end);
      if (end === "close") await assert.rejects(reading, { code: "body_truncated" });
      else {
        const body = await reading;
        assert.equal(body.bytes.toString(), "x".repeat(50_000));
        body.release();
      }
      const kept = pieces.map(({ length }) => length).filter((bytes) => bytes > 0);
      assert.deepEqual(kept, end === "end" ? [] : [10_000], `${end} of ${length}: what never came is not the body's`);
    }
  }
});

test("a body is given up for another caller's while it comes, and is not given up once it is whole", async () => {
  const clock = new ManualClock();
  const roomy = { ...settings, inFlightBytes: 34 };
  const bodies = new Bodies(clock, roomy, new NodeShares(roomy));
  const grants = ["a", "b", "c"].map((token) => new Grant("", [], "", token));
  const read = (grant: Grant | undefined, text: string, isWhole: boolean) => {
    const request = fakeRequest();
    request.headers["content-length"] = "10";
    const reading = bodies.read({ ...fakeExchange(request), grant } as Exchange, 10);
    request.emit("data", Buffer.from(text));
    if (isWhole) request.emit("end");
    return reading;
  };
  const whole = [await read(grants[0], "0123456789", true), await read(grants[0], "0123456789", true)];
  const coming = read(grants[0], "01234567", false);
  const other = await read(grants[1], "0123456789", true);
  await assert.rejects(coming, { code: "overloaded" });
  await assert.rejects(read(grants[2], "", false), { code: "overloaded" }, "it is refused");
  for (const body of [...whole, other]) assert.equal(body.bytes.toString(), "0123456789");
});

describe("a body that is streamed", () => {
  test("may take as long as it takes, as long as something comes", async () => {
    const clock = new ManualClock();
    const request = fakeRequest();
    const stream = new Bodies(clock, settings, new NodeShares(settings)).stream(fakeExchange(request));
    for (const text of ["a", "b", "c"]) {
      const next = stream.next();
      clock.advance(settings.bodyIdleMs - 1);
      request.emit("data", Buffer.from(text));
      assert.equal(String((await next).value), text);
      // Whoever takes it may be slow, too: that is no silence of the sender's.
      clock.advance(2 * settings.bodyIdleMs);
    }
    const last = stream.next();
    request.emit("end");
    assert.equal((await last).done, true);
    assert.ok(clock.idle);
  });

  test("is given up when it comes too slowly over time, though never silent for long", async () => {
    const clock = new ManualClock();
    const request = fakeRequest();
    const slow = { ...settings, leastBytesPerSecond: 2 };
    const stream = new Bodies(clock, slow, new NodeShares(slow)).stream(fakeExchange(request));
    for (const text of ["a", "b"]) {
      const next = stream.next();
      // Each byte is worth 500 ms.
      clock.advance(700);
      request.emit("data", Buffer.from(text));
      assert.equal(String((await next).value), text);
    }
    const last = stream.next();
    clock.advance(599);
    assert.equal(clock.idle, false);
    clock.advance(1);
    await assert.rejects(last, { code: "body_timeout" });
  });

  test("is given up when nothing comes", async () => {
    const clock = new ManualClock();
    const request = fakeRequest();
    const next = new Bodies(clock, settings, new NodeShares(settings)).stream(fakeExchange(request)).next();
    clock.advance(settings.bodyIdleMs);
    await assert.rejects(next, { code: "body_timeout" });
    for (const event of ["data", "end", "close"]) assert.equal(request.listenerCount(event), 0, event);
  });
});

describe("a stream that waits for its turn", () => {
  /** Its first read has got all of a turn's bytes, and the second waits. */
  async function waiting() {
    const request = fakeRequest();
    const stream = new Bodies(new ManualClock(), settings, new NodeShares(settings)).stream(fakeExchange(request));
    const first = stream.next();
    request.emit("data", Buffer.alloc(256 * 1024));
    await first;
    return { request, stream, second: stream.next() };
  }

  test("fails when its sender goes away meanwhile", async () => {
    const { request, second } = await waiting();
    request.emit("close");
    await assert.rejects(second, { code: "body_truncated" });
  });

  test("ends when its reader wants no more", async () => {
    const { stream, second } = await waiting();
    await stream.return();
    assert.equal((await second).done, true);
  });
});
