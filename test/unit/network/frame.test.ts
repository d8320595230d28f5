/**
 * Frames: what a queue sends a reader reads, however the stream is cut; whatever breaks the rules is malformed and
 * allocates nothing.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError } from "../../../src/base/codec.ts";
import { frameKinds, headerBytes } from "../../../src/network/frame.ts";
import { FrameReader } from "../../../src/network/frame-reader.ts";
import { SendQueue } from "../../../src/network/send-queue.ts";
import { frame, limits, type Message, Received, send, sent, settings, TestSocket } from "../../harness/frames.ts";
import { SimRandom } from "../../harness/sim-random.ts";

test("frames: messages of every size arrive as they were sent, however the stream is cut", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = new SimRandom(seed);
  for (let round = 0; round < 60; round += 1) {
    const socket = new TestSocket();
    const queue = new SendQueue(socket, settings, limits);
    const expected = new Map<number, Message>();
    for (let number = 1; number <= 30; number += 1) {
      const size = random.pick([0, 1, 99, 100, 101, 999, 1000, 1001, 5000, 40_000]);
      const message: Message = {
        kind: random.chance(0.5) ? frameKinds.request : frameKinds.answer,
        number,
        head: "h".repeat(random.whole(0, 200)),
        payload: Buffer.alloc(size, number),
      };
      expected.set(number, message);
      assert.equal(send(queue, number, message.head, message.payload, { kind: message.kind }), "queued");
      if (random.chance(0.1)) queue.control(frameKinds.probe, 0);
    }
    const bytes = await sent(queue, socket);
    const received = new Received();
    for (let at = 0; at < bytes.length; ) {
      const length = random.chance(0.5) ? random.whole(1, 40) : random.whole(1, 5000);
      received.reader.push(bytes.subarray(at, at + length));
      at += length;
    }
    assert.equal(received.messages.length, expected.size, `seed ${seed}`);
    for (const message of received.messages) assert.deepEqual(message, expected.get(message.number), `seed ${seed}`);
    const ordered = received.messages.filter(({ payload }) => payload.length <= settings.fragmentBytes);
    assert.deepEqual(
      ordered.map(({ number }) => number),
      ordered.map(({ number }) => number).toSorted((a, b) => a - b),
    );
    assert.equal(received.reader.begunBytes, 0);
  }
});

test("frames: a small message whole within a chunk is handed on without a copy", () => {
  const received = new Received();
  const chunk = frame(frameKinds.request, 1, "head", Buffer.from("payload"), 7);
  received.reader.push(chunk);
  assert.equal(received.messages[0]?.payload.buffer, chunk.buffer);
});

test("frames: a payload that was cut has memory of its own", () => {
  const received = new Received();
  const bytes = frame(frameKinds.request, 1, "head", Buffer.from("payload"), 7);
  received.reader.push(bytes.subarray(0, headerBytes + 6));
  received.reader.push(bytes.subarray(headerBytes + 6));
  assert.equal(received.messages[0]?.payload.toString(), "payload");
  assert.equal(received.messages[0]?.payload.buffer.byteLength, 7);
});

test("frames: probes and credits arrive beside the messages", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  queue.control(frameKinds.credit, 77);
  queue.control(frameKinds.probe, 0);
  queue.control(frameKinds.probeAnswer, 0);
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual([received.credited, received.probes, received.messages.length], [77, 1, 0]);
});

test("frames: whatever breaks the rules is malformed", () => {
  const part = Buffer.alloc(1000);
  const begun = frame(frameKinds.request, 1, "", part, 50_000);
  const begin = (number: number, size: number): Buffer => frame(frameKinds.request, number, "", part, size);
  const broken: Record<string, Buffer[]> = {
    "unknown kind": [frame(99, 1, "", Buffer.alloc(0), 0)],
    "kind 0": [Buffer.alloc(headerBytes)],
    "head over the limit": [frame(frameKinds.request, 1, "h".repeat(513), Buffer.alloc(0), 0)],
    "frame over the limit": [frame(frameKinds.request, 1, "", Buffer.alloc(4097), 4097)],
    "payload over the limit": [begin(1, 100_001)],
    "more in a frame than there is": [frame(frameKinds.request, 1, "", part, 999)],
    "a notice in fragments": [frame(frameKinds.notice, 1, "", part, 2000)],
    "an empty first fragment": [frame(frameKinds.request, 1, "", Buffer.alloc(0), 2000)],
    "a fragment of nothing": [frame(frameKinds.requestFragment, 1, "", part, 0)],
    "a fragment of another kind": [begun, frame(frameKinds.answerFragment, 1, "", part, 1000)],
    "a fragment out of place": [begun, frame(frameKinds.requestFragment, 1, "", part, 2000)],
    "an empty fragment": [begun, frame(frameKinds.requestFragment, 1, "", Buffer.alloc(0), 1000)],
    "a fragment with a head": [begun, frame(frameKinds.requestFragment, 1, "h", part, 1000)],
    "a fragment beyond the end": [begin(1, 1500), frame(frameKinds.requestFragment, 1, "", part, 1000)],
    "begun twice": [begun, begun],
    "too many at once": [begin(1, 2000), begin(2, 2000), begin(3, 2000), begin(4, 2000)],
    "too many bytes at once": [begin(1, 90_000), begin(2, 90_000)],
    "a cancellation of nothing": [frame(frameKinds.requestCancel, 1, "", Buffer.alloc(0), 0)],
    "a cancellation with content": [begun, frame(frameKinds.requestCancel, 1, "h", Buffer.alloc(0), 0)],
    "a credit with content": [frame(frameKinds.credit, 5, "", part, 1000)],
    "a probe with content": [frame(frameKinds.probe, 0, "", part, 1000)],
  };
  for (const [name, frames] of Object.entries(broken)) {
    const received = new Received();
    assert.throws(() => received.reader.push(Buffer.concat(frames)), MalformedError, name);
    assert.equal(received.messages.length, 0, name);
  }
  const header = frame(frameKinds.request, 1, "", Buffer.alloc(0), 0);
  header.writeUInt32LE(1000 * 256 + 1, 4);
  assert.throws(() => new Received({ ...limits, headBytes: 2000 }).reader.push(header), MalformedError);
});

test("frames: a whole message with the number of one in fragments does not disturb it", () => {
  const received = new Received();
  const whole = frame(frameKinds.request, 1, "h", Buffer.alloc(3000), 3000);
  received.reader.push(frame(frameKinds.request, 1, "", Buffer.alloc(1000), 2000));
  received.reader.push(whole.subarray(0, 100));
  received.reader.push(whole.subarray(100));
  assert.equal(received.reader.begunBytes, 2000);
  received.reader.push(frame(frameKinds.requestFragment, 1, "", Buffer.alloc(1000), 1000));
  assert.deepEqual(
    received.messages.map(({ payload }) => payload.length),
    [3000, 2000],
  );
  assert.equal(received.reader.begunBytes, 0);
});

test("frames: nothing is handed on once the reader is stopped, in the middle of a chunk too", () => {
  const received: number[] = [];
  const reader = new FrameReader(limits, {
    onMessage: (_kind, number) => {
      received.push(number);
      if (number === 2) reader.stop();
    },
    onProbe() {},
    onFragment() {},
    onCredit() {},
  });
  reader.push(Buffer.concat([1, 2, 3].map((number) => frame(frameKinds.request, number, "", Buffer.alloc(0), 0))));
  reader.push(frame(frameKinds.request, 4, "", Buffer.alloc(0), 0));
  assert.deepEqual(received, [1, 2]);
});

test("frames: random bytes and damaged frames are read or malformed, never worse", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = new SimRandom(seed);
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 10; number += 1) send(queue, number, "head", Buffer.alloc(random.whole(0, 5000)));
  const valid = await sent(queue, socket);
  for (let round = 0; round < 3000; round += 1) {
    const bytes = random.chance(0.3)
      ? Buffer.from(Array.from({ length: random.whole(1, 200) }, () => random.whole(0, 255)))
      : Buffer.from(valid);
    for (let damages = random.whole(1, 4); damages > 0; damages -= 1)
      bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
    const received = new Received();
    try {
      for (let at = 0; at < bytes.length; at += 700) received.reader.push(bytes.subarray(at, at + 700));
    } catch (error) {
      assert.ok(error instanceof MalformedError, `seed ${seed}: ${String(error)}`);
    }
    assert.ok(received.reader.begunBytes <= limits.reassemblyBytes, `seed ${seed}`);
  }
});
