/**
 * The fields that several messages share, as bytes: versions, request ids and outcomes, headers, digests, entries
 * without their value, a member's state. Each `write` has its `read`, which gives back exactly what was written.
 */

import { type ByteReader, type ByteWriter, MalformedError } from "../base/codec.ts";
import { type ErrorCode, errorKinds } from "../base/errors.ts";
import { type ContentHeaders, type Entry, noHeaders, type RequestId, type ValueInfo } from "./entry.ts";
import type { LateCondition } from "./late-effects.ts";
import type { JournalPosition, MemberState, Progress, RequestOutcome } from "./message.ts";
import type { Precondition } from "./precondition.ts";
import type { FailingKey } from "./status.ts";
import { noVersion, type Version } from "./version.ts";

export function writeVersion(writer: ByteWriter, version: Version): void {
  writer.integer(version.epoch);
  writer.integer(version.seq);
}

export function readVersion(reader: ByteReader): Version {
  return { epoch: reader.integer(), seq: reader.integer() };
}

export function writeRequestId(writer: ByteWriter, id: RequestId): void {
  writeDigest(writer, id.router);
  writer.integer(id.counter);
}

export function readRequestId(reader: ByteReader): RequestId {
  return { router: readDigest(reader), counter: reader.integer() };
}

export function writeOutcomes(writer: ByteWriter, outcomes: readonly RequestOutcome[]): void {
  writer.u32(outcomes.length);
  for (const { requestId, key, version } of outcomes) {
    writeRequestId(writer, requestId);
    writer.text(key);
    writeVersion(writer, version);
  }
}

export function readOutcomes(reader: ByteReader): RequestOutcome[] {
  const count = reader.u32();
  const outcomes: RequestOutcome[] = [];
  for (let index = 0; index < count; index += 1) {
    const requestId = readRequestId(reader);
    outcomes.push({ requestId, key: reader.text(), version: readVersion(reader) });
  }
  return outcomes;
}

const digestDigits = 32;
const emptyDigest = 0;
const hexDigest = 1;
const otherDigest = 2;

/**
 * Writes a text that is usually 32 lower-case hexadecimal digits (an MD5, an incarnation), or empty. Such digits take
 * 17 bytes, the empty text takes one, any other text is written as it is.
 */
export function writeDigest(writer: ByteWriter, digest: string): void {
  if (digest === "") {
    writer.u8(emptyDigest);
    return;
  }
  const start = writer.length;
  writer.u8(hexDigest);
  if (digest.length === digestDigits && writer.hex(digest)) return;
  writer.truncate(start);
  writer.u8(otherDigest);
  writer.text(digest);
}

export function readDigest(reader: ByteReader): string {
  const form = reader.u8();
  if (form === hexDigest) return reader.hex(digestDigits);
  if (form === emptyDigest) return "";
  if (form === otherDigest) return reader.text();
  throw new MalformedError("an unknown form of digest");
}

/** Header names that are worth a byte. The order is part of the format: append only. */
const commonNames = ["content-type", "content-encoding", "cache-control", "content-disposition"] as const;

export function writeHeaders(writer: ByteWriter, headers: ContentHeaders): void {
  if (headers === noHeaders) {
    writer.u16(0);
    return;
  }
  const names = Object.keys(headers);
  writer.u16(names.length);
  for (const name of names) {
    const common = (commonNames as readonly string[]).indexOf(name) + 1;
    writer.u8(common);
    if (common === 0) writer.byteText(name);
    writer.byteText(headers[name] as string);
  }
}

export function readHeaders(reader: ByteReader): ContentHeaders {
  const count = reader.u16();
  if (count === 0) return noHeaders;
  const headers: Record<string, string> = {};
  for (let index = 0; index < count; index += 1) {
    const common = reader.u8();
    const name = common === 0 ? reader.byteText() : commonNames[common - 1];
    // Assigning this one name would set the object's prototype instead of a property.
    if (name === undefined || name === "__proto__") throw new MalformedError("a header name that none may have");
    headers[name] = reader.byteText();
  }
  return headers;
}

export function writeValueInfo(writer: ByteWriter, info: ValueInfo): void {
  writeVersion(writer, info);
  writeHeaders(writer, info.headers);
  writeDigest(writer, info.md5);
  writer.f64(info.modifiedMs);
  writer.integer(info.size);
}

export function readValueInfo(reader: ByteReader): ValueInfo {
  const epoch = reader.integer();
  const seq = reader.integer();
  const headers = readHeaders(reader);
  const md5 = readDigest(reader);
  return { epoch, seq, headers, md5, modifiedMs: reader.f64(), size: reader.integer() };
}

/** Writes the entry without its value. Of the value it writes only whether there is one. */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.text(entry.key);
  writeValueInfo(writer, entry);
  writeRequestId(writer, entry.requestId);
  writeBody(writer, entry);
}

/** The entry with `payload` as its value, unless it has none. */
export function readEntry(reader: ByteReader, payload: Buffer): Entry {
  const key = reader.text();
  const info = readValueInfo(reader);
  const requestId = readRequestId(reader);
  const body = readBody(reader, payload);
  return {
    key,
    epoch: info.epoch,
    seq: info.seq,
    headers: info.headers,
    md5: info.md5,
    modifiedMs: info.modifiedMs,
    size: info.size,
    requestId,
    ...body,
  };
}

/** The forms that the payload of an entry or a write may have. */
const noBody = 0;
const valueBody = 1;
const uploadBody = 2;

/**
 * Writes what the payload is: nothing, a value, or the manifest of an upload. The upload's other fields are written
 * here.
 */
export function writeBody(writer: ByteWriter, { value, upload }: Pick<Entry, "value" | "upload">): void {
  if (!upload) {
    writer.u8(value === undefined ? noBody : valueBody);
    return;
  }
  writer.u8(uploadBody);
  writer.text(upload.token);
  writer.integer(upload.size);
}

export function readBody(reader: ByteReader, payload: Buffer): Pick<Entry, "value" | "upload"> {
  const form = reader.u8();
  if (form === valueBody) return { value: payload };
  if (form === uploadBody) {
    return { value: undefined, upload: { token: reader.text(), size: reader.integer(), manifest: payload } };
  }
  if (form !== noBody || payload.length > 0) throw new MalformedError("a payload of no known form");
  return { value: undefined };
}

/** Returns the payload, or undefined where the message says that it has no value. Then there must be no payload. */
export function readValue(reader: ByteReader, payload: Buffer): Buffer | undefined {
  if (reader.bool()) return payload;
  if (payload.length > 0) throw new MalformedError("a payload without a value");
  return undefined;
}

export function writePrecondition(writer: ByteWriter, precondition: Precondition | undefined): void {
  writeTags(writer, precondition?.match);
  writeTags(writer, precondition?.noneMatch);
  writer.bool(precondition !== undefined);
  writer.f64(precondition?.unmodifiedSince ?? Number.NaN);
}

export function readPrecondition(reader: ByteReader): Precondition | undefined {
  const match = readTags(reader);
  const noneMatch = readTags(reader);
  const isThere = reader.bool();
  const unmodifiedSince = reader.f64();
  if (!isThere) return undefined;
  const date = Number.isNaN(unmodifiedSince) ? {} : { unmodifiedSince };
  return { ...(match && { match }), ...(noneMatch && { noneMatch }), ...date };
}

/** Writes the number of tags plus one, so that no list and an empty list differ. */
function writeTags(writer: ByteWriter, tags: readonly string[] | undefined): void {
  writer.u16(tags === undefined ? 0 : tags.length + 1);
  if (tags !== undefined) for (const tag of tags) writeDigest(writer, tag);
}

function readTags(reader: ByteReader): string[] | undefined {
  const count = reader.u16();
  if (count === 0) return undefined;
  const tags: string[] = [];
  for (let index = 1; index < count; index += 1) tags.push(readDigest(reader));
  return tags;
}

const progressSteps: readonly Progress[] = ["adopting", "adopted", "delivered", "handed_off"];

/** What is mostly empty, in each ping: a loop costs less than `Array.from`. */
function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let left = reader.u16(); left > 0; left -= 1) items.push(read(reader));
  return items;
}

function readText(reader: ByteReader): string {
  return reader.text();
}

function readProgress(reader: ByteReader): Progress {
  const progress = progressSteps[reader.u8()];
  if (progress === undefined) throw new MalformedError("an unknown step of progress");
  return progress;
}

function writePosition(writer: ByteWriter, { segment, offset }: JournalPosition): void {
  writer.integer(segment);
  writer.integer(offset);
}

function readPosition(reader: ByteReader): JournalPosition {
  return { segment: reader.integer(), offset: reader.integer() };
}

export function writeState(writer: ByteWriter, state: MemberState): void {
  writer.integer(state.epoch);
  writer.integer(state.seenEpoch);
  writer.bool(state.settled);
  writer.u8(progressSteps.indexOf(state.progress));
  writer.bool(state.quiet);
  writer.u16(state.suspects.length);
  for (const id of state.suspects) writer.text(id);
  writer.text(state.cluster);
  writer.text(state.folder.name);
  writePosition(writer, state.folder.began);
  writePosition(writer, state.folder.journaled);
  writer.u16(state.broughtBack.length);
  for (const incarnation of state.broughtBack) writer.text(incarnation);
  writer.f64(state.storeFailingMs);
  writer.bool(state.storeWorks);
  writer.integer(state.watermark);
  writer.u16(state.finished.length);
  for (const each of state.finished) writeRequestId(writer, each);
  writer.f64(state.figures.dirtyBytes);
  writer.f64(state.figures.dirtyKeys);
  writer.f64(state.figures.cacheBytes);
  writer.f64(state.figures.oldestDirtyMs);
  writer.f64(state.figures.failingKeys);
  writer.f64(state.figures.refusedKeys);
  writer.f64(state.figures.refusedBytes);
  writer.f64(state.figures.refusedRoomBytes);
  writer.f64(state.figures.heldKeys);
  writer.f64(state.figures.lateEffectMs);
  writeFailingKeys(writer, state.figures.failing);
  writer.bool(state.figures.slowing);
  writer.bool(state.figures.full);
  writer.bool(state.figures.journaled);
}

export function readState(reader: ByteReader): MemberState {
  return {
    epoch: reader.integer(),
    seenEpoch: reader.integer(),
    settled: reader.bool(),
    progress: readProgress(reader),
    quiet: reader.bool(),
    suspects: readList(reader, readText),
    cluster: reader.text(),
    folder: { name: reader.text(), began: readPosition(reader), journaled: readPosition(reader) },
    broughtBack: readList(reader, readText),
    storeFailingMs: reader.f64(),
    storeWorks: reader.bool(),
    watermark: reader.integer(),
    finished: readList(reader, readRequestId),
    figures: {
      dirtyBytes: reader.f64(),
      dirtyKeys: reader.f64(),
      cacheBytes: reader.f64(),
      oldestDirtyMs: reader.f64(),
      failingKeys: reader.f64(),
      refusedKeys: reader.f64(),
      refusedBytes: reader.f64(),
      refusedRoomBytes: reader.f64(),
      heldKeys: reader.f64(),
      lateEffectMs: reader.f64(),
      failing: readFailingKeys(reader),
      slowing: reader.bool(),
      full: reader.bool(),
      journaled: reader.bool(),
    },
  };
}

export function writeFailingKeys(writer: ByteWriter, keys: readonly FailingKey[]): void {
  writer.u16(keys.length);
  for (const each of keys) {
    writer.text(each.key);
    writeVersion(writer, each.version);
    writer.integer(each.size);
    writer.bool(each.isDelete);
    writer.f64(each.ageMs);
    writer.byteText(each.code);
    writer.text(each.reason);
    writeHolder(writer, each.holder);
  }
}

export function readFailingKeys(reader: ByteReader): FailingKey[] {
  return readList(reader, readFailingKey);
}

function readFailingKey(reader: ByteReader): FailingKey {
  return {
    key: reader.text(),
    version: readVersion(reader),
    size: reader.integer(),
    isDelete: reader.bool(),
    ageMs: reader.f64(),
    code: readErrorCode(reader),
    reason: reader.text(),
    ...readHolder(reader),
  };
}

/** An address, or a token's name, which the configuration bounds: a longer one is no holder's. */
const maxHolder = 256;

export function writeHolder(writer: ByteWriter, holder: string | undefined): void {
  writer.text(holder ?? "");
}

export function readHolder(reader: ByteReader): { readonly holder?: string } {
  const holder = reader.text();
  if (holder.length > maxHolder) throw new MalformedError("a holder with too long a name");
  return holder === "" ? {} : { holder };
}

/** Codes are only ever added. A code that this program does not know yet is a failure like any other to its callers. */
export function readErrorCode(reader: ByteReader): ErrorCode {
  const text = reader.byteText();
  return Object.hasOwn(errorKinds, text) ? (text as ErrorCode) : "internal";
}

const conditionKinds = ["absent", "present", "any_present", "any"] as const;

export function writeConditions(writer: ByteWriter, conditions: readonly LateCondition[]): void {
  writer.u32(conditions.length);
  for (const { condition, version } of conditions) {
    writer.u8(conditionKinds.indexOf(condition.kind));
    writer.text(condition.kind === "present" ? condition.tag : "");
    writeVersion(writer, version ?? noVersion);
  }
}

export function readConditions(reader: ByteReader): LateCondition[] {
  return Array.from({ length: reader.u32() }, () => {
    const kind = conditionKinds[reader.u8()];
    const tag = reader.text();
    const version = readVersion(reader);
    if (kind === undefined) throw new MalformedError("an unknown condition");
    const condition = kind === "present" ? { kind, tag } : { kind };
    return { condition, version: version.epoch === 0 ? undefined : version };
  });
}
