/** Frames: what a queue sends a reader reads, however the stream is cut; whatever breaks the rules is malformed and allocates nothing. */

import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ByteWriter, MalformedError } from "../../src/base/codec.ts";
import { frameKinds, headerBytes, type MessageKind, type ReceiveLimits, setHeader } from "../../src/network/frame.ts";
import { FrameReader } from "../../src/network/frame-reader.ts";
import { defaultLinkSettings, type LinkSettings } from "../../src/network/link-settings.ts";
import { SendQueue, type SendTicket } from "../../src/network/send-queue.ts";
import { SimRandom } from "../simulation/sim-random.ts";

const limits: ReceiveLimits = {
  frameBytes: 4096,
  headBytes: 512,
  payloadBytes: 100_000,
  reassemblyBytes: 150_000,
  interleaved: 3,
};
const settings: LinkSettings = {
  ...defaultLinkSettings,
  receive: limits,
  fragmentBytes: 1000,
  inlineBytes: 100,
  blockBytes: 2000,
  turnBytes: 10_000,
  bulkWindowBytes: 10_000_000,
};
const unlimited = Number.MAX_SAFE_INTEGER;

interface Message {
  readonly kind: MessageKind;
  readonly number: number;
  readonly head: string;
  readonly payload: Buffer;
}

class Received {
  readonly messages: Message[] = [];
  readonly reader: FrameReader;
  probes = 0;
  fragmentBytes = 0;
  credited = 0;

  constructor(receive: ReceiveLimits = limits) {
    this.reader = new FrameReader(receive, {
      onMessage: (kind, number, buffer, start, end, payload) => {
        this.messages.push({ kind, number, head: buffer.toString("latin1", start, end), payload });
      },
      onProbe: () => {
        this.probes += 1;
      },
      onFragment: (bytes) => {
        this.fragmentBytes += bytes;
      },
      onCredit: (bytes) => {
        this.credited += bytes;
      },
    });
  }
}

function send(
  queue: SendQueue,
  number: number,
  head: string,
  payload?: Buffer,
  options: { kind?: MessageKind; urgent?: boolean; maxBytes?: number; ticket?: SendTicket } = {},
): string {
  queue.begin(options.urgent ?? false).bytes(Buffer.from(head, "latin1"));
  const kind = options.kind ?? frameKinds.request;
  return queue.finish(kind, number, payload, options.maxBytes ?? unlimited, options.ticket);
}

function ticket(): SendTicket {
  return { block: undefined, start: 0, bulk: undefined };
}

/** Takes what is written as a socket does: copied when it is written, and, while it is slow, in its own time. */
class TestSocket extends Duplex {
  readonly writes: Buffer[] = [];
  slow = false;
  #release: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  /** Takes what it was slow to take. */
  release(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #take(chunks: Buffer[], done: () => void): void {
    const take = (): void => {
      this.writes.push(Buffer.concat(chunks));
      done();
    };
    if (this.slow) this.#release = take;
    else take();
  }
}

/** All that the queue sends until nothing waits. */
async function sent(queue: SendQueue, socket: TestSocket): Promise<Buffer> {
  do {
    socket.release();
    await nextTurn();
  } while (queue.bytes > 0);
  return Buffer.concat(socket.writes);
}

function frame(kind: number, number: number, head: string, part: Buffer, sizeOrOffset: number): Buffer {
  const writer = new ByteWriter(64);
  writer.skip(headerBytes);
  writer.bytes(Buffer.from(head));
  writer.bytes(part);
  setHeader(writer, 0, kind, number, head.length, part.length, sizeOrOffset);
  return Buffer.from(writer.buffer.subarray(0, writer.length));
}

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

test("frames: small messages overtake a large one, and large ones take turns", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  send(queue, 1, "large", Buffer.alloc(50_000));
  send(queue, 2, "less", Buffer.alloc(3000));
  send(queue, 3, "small", Buffer.alloc(10));
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [3, 2, 1],
  );
});

test("frames: urgent ones pass those that wait", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 10; number += 1) send(queue, number, "small", Buffer.alloc(900));
  send(queue, 11, "urgent", undefined, { urgent: true });
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

test("frames: no more messages are begun than the receiver sets memory aside for", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 9; number += 1)
    send(queue, number, "", Buffer.alloc(number % 2 === 0 ? 90_000 : 20_000));
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.equal(received.messages.length, 9);
});

test("frames: what waits is written in one turn of the event loop, in one piece per block", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 20; number += 1) send(queue, number, "head", Buffer.alloc(50));
  assert.equal(socket.writes.length, 0);
  await nextTurn();
  assert.deepEqual(
    socket.writes.map(({ length }) => length),
    [20 * (headerBytes + 4 + 50)],
  );
});

test("frames: a message that was not sent is taken back, whatever its size", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  const small = ticket();
  const large = ticket();
  send(queue, 1, "small", Buffer.alloc(500), { ticket: small });
  send(queue, 2, "large", Buffer.alloc(50_000), { ticket: large });
  send(queue, 3, "kept");
  queue.takeBack(small);
  queue.takeBack(large);
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [3],
  );
  queue.takeBack(small);
  assert.equal(queue.bytes, 0);
});

test("frames: a large message taken back half sent is forgotten at the other end", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  const large = ticket();
  send(queue, 1, "large", Buffer.alloc(90_000), { ticket: large });
  await nextTurn();
  queue.takeBack(large);
  send(queue, 2, "small");
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [2],
  );
  assert.equal(received.reader.begunBytes, 0);
});

test("frames: of large messages no more is on its way than the peer credits, while small ones pass", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, { ...settings, bulkWindowBytes: 3000 }, limits);
  send(queue, 1, "large", Buffer.alloc(50_500));
  const received = new Received();
  let read = 0;
  for (let number = 2; received.messages.at(-1)?.number !== 1; number += 1) {
    send(queue, number, "small");
    await nextTurn();
    const before = received.fragmentBytes;
    for (const chunk of socket.writes.splice(0)) received.reader.push(chunk);
    assert.ok(received.fragmentBytes - before <= 3000);
    assert.equal(
      received.messages.some((message) => message.number === number),
      true,
    );
    read += received.fragmentBytes - before;
    assert.equal(queue.credit(received.fragmentBytes - before), true);
  }
  assert.equal(read, 50_500);
  assert.equal(queue.bytes, 0);
  assert.equal(queue.credit(1), false, "no credit for what was not sent");
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

test("frames: while the socket has enough nothing is written, and the rest follows when it drains", async () => {
  const socket = new TestSocket({ writableHighWaterMark: 3000 });
  socket.slow = true;
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 40; number += 1) send(queue, number, "", Buffer.alloc(900, number));
  send(queue, 41, "", Buffer.alloc(60_000, 41));
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.ok(socket.writableLength >= 3000 && socket.writableLength < 10_000, "little is in the socket");
  const waiting = queue.bytes;
  // A buffer that the socket still has must not be written to.
  for (let number = 42; number <= 80; number += 1) send(queue, number, "", Buffer.alloc(90, number));
  assert.ok(queue.bytes > waiting + 39 * 90);
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.equal(received.messages.length, 80);
  for (const { number, payload } of received.messages) assert.ok(payload.every((byte) => byte === number));
});

test("frames: a message over a limit is not taken, and leaves nothing behind", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  assert.equal(send(queue, 1, "h".repeat(513)), "head_too_large");
  assert.equal(send(queue, 2, "", Buffer.alloc(100_001)), "payload_too_large");
  assert.equal(send(queue, 3, "", Buffer.alloc(50_000), { maxBytes: 10 }), "queued");
  assert.equal(send(queue, 4, "", Buffer.alloc(1), { maxBytes: 50_000 }), "full");
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [3],
  );
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
