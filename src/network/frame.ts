/**
 * The layout of a frame, the unit of a link between members. A frame is a header of 16 bytes, the head of a message and
 * bytes of its payload. A message with a large payload is spread over several frames. Other messages go between them,
 * so that it does not hold those up.
 *
 * | offset | bytes | field |
 * | --- | --- | --- |
 * | 0 | 4 | bytes that follow the header: head and payload |
 * | 4 | 1 | kind |
 * | 5 | 3 | bytes of the head |
 * | 8 | 4 | number: a request's own, an answer's is that of its request |
 * | 12 | 4 | in a message's first frame the size of its whole payload, in a fragment the offset in it |
 *
 * Numbers are little-endian.
 *
 * A message whose first frame does not hold its whole payload is completed by fragments. They have the same number and
 * come in order. A request can be cancelled between them.
 *
 * The receiver credits the payload bytes of these frames to the sender as it reads them. The sender keeps few of them
 * on their way. So what comes behind them does not wait for all that the operating systems' buffers can hold.
 */

import type { ByteWriter } from "../base/codec.ts";

export const headerBytes = 16;

export const frameKinds = {
  request: 1,
  answer: 2,
  notice: 3,
  requestFragment: 5,
  answerFragment: 6,
  /** No more fragments of this request will come. It is as if it had not been sent. */
  requestCancel: 9,
  /** Are you there? */
  probe: 16,
  /** I am. */
  probeAnswer: 17,
  /** This many bytes of large payloads (the number) have been read: as many more may be sent. */
  credit: 24,
  /** A frame to pass over: a request that was given up after it was written and before it was sent. */
  void: 18,
} as const;

export type MessageKind = (typeof frameKinds)["request" | "answer" | "notice"];

/** A fragment's kind is that of its message plus this. */
export const fragmentOffset = 4;

/** Where in a frame its kind is, counted from the frame's first byte. */
export const kindOffset = 4;

/**
 * What the receiving end of a link takes. Each end tells the other when the link is made. An end that sends more breaks
 * the protocol and loses the link.
 */
export interface ReceiveLimits {
  /** Payload bytes in one frame. */
  readonly frameBytes: number;
  /** Bytes in the head of one message. */
  readonly headBytes: number;
  /** Bytes in the payload of one message. */
  readonly payloadBytes: number;
  /** Payload bytes of all messages that are begun and not complete. */
  readonly reassemblyBytes: number;
  /** How many messages may be begun and not complete. */
  readonly interleaved: number;
}

/** A head's length has three bytes. */
export const largestHeadBytes = 2 ** 24 - 1;

/** Fills in the header at `start`, where `headerBytes` were left free. */
export function setHeader(
  writer: ByteWriter,
  start: number,
  kind: number,
  number: number,
  headLength: number,
  partLength: number,
  sizeOrOffset: number,
): void {
  writer.setU32(start, headLength + partLength);
  writer.setU32(start + kindOffset, kind + headLength * 256);
  writer.setU32(start + 8, number);
  writer.setU32(start + 12, sizeOrOffset);
}
