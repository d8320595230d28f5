/**
 * The memory behind buffers. It lies outside the heap, and the garbage collector looks at the heap. Left to the
 * collector, streams that pass through pile up tens of MiB. And a few bytes that are kept keep the whole chunk in which
 * they came.
 */

import { assert } from "./assert.ts";

/** Returns `buffer` itself, or, when it is a view on a larger one, a copy with memory of its own. */
export function compact(buffer: Buffer): Buffer {
  if (buffer.byteLength === buffer.buffer.byteLength) return buffer;
  const copy = Buffer.allocUnsafeSlow(buffer.byteLength);
  buffer.copy(copy);
  return copy;
}

/** The first bytes of a buffer that has memory of its own. Nobody may use that buffer afterwards. */
export function shrink(buffer: Buffer, length: number): Buffer {
  const memory = buffer.buffer;
  assert(memory instanceof ArrayBuffer && memory.byteLength === buffer.length, "the memory is the buffer's own");
  return length === buffer.length ? buffer : Buffer.from(memory.transfer(length));
}

/**
 * Frees the bytes now. Nobody may use them any more, or still be sending them. Bytes that share their memory with
 * others are left to the garbage collector.
 */
export function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const isFree = bytes.length === 0;
  if (!isFree && buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength) buffer.transfer(0);
}
