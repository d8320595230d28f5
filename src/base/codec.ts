/**
 * Bytes by hand: the writer and the reader under every binary format of weir. Numbers are little-endian. The writer's
 * buffer grows and is used again, so writing a message allocates nothing. The reader checks every bound, so damaged
 * input can do no more than throw a MalformedError.
 */

import { isUtf8 } from "node:buffer";
import { assert } from "./assert.ts";

/** The bytes are not what the format says. Code that reads bytes from outside catches it and gives up their source. */
export class MalformedError extends Error {
  override name = "MalformedError";
}

const maxU32 = 2 ** 32 - 1;
const maxU16 = 2 ** 16 - 1;

/** By character code: the value of a lower-case hexadecimal digit, -1 for every other character of one byte. */
const digitValues = Int8Array.from({ length: 256 }, (_, code) => "0123456789abcdef".indexOf(String.fromCharCode(code)));

/** Turns a double into its bytes and back, without a DataView for each buffer that is read. */
const float = new Float64Array(1);
const floatWords = new Uint32Array(float.buffer);

export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** The bytes written so far are its first {@link length} bytes. When the writer grows, it moves to another buffer. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    assert(length >= 0 && length <= this.#length, "a writer is only ever cut shorter");
    this.#length = length;
  }

  /** Leaves a gap of `bytes` bytes, for {@link setU32} to fill. Until then the content of the gap is undefined. */
  skip(bytes: number): void {
    this.#room(bytes);
    this.#length += bytes;
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 255, "a u8 is 0 to 255");
    this.#room(1);
    this.#buffer[this.#length++] = value;
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  u16(value: number): void {
    assert(value >= 0 && value <= maxU16, "a u16 is 0 to 65,535");
    this.#room(2);
    this.#buffer[this.#length] = value;
    this.#buffer[this.#length + 1] = value >>> 8;
    this.#length += 2;
  }

  /** A whole number of 32 bits. */
  u32(value: number): void {
    this.#room(4);
    this.setU32(this.#length, value);
    this.#length += 4;
  }

  /** A whole number from 0 to 2^53 - 1, in 8 bytes. */
  integer(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "an integer is whole, not negative and exact in a double");
    this.u32(value % (maxU32 + 1));
    this.u32(Math.floor(value / (maxU32 + 1)));
  }

  /** Any number. */
  f64(value: number): void {
    float[0] = value;
    this.u32(floatWords[0] as number);
    this.u32(floatWords[1] as number);
  }

  /** Well-formed text of at most 65,535 bytes of UTF-8. */
  text(value: string): void {
    this.#room(2 + value.length * 3);
    const bytes = this.#buffer.write(value, this.#length + 2, "utf8");
    this.#finishText(bytes);
  }

  /** A string of at most 65,535 characters, each one byte (U+0000 to U+00FF). */
  byteText(value: string): void {
    this.#room(2 + value.length);
    const bytes = this.#buffer.write(value, this.#length + 2, "latin1");
    this.#finishText(bytes);
  }

  /**
   * Writes lower-case hexadecimal digits, two a byte. It does not write how many: the reader must know that. Returns
   * false, with nothing written, when `digits` is anything else.
   */
  hex(digits: string): boolean {
    const bytes = digits.length >>> 1;
    if (digits.length % 2 !== 0) return false;
    this.#room(bytes);
    const buffer = this.#buffer;
    const start = this.#length;
    let invalid = 0;
    for (let index = 0; index < bytes; index += 1) {
      const high = digitValues[digits.charCodeAt(index * 2)] ?? -1;
      const low = digitValues[digits.charCodeAt(index * 2 + 1)] ?? -1;
      invalid |= high | low;
      buffer[start + index] = (high << 4) | low;
    }
    if (invalid < 0) return false;
    this.#length += bytes;
    return true;
  }

  /** Writes raw bytes. It does not write how many. */
  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Overwrites four bytes at `offset`. */
  setU32(offset: number, value: number): void {
    assert(value >= 0 && value <= maxU32 && Math.floor(value) === value, "a u32 is 0 to 2^32 - 1");
    const buffer = this.#buffer;
    buffer[offset] = value;
    buffer[offset + 1] = value >>> 8;
    buffer[offset + 2] = value >>> 16;
    buffer[offset + 3] = value >>> 24;
  }

  #finishText(bytes: number): void {
    assert(bytes <= maxU16, "a text is at most 65,535 bytes");
    this.#buffer[this.#length] = bytes;
    this.#buffer[this.#length + 1] = bytes >>> 8;
    this.#length += 2 + bytes;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/**
 * Reads what a ByteWriter wrote. Every method throws a MalformedError at the end of the bytes, or on bytes that no
 * writer writes.
 */
export class ByteReader {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** Begins to read `buffer` from `start` up to `end`, which is excluded. One reader serves any number of buffers. */
  reset(buffer: Buffer, start: number, end: number): void {
    assert(start >= 0 && start <= end && end <= buffer.length, "a reader stays within its buffer");
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  /** Call it last: bytes left over are malformed too. */
  finish(): void {
    if (this.#at !== this.#end) throw new MalformedError("bytes left over");
  }

  u8(): number {
    return this.#buffer[this.#take(1)] as number;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new MalformedError("neither true nor false");
    return value === 1;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#buffer[at] as number) | ((this.#buffer[at + 1] as number) << 8);
  }

  u32(): number {
    return readU32(this.#buffer, this.#take(4));
  }

  integer(): number {
    const low = this.u32();
    const high = this.u32();
    const value = high * (maxU32 + 1) + low;
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedError("an integer beyond 2^53 - 1");
    return value;
  }

  f64(): number {
    const at = this.#take(8);
    floatWords[0] = readU32(this.#buffer, at);
    floatWords[1] = readU32(this.#buffer, at + 4);
    return float[0] as number;
  }

  text(): string {
    const bytes = this.u16();
    const at = this.#take(bytes);
    const value = this.#buffer.toString("utf8", at, at + bytes);
    // Bytes that are not UTF-8 decode to the replacement character. That character may also be meant, so a second test
    // decides. It is rare.
    if (value.includes("\ufffd") && !isUtf8(this.#buffer.subarray(at, at + bytes))) {
      throw new MalformedError("text that is not UTF-8");
    }
    return value;
  }

  byteText(): string {
    const bytes = this.u16();
    const at = this.#take(bytes);
    return this.#buffer.toString("latin1", at, at + bytes);
  }

  /** The next `digits` (an even number) hexadecimal digits. */
  hex(digits: number): string {
    const at = this.#take(digits >>> 1);
    return this.#buffer.toString("hex", at, at + (digits >>> 1));
  }

  /** The next `length` bytes, sharing the memory of what is read. */
  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw new MalformedError("the bytes end too early");
    this.#at = at + bytes;
    return at;
  }
}

/** Four bytes at `offset`; the caller has checked that they are there. */
export function readU32(buffer: Uint8Array, offset: number): number {
  return (
    ((buffer[offset] as number) |
      ((buffer[offset + 1] as number) << 8) |
      ((buffer[offset + 2] as number) << 16) |
      ((buffer[offset + 3] as number) << 24)) >>>
    0
  );
}
