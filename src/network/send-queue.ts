/**
 * What waits to be sent on one link, and in which order it goes. Urgent messages go first, then the others in the order
 * in which they came. After each block of those comes one piece of a large payload, and the large payloads take turns.
 *
 * What one turn of the event loop asks for is written to the socket at its end, in one piece. Nothing is written while
 * the socket has enough.
 */

import type { Duplex } from "node:stream";
import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/codec.ts";
import { type BulkMessage, BulkQueue } from "./bulk-queue.ts";
import {
  fragmentOffset,
  frameKinds,
  headerBytes,
  largestHeadBytes,
  type MessageKind,
  type ReceiveLimits,
  setHeader,
} from "./frame.ts";
import type { LinkSettings } from "./link-settings.ts";
import { SendBlock } from "./send-block.ts";

/** Where a message is while it waits, so that it can be taken back. */
export interface SendTicket {
  block: SendBlock | undefined;
  start: number;
  bulk: BulkMessage | undefined;
}

/** The result for a message. Only a `queued` one was taken. */
export type SendResult = "queued" | "full" | "head_too_large" | "payload_too_large";

/** Room beside the blocks' size, for the last message of a block and the head of a large one. */
const slackBytes = 16 * 1024;
/** Urgent messages are few and small. */
const urgentBytes = 4 * 1024;
/** Enough for one block that is filled while the socket still writes the other. */
const maxSpares = 2;

export class SendQueue {
  readonly #socket: Duplex;
  readonly #settings: LinkSettings;
  readonly #limits: ReceiveLimits;
  readonly #bulk: BulkQueue;
  readonly #fragmentBytes: number;
  #urgent: SendBlock;
  /** Never empty; the last one takes new messages. */
  readonly #blocks: SendBlock[];
  /** Writers for blocks, to be used again. */
  readonly #spares: ByteWriter[] = [];
  /** Writers whose buffers the socket may still read. They stay here until it has nothing left to write. */
  readonly #held: ByteWriter[] = [];
  /** Bytes in blocks and in large messages, without those that the socket has taken. */
  #bytes = 0;
  /** Bytes of fragments that the peer has not credited yet. */
  #uncredited = 0;
  /** The block of the message being written, and where in it the message's header is. */
  #open: SendBlock | undefined;
  #openAt = 0;
  #immediate: NodeJS.Immediate | undefined;
  /** The socket has enough until it says `drain`. */
  #blocked = false;
  #closed = false;

  /**
   * @param socket - must be done with a buffer when its `writableLength` is 0, as TCP and TLS sockets are
   * @param limits - those of the peer
   */
  constructor(socket: Duplex, settings: LinkSettings, limits: ReceiveLimits) {
    this.#socket = socket;
    this.#settings = settings;
    this.#limits = limits;
    this.#bulk = new BulkQueue(limits);
    this.#fragmentBytes = Math.min(settings.fragmentBytes, limits.frameBytes);
    this.#urgent = new SendBlock(new ByteWriter(urgentBytes));
    this.#blocks = [new SendBlock(this.#newWriter())];
    socket.on("drain", () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  /** Bytes that wait here or in the socket. */
  get bytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Begins a message. Append its head to the writer, then call {@link finish}. */
  begin(urgent: boolean): ByteWriter {
    assert(this.#open === undefined, "one message is written at a time");
    const block = urgent ? this.#urgent : this.#openBlock();
    const writer = block.writer;
    this.#open = block;
    this.#openAt = writer.length;
    writer.skip(headerBytes);
    return writer;
  }

  /**
   * Ends the message begun last. It is `full`, and not taken, when something waits already and more than `maxBytes`
   * would wait with it. The ticket, if there is one, is good for {@link takeBack}.
   */
  finish(
    kind: MessageKind,
    number: number,
    payload: Buffer | undefined,
    maxBytes: number,
    ticket: SendTicket | undefined,
  ): SendResult {
    const block = this.#open;
    assert(block !== undefined, "a message is begun before it is finished");
    const start = this.#openAt;
    const writer = block.writer;
    const headLength = writer.length - start - headerBytes;
    const size = payload === undefined ? 0 : payload.length;
    const refusal = this.#refusal(headLength, size, maxBytes);
    this.#open = undefined;
    if (refusal !== undefined) {
      writer.truncate(start);
      return refusal;
    }
    this.#bytes += headerBytes + headLength + size;
    if (payload !== undefined && size > this.#fragmentBytes) {
      assert(kind !== frameKinds.notice, "notices have no payload");
      const from = start + headerBytes;
      const head = Buffer.from(writer.buffer.subarray(from, from + headLength));
      writer.truncate(start);
      const message = this.#bulk.add(kind, number, head, payload);
      if (ticket !== undefined) ticket.bulk = message;
    } else {
      if (payload !== undefined && size > 0) {
        if (size <= this.#settings.inlineBytes) writer.bytes(payload);
        else block.refer(payload);
      }
      setHeader(writer, start, kind, number, headLength, size, size);
      if (ticket !== undefined) {
        ticket.block = block;
        ticket.start = start;
      }
    }
    this.#schedule();
    return "queued";
  }

  /** Sends a frame of nothing but its kind and number. It is urgent, so it passes all others. */
  control(kind: number, number: number): void {
    const writer = this.#urgent.writer;
    const start = writer.length;
    writer.skip(headerBytes);
    setHeader(writer, start, kind, number, 0, 0, 0);
    this.#bytes += headerBytes;
    this.#schedule();
  }

  /**
   * Takes a message back as far as it has not been sent. After this there are two cases. The socket has been given the
   * whole message, before anything that is sent from now on. Or the message never reaches the peer.
   */
  takeBack(ticket: SendTicket): void {
    if (ticket.block?.void(ticket.start)) return;
    const message = ticket.bulk;
    if (message === undefined || !this.#bulk.remove(message)) return;
    this.#bytes -= message.payload.length - message.sent + (message.sent === 0 ? headerBytes + message.head.length : 0);
    assert(this.#bytes >= 0, "bytes that wait are taken back once");
    if (message.sent > 0) this.control(frameKinds.requestCancel, message.number);
  }

  /** The peer has read this many bytes of fragments. Returns false when fewer were on their way. */
  credit(bytes: number): boolean {
    if (bytes > this.#uncredited) return false;
    this.#uncredited -= bytes;
    if (this.#bytes > 0) this.#schedule();
    return true;
  }

  /** Forgets all that waits. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#immediate);
    this.#bulk.clear();
    this.#blocks.length = 1;
    this.#bytes = 0;
  }

  #refusal(headLength: number, size: number, maxBytes: number): SendResult | undefined {
    if (headLength > this.#limits.headBytes || headLength > largestHeadBytes) return "head_too_large";
    if (size > this.#limits.payloadBytes || size > this.#limits.reassemblyBytes) return "payload_too_large";
    const waiting = this.#bytes + this.#socket.writableLength;
    if (waiting > 0 && waiting + headerBytes + headLength + size > maxBytes) return "full";
    return undefined;
  }

  #openBlock(): SendBlock {
    const last = this.#blocks.at(-1) as SendBlock;
    if (last.bytes < this.#settings.blockBytes) return last;
    const block = new SendBlock(this.#newWriter());
    this.#blocks.push(block);
    return block;
  }

  #newWriter(): ByteWriter {
    return this.#spares.pop() ?? new ByteWriter(this.#settings.blockBytes + slackBytes);
  }

  /** Keeps a writer for later, unless a large message made it grow or there are enough. */
  #recycle(writer: ByteWriter): void {
    if (this.#spares.length >= maxSpares || writer.buffer.length > this.#settings.blockBytes + slackBytes) return;
    writer.truncate(0);
    this.#spares.push(writer);
  }

  /**
   * Flushes after all that this turn has to read: clients on many sockets ask in one turn. With a flush after each of
   * them (a microtask, `nextTick`), an entry node takes a quarter fewer requests, each for 40 % more processor time.
   */
  #schedule(): void {
    if (this.#immediate !== undefined || this.#blocked || this.#closed) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#held.length > 0 && this.#socket.writableLength === 0) {
      for (const writer of this.#held) this.#recycle(writer);
      this.#held.length = 0;
    }
    let written = 0;
    while (!this.#blocked && !this.#closed && this.#bytes > 0) {
      if (written >= this.#settings.turnBytes) {
        this.#schedule();
        return;
      }
      const bytes = this.#writeSome();
      // What is left are large payloads that wait for credit.
      if (bytes === 0) return;
      written += bytes;
    }
  }

  /** Writes what is urgent, one block, and one piece of a large payload, as one. */
  #writeSome(): number {
    const socket = this.#socket;
    const urgent = this.#urgent;
    const block = this.#blocks.length > 1 ? (this.#blocks.shift() as SendBlock) : (this.#blocks[0] as SendBlock);
    this.#appendFragment(block);
    const bytes = urgent.bytes + block.bytes;
    if (bytes === 0) return 0;
    this.#bytes -= bytes;
    assert(this.#bytes >= 0, "what is sent was counted");
    socket.cork();
    const urgentWriter = urgent.bytes > 0 ? urgent.writeTo(socket) : undefined;
    const writer = block.bytes > 0 ? block.writeTo(socket) : undefined;
    socket.uncork();
    const taken = socket.writableLength === 0;
    // Only `drain` tells that more is welcome. Without `writableNeedDrain` no `drain` will come.
    this.#blocked = !taken && socket.writableNeedDrain;
    if (urgentWriter !== undefined) {
      if (taken) urgentWriter.truncate(0);
      this.#urgent = new SendBlock(taken ? urgentWriter : new ByteWriter(urgentBytes));
    }
    if (writer !== undefined) {
      if (taken) this.#recycle(writer);
      else if (this.#held.length < maxSpares) this.#held.push(writer);
      if (this.#blocks[0] === block) this.#blocks[0] = new SendBlock(this.#newWriter());
    }
    return bytes;
  }

  #appendFragment(block: SendBlock): void {
    if (this.#uncredited >= this.#settings.bulkWindowBytes) return;
    const message = this.#bulk.next();
    if (message === undefined) return;
    const first = message.sent === 0;
    const size = message.payload.length;
    const part = Math.min(this.#fragmentBytes, size - message.sent);
    const writer = block.writer;
    const start = writer.length;
    writer.skip(headerBytes);
    if (first) {
      writer.bytes(message.head);
      setHeader(writer, start, message.kind, message.number, message.head.length, part, size);
    } else {
      // The message was counted when it was queued, without the headers of its later pieces.
      this.#bytes += headerBytes;
      setHeader(writer, start, message.kind + fragmentOffset, message.number, 0, part, message.sent);
    }
    block.refer(message.payload.subarray(message.sent, message.sent + part));
    this.#uncredited += part;
    this.#bulk.sent(message, part);
  }
}
