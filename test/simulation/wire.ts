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

const initialBytes = 1024;
const noPayload = Buffer.alloc(0);

export class Wire {
  readonly #writer = new ByteWriter(initialBytes);
  readonly #reader = new ByteReader();

  request(request: PeerRequest): PeerRequest {
    this.#writer.truncate(0);
    const payload = writeRequest(this.#writer, request);
    return readRequest(this.#sent(), copied(payload));
  }

  answer(answer: PeerAnswer): PeerAnswer {
    this.#writer.truncate(0);
    const payload = writeAnswer(this.#writer, answer);
    return readAnswer(this.#sent(), copied(payload));
  }

  notice(notice: PeerNotice): PeerNotice {
    this.#writer.truncate(0);
    writeNotice(this.#writer, notice);
    return readNotice(this.#sent(), noPayload);
  }

  #sent(): ByteReader {
    // A copy: the message may refer to these bytes for ever, and the writer's are used again.
    const bytes = Buffer.from(this.#writer.buffer.subarray(0, this.#writer.length));
    this.#reader.reset(bytes, 0, bytes.length);
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
