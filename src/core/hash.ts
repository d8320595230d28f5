/**
 * xxHash32, the hash that places keys and members on the ring and ties a version to its key. Every member must compute
 * the same value for ever. So the algorithm is written out here and checked against its official vectors; no library
 * and no platform can change it.
 */

// The primes of the algorithm (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

const lastAsciiCode = 0x7f;

/**
 * The xxHash32, with seed 0, of the text's bytes in UTF-8: 0 to 2^32 - 1. A surrogate without its other half counts as
 * U+FFFD, as in every encoder of the platform.
 */
export function xxh32(text: string): number {
  return xxh32Signed(text) >>> 0;
}

/**
 * The same 32 bits as a signed number, -2^31 to 2^31 - 1. The engine keeps such a number in a word; a larger one is an
 * object on the heap. So this allocates nothing when the text is ASCII.
 */
export function xxh32Signed(text: string): number {
  return hashByteString(isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1"));
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > lastAsciiCode) return false;
  }
  return true;
}

/** The hash of a string whose every character is one byte (U+0000 to U+00FF). */
function hashByteString(bytes: string): number {
  const length = bytes.length;
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let lane1 = (prime1 + prime2) | 0;
    let lane2 = prime2 | 0;
    let lane3 = 0;
    let lane4 = -prime1 | 0;
    for (const end = length - 16; at <= end; at += 16) {
      lane1 = mixLane(lane1, wordAt(bytes, at));
      lane2 = mixLane(lane2, wordAt(bytes, at + 4));
      lane3 = mixLane(lane3, wordAt(bytes, at + 8));
      lane4 = mixLane(lane4, wordAt(bytes, at + 12));
    }
    hash = (rotate(lane1, 1) + rotate(lane2, 7) + rotate(lane3, 12) + rotate(lane4, 18)) | 0;
  } else {
    hash = prime5 | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= length; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(wordAt(bytes, at), prime3)) | 0, 17), prime4);
  }
  for (; at < length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(bytes.charCodeAt(at), prime5)) | 0, 11), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return hash ^ (hash >>> 16);
}

function mixLane(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, prime2)) | 0, 13), prime1);
}

/** The four bytes from `at`, the lowest first, as 32 bits. */
function wordAt(bytes: string, at: number): number {
  return (
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  );
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
