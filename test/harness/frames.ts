/**
 * What tests of frames share: a socket that a test can hold up, a reader that keeps what it was given, and frames made
 * by hand.
 */

import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ByteWriter } from "../../src/base/codec.ts";
import { frameKinds, headerBytes, type MessageKind, type ReceiveLimits, setHeader } from "../../src/network/frame.ts";
import { FrameReader } from "../../src/network/frame-reader.ts";
import { defaultLinkSettings, type LinkSettings } from "../../src/network/link-settings.ts";
import type { SendQueue, SendTicket } from "../../src/network/send-queue.ts";

export const limits: ReceiveLimits = {
  frameBytes: 4096,
  headBytes: 512,
  payloadBytes: 100_000,
  reassemblyBytes: 150_000,
  interleaved: 3,
};
export const settings: LinkSettings = {
  ...defaultLinkSettings,
  receive: limits,
  fragmentBytes: 1000,
  inlineBytes: 100,
  blockBytes: 2000,
  turnBytes: 10_000,
  bulkWindowBytes: 10_000_000,
};
const unlimited = Number.MAX_SAFE_INTEGER;

export interface Message {
  readonly kind: MessageKind;
  readonly number: number;
  readonly head: string;
  readonly payload: Buffer;
}

export class Received {
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

export function send(
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

export function ticket(): SendTicket {
  return { block: undefined, start: 0, bulk: undefined };
}

/** Takes what is written as a socket does: copied when it is written, and, while it is slow, in its own time. */
export class TestSocket extends Duplex {
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
export async function sent(queue: SendQueue, socket: TestSocket): Promise<Buffer> {
  do {
    socket.release();
    await nextTurn();
  } while (queue.bytes > 0);
  return Buffer.concat(socket.writes);
}

export function frame(kind: number, number: number, head: string, part: Buffer, sizeOrOffset: number): Buffer {
  const writer = new ByteWriter(64);
  writer.skip(headerBytes);
  writer.bytes(Buffer.from(head));
  writer.bytes(part);
  setHeader(writer, 0, kind, number, head.length, part.length, sizeOrOffset);
  return Buffer.from(writer.buffer.subarray(0, writer.length));
}
