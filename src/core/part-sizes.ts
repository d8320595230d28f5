/** The parts of a value that is too large to be buffered. Their bounds are S3's: the narrowest of all stores. */

/** The least bytes of a part other than the last. */
export const minPartBytes = 5 * 1024 * 1024;

/** The most parts of a value, and the highest number that a part may have. */
export const maxParts = 10_000;

/**
 * Bytes in each part but the last, of a value that has so many: as usual, or more if that would be too many parts.
 */
export function partBytesFor(bytes: number, usualBytes: number): number {
  return Math.max(1, Math.min(bytes, Math.max(usualBytes, Math.ceil(bytes / maxParts))));
}
