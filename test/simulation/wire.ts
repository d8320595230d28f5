/**
 * What a message becomes on its way: bytes and a message again, by the codec that real links use. So simulated members
 * share no objects, and what the codec does not carry does not arrive here either.
 */

import { ByteReader, ByteWriter } from "../../src/base/codec.ts";
import type { PeerAnswer, PeerNotice, PeerRequest } from "../../src/core/message.ts";
import {
  readAnswer,
  readNotice,
  readRequest,
  writeAnswer,
  writeNotice,
  writeRequest,
} from "../../src/network/message-codec.ts";

/** Messages are written one behind the other into so many bytes, then into others. */
const blockBytes = 65_536;
const noPayload = Buffer.alloc(0);

export class Wire {
  #writer = new ByteWriter(blockBytes);
  readonly #reader = new ByteReader();

  request(request: PeerRequest): PeerRequest {
    const from = this.#begin();
    const payload = writeRequest(this.#writer, request);
    return readRequest(this.#sent(from), copied(payload));
  }

  answer(answer: PeerAnswer): PeerAnswer {
    const from = this.#begin();
    const payload = writeAnswer(this.#writer, answer);
    return readAnswer(this.#sent(from), copied(payload));
  }

  notice(notice: PeerNotice): PeerNotice {
    const from = this.#begin();
    writeNotice(this.#writer, notice);
    return readNotice(this.#sent(from), noPayload);
  }

  /** Where the next message begins. What was read may refer to its bytes for ever: nothing overwrites them. */
  #begin(): number {
    if (this.#writer.length > blockBytes / 2) this.#writer = new ByteWriter(blockBytes);
    return this.#writer.length;
  }

  #sent(from: number): ByteReader {
    this.#reader.reset(this.#writer.buffer, from, this.#writer.length);
    return this.#reader;
  }
}

function copied(payload: Buffer | undefined): Buffer {
  return payload === undefined ? noPayload : Buffer.from(payload);
}

/** Bytes of the value that a message carries. */
export function payloadBytes(message: PeerRequest | PeerAnswer): number {
  switch (message.kind) {
    case "write":
    case "value":
      return message.value?.length ?? 0;
    case "replicate":
    case "hand_off":
      return message.entry.value?.length ?? 0;
    default:
      return 0;
  }
}
