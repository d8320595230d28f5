/**
 * Giving memory back. What passes through as a stream comes in buffers that are soon of no use; left to the garbage collector, which looks at the heap more than at
 * what lies outside of it, tens of MiB of them pile up.
 */

/**
 * Frees the bytes now. Nobody may use them any more, or still be sending them: they are gone. Bytes that share their memory with others are left to the garbage
 * collector.
 */
export function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const isFree = bytes.length === 0;
  if (!isFree && buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength) buffer.transfer(0);
}
