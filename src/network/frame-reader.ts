/**
 * Turns the chunks that a socket gives into messages, with as few copies as the chunks allow. A message that lies whole
 * within a chunk is handed on where it is. The payload of any other message is copied once, to a buffer of its own.
 * Every limit is checked before anything is allocated.
 */

import { assert } from "../base/assert.ts";
import { MalformedError, readU32 } from "../base/codec.ts";
import { fragmentOffset, frameKinds, headerBytes, type MessageKind, type ReceiveLimits } from "./frame.ts";

/** Takes what a FrameReader has read. */
export interface FrameSink {
  /** The head is `buffer` from `start` to `end`. Head and payload may share the memory of other messages. */
  onMessage(kind: MessageKind, number: number, buffer: Buffer, start: number, end: number, payload: Buffer): void;
  /** The other end asks whether this end is there. */
  onProbe(): void;
  /** This many payload bytes in fragments have been read. */
  onFragment(bytes: number): void;
  /** The other end has read this many of the payload bytes in fragments that were sent to it. */
  onCredit(bytes: number): void;
}

/** A message of which some bytes are not here yet. */
interface Assembly {
  readonly kind: MessageKind;
  readonly number: number;
  readonly head: Buffer;
  readonly payload: Buffer;
  /** Payload bytes that are here. */
  filled: number;
}

const noPayload = Buffer.alloc(0);

/** Requests and answers are numbered apart. */
function assemblyKey(kind: MessageKind, number: number): number {
  return number * 4 + kind;
}

export class FrameReader {
  readonly #limits: ReceiveLimits;
  readonly #sink: FrameSink;
  /** A header that was cut by the end of a chunk. */
  readonly #cutHeader = Buffer.allocUnsafeSlow(headerBytes);
  #cutBytes = 0;
  /** The message of the frame being read, when the frame did not lie whole within a chunk. */
  #current: Assembly | undefined;
  /** Bytes of the current frame's head that are still to come. */
  #headLeft = 0;
  /** Bytes of the current frame's payload that are still to come. */
  #partLeft = 0;
  /** Payload bytes of the current frame to credit once it is read. Only fragments are credited. */
  #creditBytes = 0;
  /** Bytes of a frame without meaning that are still to be passed over. */
  #skipLeft = 0;
  readonly #begun = new Map<number, Assembly>();
  #begunBytes = 0;
  #stopped = false;

  constructor(limits: ReceiveLimits, sink: FrameSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  /** Payload bytes set aside for messages that are not complete. */
  get begunBytes(): number {
    return this.#begunBytes;
  }

  /** Hands on nothing more, not even the rest of the chunk being read. */
  stop(): void {
    this.#stopped = true;
    this.#current = undefined;
    this.#begun.clear();
    this.#begunBytes = 0;
  }

  /**
   * Reads the next chunk of the stream, and hands on every message that it completes. The chunk must not be changed
   * afterwards.
   *
   * @throws MalformedError when the stream is not one of frames within the limits. Nothing more can be read from it
   *   then.
   */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#current !== undefined) at = this.#fill(this.#current, chunk, at);
      else if (this.#skipLeft > 0) at = this.#passOver(chunk, at);
      else if (this.#cutBytes === 0 && chunk.length - at >= headerBytes)
        at = this.#open(chunk, at, chunk, at + headerBytes);
      else at = this.#completeHeader(chunk, at);
    }
  }

  #completeHeader(chunk: Buffer, at: number): number {
    const taken = Math.min(headerBytes - this.#cutBytes, chunk.length - at);
    chunk.copy(this.#cutHeader, this.#cutBytes, at, at + taken);
    this.#cutBytes += taken;
    if (this.#cutBytes < headerBytes) return at + taken;
    this.#cutBytes = 0;
    return this.#open(this.#cutHeader, 0, chunk, at + taken);
  }

  /** Reads a header at `headerAt`. What follows it is in `chunk` from `at`. Returns how far it has read the chunk. */
  #open(header: Buffer, headerAt: number, chunk: Buffer, at: number): number {
    const length = readU32(header, headerAt);
    const kindAndHead = readU32(header, headerAt + 4);
    const kind = kindAndHead & 255;
    const headLength = kindAndHead >>> 8;
    const number = readU32(header, headerAt + 8);
    const sizeOrOffset = readU32(header, headerAt + 12);
    const limits = this.#limits;
    if (headLength > limits.headBytes) throw new MalformedError("a head over the limit");
    if (headLength > length) throw new MalformedError("a head longer than its frame");
    const partLength = length - headLength;
    if (partLength > limits.frameBytes) throw new MalformedError("a frame over the limit");
    switch (kind) {
      case frameKinds.request:
      case frameKinds.answer:
      case frameKinds.notice:
        if (partLength === sizeOrOffset && chunk.length - at >= length) {
          const end = at + headLength;
          const payload = partLength === 0 ? noPayload : chunk.subarray(end, end + partLength);
          this.#sink.onMessage(kind, number, chunk, at, end, payload);
          return at + length;
        }
        this.#begin(kind, number, headLength, partLength, sizeOrOffset);
        return at;
      case frameKinds.requestFragment:
      case frameKinds.answerFragment: {
        if (headLength !== 0) throw new MalformedError("a fragment with a head");
        this.#resume((kind - fragmentOffset) as MessageKind, number, partLength, sizeOrOffset);
        return at;
      }
      case frameKinds.void:
        this.#skipLeft = length;
        return at;
      case frameKinds.requestCancel:
        if (length !== 0) throw new MalformedError("a cancellation with content");
        this.#forget(frameKinds.request, number);
        return at;
      case frameKinds.credit:
        if (length !== 0) throw new MalformedError("a credit with content");
        this.#sink.onCredit(number);
        return at;
      case frameKinds.probe:
      case frameKinds.probeAnswer:
        if (length !== 0) throw new MalformedError("a probe with content");
        if (kind === frameKinds.probe) this.#sink.onProbe();
        return at;
      default:
        throw new MalformedError("an unknown kind of frame");
    }
  }

  /** Makes room for a message that does not lie whole in this chunk. It is filled later. */
  #begin(kind: MessageKind, number: number, headLength: number, partLength: number, size: number): void {
    assert(this.#current === undefined, "one frame is read at a time");
    const limits = this.#limits;
    if (size > limits.payloadBytes) throw new MalformedError("a payload over the limit");
    if (partLength > size) throw new MalformedError("a frame with more than its payload");
    if (partLength < size) {
      if (kind === frameKinds.notice) throw new MalformedError("a notice in fragments");
      if (partLength === 0) throw new MalformedError("a first fragment without content");
      if (this.#begun.size >= limits.interleaved) throw new MalformedError("too many messages at once");
      if (this.#begunBytes + size > limits.reassemblyBytes) throw new MalformedError("too many bytes at once");
      if (this.#begun.has(assemblyKey(kind, number))) throw new MalformedError("a message that is begun twice");
    }
    const message: Assembly = {
      kind,
      number,
      head: Buffer.allocUnsafe(headLength),
      payload: size === 0 ? noPayload : Buffer.allocUnsafeSlow(size),
      filled: 0,
    };
    if (partLength < size) {
      this.#begun.set(assemblyKey(kind, number), message);
      this.#begunBytes += size;
    }
    this.#current = message;
    this.#headLeft = headLength;
    this.#partLeft = partLength;
    this.#creditBytes = partLength < size ? partLength : 0;
  }

  #resume(kind: MessageKind, number: number, partLength: number, offset: number): void {
    assert(this.#current === undefined, "one frame is read at a time");
    const message = this.#begun.get(assemblyKey(kind, number));
    if (message === undefined) throw new MalformedError("a fragment of nothing");
    if (offset !== message.filled || partLength === 0) throw new MalformedError("a fragment out of place");
    if (partLength > message.payload.length - offset) throw new MalformedError("a fragment beyond its payload");
    this.#current = message;
    this.#headLeft = 0;
    this.#partLeft = partLength;
    this.#creditBytes = partLength;
  }

  #forget(kind: MessageKind, number: number): void {
    const key = assemblyKey(kind, number);
    const message = this.#begun.get(key);
    if (message === undefined) throw new MalformedError("a cancellation of nothing");
    this.#begun.delete(key);
    this.#begunBytes -= message.payload.length;
    assert(this.#begunBytes >= 0, "bytes set aside are given back once");
  }

  /** Copies what the chunk has for the current frame. When that completes the message, hands it on. */
  #fill(message: Assembly, chunk: Buffer, start: number): number {
    let at = start;
    if (this.#headLeft > 0) {
      const taken = Math.min(this.#headLeft, chunk.length - at);
      chunk.copy(message.head, message.head.length - this.#headLeft, at, at + taken);
      this.#headLeft -= taken;
      at += taken;
    }
    if (this.#partLeft > 0 && at < chunk.length) {
      const taken = Math.min(this.#partLeft, chunk.length - at);
      chunk.copy(message.payload, message.filled, at, at + taken);
      message.filled += taken;
      this.#partLeft -= taken;
      at += taken;
    }
    assert(message.filled <= message.payload.length, "a payload is filled once");
    if (this.#headLeft === 0 && this.#partLeft === 0) {
      this.#current = undefined;
      if (this.#creditBytes > 0) this.#sink.onFragment(this.#creditBytes);
      if (message.filled === message.payload.length) this.#complete(message);
    }
    return at;
  }

  #complete(message: Assembly): void {
    const key = assemblyKey(message.kind, message.number);
    // It compares by identity: a faulty peer may send a whole message with the number of one in fragments.
    if (this.#begun.get(key) === message) {
      this.#begun.delete(key);
      this.#begunBytes -= message.payload.length;
    }
    assert(this.#begunBytes >= 0, "bytes set aside are given back once");
    this.#sink.onMessage(message.kind, message.number, message.head, 0, message.head.length, message.payload);
  }

  #passOver(chunk: Buffer, at: number): number {
    const passed = Math.min(this.#skipLeft, chunk.length - at);
    this.#skipLeft -= passed;
    return at + passed;
  }
}
