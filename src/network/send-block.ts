/**
 * Frames on their way to the socket, one after the other in one buffer. Payloads that are too large to copy are kept by
 * reference at their places between the frames.
 */

import type { Duplex } from "node:stream";
import { assert } from "../base/assert.ts";
import type { ByteWriter } from "../base/codec.ts";
import { frameKinds, kindOffset } from "./frame.ts";

interface Reference {
  /** Where in the buffer the payload goes. */
  readonly at: number;
  readonly payload: Buffer;
}

export class SendBlock {
  /** Undefined once the block is written: the writer then serves another block. */
  #writer: ByteWriter | undefined;
  #references: Reference[] | undefined;
  #referenceBytes = 0;

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  get writer(): ByteWriter {
    assert(this.#writer !== undefined, "a block is written once");
    return this.#writer;
  }

  get bytes(): number {
    return this.writer.length + this.#referenceBytes;
  }

  /** Puts a payload behind what is written so far. */
  refer(payload: Buffer): void {
    this.#references ??= [];
    this.#references.push({ at: this.writer.length, payload });
    this.#referenceBytes += payload.length;
  }

  /**
   * Makes the receiver pass over the frame at `start`. Returns false when the block is written, and the frame on its
   * way.
   */
  void(start: number): boolean {
    if (this.#writer === undefined) return false;
    this.#writer.buffer[start + kindOffset] = frameKinds.void;
    return true;
  }

  /** Writes all of it. Returns its writer, whose buffer the socket may still need. */
  writeTo(socket: Duplex): ByteWriter {
    const writer = this.writer;
    let from = 0;
    if (this.#references !== undefined) {
      for (const { at, payload } of this.#references) {
        if (at > from) socket.write(writer.buffer.subarray(from, at));
        socket.write(payload);
        from = at;
      }
    }
    if (writer.length > from) socket.write(writer.buffer.subarray(from, writer.length));
    this.#writer = undefined;
    this.#references = undefined;
    return writer;
  }
}
