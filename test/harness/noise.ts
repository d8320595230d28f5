/** Values for tests of bytes that no encoding leaves alone by accident. */

import type { SimRandom } from "./sim-random.ts";

export function noise(random: SimRandom, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(random.word(), at);
  return bytes;
}
