/**
 * The memory behind buffers. It lies outside of the heap, which is what the garbage collector looks at: left to that, tens of MiB of what passes through as a
 * stream pile up, and a few bytes that are kept keep all of the chunk in which they came.
 */

/** The buffer itself, or a copy with memory of its own when it is a view on a larger one. */
export function compact(buffer: Buffer): Buffer {
  if (buffer.byteLength === buffer.buffer.byteLength) return buffer;
  const copy = Buffer.allocUnsafeSlow(buffer.byteLength);
  buffer.copy(copy);
  return copy;
}

/**
 * Frees the bytes now. Nobody may use them any more, or still be sending them: they are gone. Bytes that share their memory with others are left to the garbage
 * collector.
 */
export function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const isFree = bytes.length === 0;
  if (!isFree && buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength) buffer.transfer(0);
}
