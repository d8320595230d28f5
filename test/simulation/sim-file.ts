/** A file of the simulated disk: its bytes as everybody sees them, and which of them would outlive a loss of power. */

import { assert } from "../../src/base/assert.ts";
import type { SimRandom } from "../harness/sim-random.ts";

const sectorBytes = 512;

export class SimFile {
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;
  /** The disk has the bytes below. */
  #durable = 0;
  /** What it has beyond the end, after it was truncated; until the next sync. */
  #cut: Buffer | undefined;
  /** From here to there the system takes for written what it is not. */
  #lostFrom = 0;
  #lostTo = 0;

  get size(): number {
    return this.#size;
  }

  visible(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Another file with the same bytes, all of them durable. */
  copy(): SimFile {
    const copy = new SimFile();
    copy.append([this.visible()], this.#size);
    copy.synced();
    return copy;
  }

  append(buffers: readonly Buffer[], limit: number): void {
    const end = this.#size + limit;
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2, 4096));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    let left = limit;
    for (const buffer of buffers) {
      this.#bytes.set(buffer.subarray(0, left), this.#size + limit - left);
      left -= Math.min(left, buffer.length);
    }
    this.#size = end;
  }

  rewrite(offset: number, bytes: Buffer): void {
    assert(offset + bytes.length <= this.#size, "only what is there is written again");
    this.#bytes.set(bytes, offset);
    if (this.#lostTo === this.#lostFrom || offset > this.#lostFrom || offset + bytes.length < this.#lostTo) return;
    this.#durable = Math.min(this.#durable, this.#lostFrom);
    this.#lostTo = this.#lostFrom;
  }

  truncate(size: number): void {
    assert(size <= this.#size, "a file is only ever cut shorter");
    if (size < this.#durable) {
      this.#cut = Buffer.from(this.#bytes.subarray(size, this.#durable));
      this.#durable = size;
    }
    this.#size = size;
    this.#lostTo = Math.max(this.#lostFrom, Math.min(this.#lostTo, size));
  }

  synced(): void {
    this.#durable = this.#size;
    this.#cut = undefined;
  }

  syncFailed(): void {
    this.#lostFrom = this.#lostTo > this.#lostFrom ? Math.min(this.#lostFrom, this.#durable) : this.#durable;
    this.#lostTo = this.#size;
  }

  /** The process that was writing from `from` on has ended before it was done. */
  interrupt(random: SimRandom, from: number): void {
    if (from < this.#size) this.#size = random.whole(from, this.#size);
  }

  /** Keeps what is durable; the rest fares as it may. */
  losePower(random: SimRandom): void {
    if (this.#lostTo > this.#lostFrom) {
      // Zeros, as where blocks were allocated and never written.
      this.#bytes.fill(0, this.#lostFrom, this.#lostTo);
      this.#lostTo = this.#lostFrom;
    }
    if (this.#cut !== undefined && random.chance(0.5)) {
      this.#size = this.#durable;
      this.append([this.#cut], this.#cut.length);
    } else if (this.#size > this.#durable) {
      this.#tear(random);
    }
    this.#cut = undefined;
    this.#durable = this.#size;
  }

  #tear(random: SimRandom): void {
    const from = this.#durable;
    const bytes = this.#size - from;
    switch (random.whole(0, 4)) {
      case 0:
        return;
      case 1:
        this.#size = from;
        return;
      case 2:
        this.#size = from + random.whole(0, bytes);
        return;
      case 3: {
        // Garbage or zeros behind what was written.
        const kept = random.whole(0, bytes);
        this.#size = from + random.whole(kept, bytes);
        if (random.chance(0.5)) this.#bytes.fill(0, from + kept, this.#size);
        else for (let at = from + kept; at < this.#size; at += 1) this.#bytes[at] = random.word();
        return;
      }
      default:
        for (let at = from; at < this.#size; ) {
          const end = Math.min(this.#size, at + sectorBytes - (at % sectorBytes));
          if (random.chance(0.5)) this.#bytes.fill(0, at, end);
          at = end;
        }
    }
  }
}
