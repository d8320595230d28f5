/**
 * The writer and the reader of binary formats: what one writes the other reads, and no input makes the reader do more
 * than throw.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../../../src/base/assert.ts";
import { ByteReader, ByteWriter, MalformedError, readU32 } from "../../../src/base/codec.ts";

function readerOf(writer: ByteWriter): ByteReader {
  const reader = new ByteReader();
  reader.reset(writer.buffer, 0, writer.length);
  return reader;
}

test("codec: numbers at the ends of their ranges come back as they were", () => {
  const writer = new ByteWriter(4);
  writer.u8(0);
  writer.u8(255);
  writer.u16(65_535);
  writer.u32(0);
  writer.u32(2 ** 32 - 1);
  writer.integer(0);
  writer.integer(2 ** 32);
  writer.integer(Number.MAX_SAFE_INTEGER);
  writer.f64(-0.1);
  writer.f64(Number.POSITIVE_INFINITY);
  writer.bool(true);
  writer.bool(false);
  const reader = readerOf(writer);
  assert.deepEqual(
    [reader.u8(), reader.u8(), reader.u16(), reader.u32(), reader.u32()],
    [0, 255, 65_535, 0, 2 ** 32 - 1],
  );
  assert.deepEqual([reader.integer(), reader.integer(), reader.integer()], [0, 2 ** 32, Number.MAX_SAFE_INTEGER]);
  assert.deepEqual([reader.f64(), reader.f64()], [-0.1, Number.POSITIVE_INFINITY]);
  assert.deepEqual([reader.bool(), reader.bool()], [true, false]);
  reader.finish();
});

test("codec: text of any script, byte strings and bytes come back as they were", () => {
  const writer = new ByteWriter(1);
  const texts = ["", "plain", "grüße", "キー", "🗝️", "\u0000", "replacement \ufffd meant", "x".repeat(65_535)];
  for (const text of texts) writer.text(text);
  const byteText = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
  writer.byteText(byteText);
  writer.bytes(Buffer.from([1, 2, 3]));
  const reader = readerOf(writer);
  for (const text of texts) assert.equal(reader.text(), text);
  assert.equal(reader.byteText(), byteText);
  assert.deepEqual(reader.bytes(3), Buffer.from([1, 2, 3]));
  reader.finish();
});

test("codec: hexadecimal digits take half of their length, and other text is refused without a trace", () => {
  const writer = new ByteWriter(8);
  assert.equal(writer.hex("00ff10"), true);
  assert.equal(writer.length, 3);
  for (const other of ["abc", "AB", "0g", "é0", "0キ"]) assert.equal(writer.hex(other), false, other);
  assert.equal(writer.length, 3);
  assert.equal(readerOf(writer).hex(6), "00ff10");
});

test("codec: a number outside of its range is a bug of the writer's user", () => {
  const writer = new ByteWriter(8);
  assert.throws(() => writer.u8(256), AssertionError);
  assert.throws(() => writer.u16(65_536), AssertionError);
  assert.throws(() => writer.u32(-1), AssertionError);
  assert.throws(() => writer.u32(1.5), AssertionError);
  assert.throws(() => writer.integer(2 ** 53), AssertionError);
  assert.throws(() => writer.text("x".repeat(65_536)), AssertionError);
});

test("codec: reading past the end, bytes left over and impossible values are malformed", () => {
  const reader = new ByteReader();
  const read = (bytes: number[], action: (reader: ByteReader) => unknown): void => {
    const buffer = Buffer.from(bytes);
    reader.reset(buffer, 0, buffer.length);
    assert.throws(() => action(reader), MalformedError);
  };
  read([], (r) => r.u8());
  read([1], (r) => r.u16());
  read([1, 2, 3], (r) => r.u32());
  read([1, 2, 3, 4, 5, 6, 7], (r) => r.integer());
  read([255, 255, 255, 255, 255, 255, 255, 255], (r) => r.integer());
  read([1, 2, 3], (r) => r.f64());
  read([2], (r) => r.bool());
  read([5, 0, 65], (r) => r.text());
  read([1, 0, 255], (r) => r.text());
  read([3, 0, 1], (r) => r.byteText());
  read([1], (r) => r.hex(4));
  read([1], (r) => r.bytes(2));
  read([1], (r) => r.finish());
});

test("codec: a reader of a part of a buffer sees nothing beyond it", () => {
  const reader = new ByteReader();
  reader.reset(Buffer.from([1, 2, 3, 4]), 1, 3);
  assert.throws(() => reader.u32(), MalformedError);
  assert.deepEqual([reader.u8(), reader.u8()], [2, 3]);
  assert.throws(() => reader.u8(), MalformedError);
});

test("codec: a writer that is cut writes on from there, and a growing one keeps what it had", () => {
  const writer = new ByteWriter(4);
  writer.u32(7);
  writer.text("forgotten");
  writer.truncate(4);
  writer.skip(4);
  writer.bytes(Buffer.alloc(1000, 9));
  writer.setU32(4, 8);
  assert.equal(writer.length, 1008);
  assert.deepEqual([readU32(writer.buffer, 0), readU32(writer.buffer, 4), writer.buffer[1007]], [7, 8, 9]);
  assert.throws(() => writer.truncate(2000), AssertionError);
});
