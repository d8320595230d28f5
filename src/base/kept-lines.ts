/**
 * Lines on their way to a reader that may stop reading, such as a program behind a pipe. They are written at once: what
 * was logged before a crash is there after it. When the reader takes no more they are kept, and the process goes on.
 *
 * Of too many lines the oldest are dropped, and their number is told later. The newest say why a process ended.
 */

import type { Clock, Instant, Timer } from "./clock.ts";

export interface KeptLinesOptions {
  /**
   * Writes what can be written at once, and returns how many bytes that is.
   *
   * @throws when nothing can be written, and waiting for the reader does not help.
   */
  readonly write: (bytes: Buffer) => number;
  /** One piece more may be kept. */
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Told how many lines were dropped, once the others are out. It may write a line. */
  readonly onLost: (lines: number) => void;
}

/** Lines that are written together. */
interface Piece {
  text: string;
  bytes: number;
  lines: number;
}

/** Lines are kept in pieces of some 16 KiB. */
const pieceBytes = 16_384;

/** Between two attempts to write, in milliseconds. Each without success doubles it. A pipe has room for 64 KiB. */
const minPauseMs = 10;
const maxPauseMs = 640;

export class KeptLines {
  readonly #options: KeptLinesOptions;
  /** Those that came first are first. */
  readonly #pieces: Piece[] = [];
  #bytes = 0;
  /** What is left of the piece that is being written. A line that is out in part is never dropped. */
  #begun: Buffer | undefined;
  #lost = 0;
  #pauseMs = minPauseMs;
  #isBroken = false;
  #retry: Timer | undefined;

  constructor(options: KeptLinesOptions) {
    this.#options = options;
  }

  write(line: string): void {
    this.#keep(line);
    if (this.#retry === undefined && !this.#writeOut()) this.#retryLater();
    while (this.#bytes > this.#options.maxBytes) {
      const { bytes, lines } = this.#pieces.shift() as Piece;
      this.#bytes -= bytes;
      this.#lost += lines;
    }
  }

  /** Writes all that is kept, at the end of the process. Waits for the reader by `pause`, until `giveUpAt`. */
  flush(giveUpAt: Instant, pause: (ms: number) => void): void {
    while (!this.#writeOut() && !this.#isBroken && this.#options.clock.now() < giveUpAt) pause(minPauseMs);
  }

  #keep(text: string): void {
    const bytes = Buffer.byteLength(text);
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.bytes + bytes <= pieceBytes) {
      last.text += text;
      last.bytes += bytes;
      last.lines++;
    } else {
      this.#pieces.push({ text, bytes, lines: 1 });
    }
    this.#bytes += bytes;
  }

  /** Whether all is out. */
  #writeOut(): boolean {
    while (this.#begun !== undefined || this.#pieces.length > 0) {
      this.#begun ??= this.#takePiece();
      const written = this.#writeSome(this.#begun);
      if (written === 0) return false;
      this.#begun = written < this.#begun.length ? this.#begun.subarray(written) : undefined;
    }
    if (this.#lost === 0) return true;
    const lost = this.#lost;
    this.#lost = 0;
    this.#options.onLost(lost);
    return this.#begun === undefined && this.#pieces.length === 0;
  }

  #takePiece(): Buffer {
    const { text, bytes } = this.#pieces.shift() as Piece;
    this.#bytes -= bytes;
    return Buffer.from(text);
  }

  #writeSome(bytes: Buffer): number {
    try {
      const written = this.#options.write(bytes);
      this.#isBroken = false;
      if (written > 0) this.#pauseMs = minPauseMs;
      return written;
    } catch {
      this.#isBroken = true;
      return 0;
    }
  }

  #retryLater(): void {
    this.#retry ??= this.#options.clock.after(this.#pauseMs, () => {
      this.#retry = undefined;
      this.#pauseMs = Math.min(2 * this.#pauseMs, maxPauseMs);
      if (!this.#writeOut()) this.#retryLater();
    });
  }
}
