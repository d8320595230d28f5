/**
 * Short JSON messages over a connection that has just been taken over, before there are frames. Each has its length
 * (two bytes, big-endian) before it. The channel reads no more than it must, so that an unknown caller costs little.
 */

import type { Duplex } from "node:stream";
import { assert } from "../base/assert.ts";
import { MalformedError } from "../base/codec.ts";

const lengthBytes = 2;
/** A hello has some 400 bytes. Ids and names of any reasonable length fit. */
const maxMessageBytes = 4096;

export class HandshakeChannel {
  readonly #socket: Duplex;
  #received: Buffer;
  #failure: Error | undefined;
  #waiting: { readonly resolve: (message: Buffer) => void; readonly reject: (error: Error) => void } | undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#socket.pause();
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#serve();
  };
  readonly #onError = (error: Error): void => this.fail(error);
  readonly #onEnd = (): void => this.fail(new Error("the other end closed the connection"));

  /** @param head - bytes that came with the request that made the connection */
  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#received = head;
    socket.pause();
    socket.on("data", this.#onData);
    socket.on("error", this.#onError);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
  }

  write(message: Buffer): void {
    const framed = Buffer.allocUnsafe(lengthBytes + message.length);
    framed.writeUInt16BE(message.length);
    message.copy(framed, lengthBytes);
    if (!this.#socket.destroyed) this.#socket.write(framed);
  }

  /** The next message. Rejects when the connection ends, and with a MalformedError when a message is over the limit. */
  read(): Promise<Buffer> {
    assert(this.#waiting === undefined, "one message is read at a time");
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#serve();
    });
  }

  /**
   * Ends the exchange. The connection is destroyed once what was written is on its way. Every read rejects with
   * `error`.
   */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    // What was written is a few hundred bytes on a new connection. The system takes that, whatever the other end does.
    this.#socket.end(() => this.#socket.destroy());
    this.#serve();
  }

  /**
   * Hands the connection over, paused, with the bytes that came behind the last message.
   *
   * @throws the error of the connection, if it has ended meanwhile
   */
  release(): Buffer {
    if (this.#failure !== undefined) throw this.#failure;
    this.#socket.off("data", this.#onData);
    this.#socket.off("error", this.#onError);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
    return this.#received;
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.reject(this.#failure);
      return;
    }
    const length = this.#received.length < lengthBytes ? 0 : this.#received.readUInt16BE();
    if (length > maxMessageBytes) {
      this.#waiting = undefined;
      waiting.reject(new MalformedError("a handshake message over the limit"));
      return;
    }
    if (this.#received.length < lengthBytes || this.#received.length < lengthBytes + length) {
      this.#socket.resume();
      return;
    }
    this.#waiting = undefined;
    const message = this.#received.subarray(lengthBytes, lengthBytes + length);
    this.#received = this.#received.subarray(lengthBytes + length);
    waiting.resolve(message);
  }
}

/**
 * Runs an exchange over the channel. The channel fails when the exchange fails, and when `signal` is aborted before its
 * end.
 */
export async function withinSignal<T>(
  channel: HandshakeChannel,
  signal: AbortSignal,
  exchange: () => Promise<T>,
): Promise<T> {
  const onAbort = (): void => channel.fail(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const result = await exchange();
    signal.throwIfAborted();
    return result;
  } catch (error) {
    channel.fail(error as Error);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
