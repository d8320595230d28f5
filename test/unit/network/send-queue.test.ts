/** The queue of a link: what goes first, what waits for what, and how much waits at all. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { headerBytes } from "../../../src/network/frame.ts";
import { SendQueue } from "../../../src/network/send-queue.ts";
import { limits, Received, send, sent, settings, TestSocket, ticket } from "../../harness/frames.ts";

test("send queue: small messages overtake a large one, and large ones take turns", async () => {
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

test("send queue: urgent ones pass those that wait", async () => {
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

test("send queue: no more messages are begun than the receiver sets memory aside for", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 9; number += 1)
    send(queue, number, "", Buffer.alloc(number % 2 === 0 ? 90_000 : 20_000));
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.equal(received.messages.length, 9);
});

test("send queue: what waits is written in one turn of the event loop, in one piece per block", async () => {
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

test("send queue: a message that was not sent is taken back, whatever its size", async () => {
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

test("send queue: a large message taken back half sent is forgotten at the other end", async () => {
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

test("send queue: of large messages no more is on its way than the peer credits, while small ones pass", async () => {
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

test("send queue: while the socket has enough nothing is written, and the rest follows when it drains", async () => {
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

test("send queue: a message over a limit is not taken, and leaves nothing behind", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  assert.equal(send(queue, 1, "h".repeat(513)), "head_too_large");
  assert.equal(send(queue, 2, "", Buffer.alloc(100_001)), "payload_too_large");
  // It could never begin.
  const narrow = new SendQueue(socket, settings, { ...limits, reassemblyBytes: 90_000 });
  assert.equal(send(narrow, 2, "", Buffer.alloc(90_001)), "payload_too_large");
  assert.equal(send(queue, 3, "", Buffer.alloc(50_000), { maxBytes: 10 }), "queued");
  assert.equal(send(queue, 4, "", Buffer.alloc(1), { maxBytes: 50_000 }), "full");
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [3],
  );
});

test("send queue: large messages take turns whichever came first", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  send(queue, 1, "less", Buffer.alloc(5000));
  send(queue, 2, "large", Buffer.alloc(50_000));
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [1, 2],
  );
});

test("send queue: what was taken back half sent leaves its room to others", async () => {
  const socket = new TestSocket();
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 3; number += 1) {
    const large = ticket();
    send(queue, number, "large", Buffer.alloc(90_000), { ticket: large });
    await nextTurn();
    queue.takeBack(large);
  }
  send(queue, 4, "large", Buffer.alloc(90_000));
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  const received = new Received();
  received.reader.push(Buffer.concat(socket.writes));
  assert.deepEqual(
    received.messages.map(({ number }) => number),
    [4],
  );
});

test("send queue: what waits, here and in the socket, may be as much as is allowed and no byte more", async () => {
  const socket = new TestSocket({ writableHighWaterMark: 1_000_000 });
  socket.slow = true;
  const queue = new SendQueue(socket, settings, limits);
  send(queue, 1, "", Buffer.alloc(500));
  await nextTurn();
  const inSocket = headerBytes + 500;
  assert.equal(socket.writableLength, inSocket);
  send(queue, 2, "", Buffer.alloc(50));
  const waiting = inSocket + headerBytes + 50;
  assert.equal(send(queue, 3, "", Buffer.alloc(7), { maxBytes: waiting + headerBytes + 6 }), "full");
  assert.equal(send(queue, 4, "", Buffer.alloc(7), { maxBytes: waiting + headerBytes + 7 }), "queued");
});

test("send queue: what the socket has and has not sent yet is not written over, though it asks for more", async () => {
  const socket = new TestSocket({ writableHighWaterMark: 1_000_000 });
  socket.slow = true;
  const queue = new SendQueue(socket, settings, limits);
  for (let number = 1; number <= 8; number += 1) {
    send(queue, number, "", Buffer.alloc(90, number));
    await nextTurn();
  }
  const received = new Received();
  received.reader.push(await sent(queue, socket));
  assert.deepEqual(
    received.messages.map(({ number, payload }) => [number, payload.every((byte) => byte === number)]),
    [1, 2, 3, 4, 5, 6, 7, 8].map((number) => [number, true]),
  );
});
