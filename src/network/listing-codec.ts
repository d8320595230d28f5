/** What members say to each other about a listing, as bytes. */

import { type ByteReader, type ByteWriter, MalformedError } from "../base/codec.ts";
import { readDigest, writeDigest } from "../core/field-codec.ts";
import { type ListQuery, maxListLimit } from "../core/listing.ts";
import type { HeldEntry } from "../core/message.ts";

const heldTags = { value: 1, prefix: 2, deleted: 3 } as const satisfies Record<HeldEntry["kind"], number>;

export function writeListQuery(writer: ByteWriter, query: ListQuery): void {
  writer.text(query.prefix);
  writer.text(query.after);
  writer.text(query.delimiter);
  writer.u16(query.limit);
}

export function readListQuery(reader: ByteReader): ListQuery {
  const [prefix, after, delimiter] = [reader.text(), reader.text(), reader.text()];
  const limit = reader.u16();
  if (limit < 1 || limit > maxListLimit) throw new MalformedError("a listing's limit out of range");
  return { prefix, after, delimiter, limit };
}

export function writeHeldEntries(writer: ByteWriter, entries: readonly HeldEntry[]): void {
  writer.u32(entries.length);
  for (const entry of entries) {
    writer.u8(heldTags[entry.kind]);
    writer.text(entry.name);
    if (entry.kind !== "value") continue;
    writer.integer(entry.size);
    writeDigest(writer, entry.md5);
    writer.f64(entry.modifiedMs);
  }
}

export function readHeldEntries(reader: ByteReader): HeldEntry[] {
  const count = reader.u32();
  const entries: HeldEntry[] = [];
  for (let index = 0; index < count; index++) entries.push(readHeldEntry(reader));
  return entries;
}

function readHeldEntry(reader: ByteReader): HeldEntry {
  const tag = reader.u8();
  const name = reader.text();
  switch (tag) {
    case heldTags.value:
      return { kind: "value", name, size: reader.integer(), md5: readDigest(reader), modifiedMs: reader.f64() };
    case heldTags.prefix:
      return { kind: "prefix", name };
    case heldTags.deleted:
      return { kind: "deleted", name };
    default:
      throw new MalformedError("an unknown kind of held entry");
  }
}
