/**
 * Messages between members as bytes. A message becomes a head, which is appended to a writer, and at most one payload
 * (its value). The payload is handed on by reference and never copied here. The formats are part of the link's protocol
 * version: a change to any of them needs a new version.
 */

import { unreachable } from "../base/assert.ts";
import { type ByteReader, type ByteWriter, MalformedError } from "../base/codec.ts";
import { payloadOf } from "../core/entry.ts";
import {
  readBody,
  readConditions,
  readDigest,
  readEntry,
  readErrorCode,
  readFailingKeys,
  readHeaders,
  readHolder,
  readOutcomes,
  readPrecondition,
  readRequestId,
  readState,
  readValue,
  readValueInfo,
  readVersion,
  writeBody,
  writeConditions,
  writeDigest,
  writeEntry,
  writeFailingKeys,
  writeHeaders,
  writeHolder,
  writeOutcomes,
  writePrecondition,
  writeRequestId,
  writeState,
  writeValueInfo,
  writeVersion,
} from "../core/field-codec.ts";
import type { LateEffect } from "../core/late-effects.ts";
import type { KeyVersion, PeerAnswer, PeerNotice, PeerRequest, UnknownRequest } from "../core/message.ts";
import type { Durability } from "../core/operation.ts";
import { noVersion } from "../core/version.ts";
import { readHeldEntries, readListQuery, writeHeldEntries, writeListQuery } from "./listing-codec.ts";

/** The first byte of a head. A number is never given again to another kind. */
const tags = {
  ping: 1,
  read: 2,
  write: 3,
  replicate: 4,
  hand_off: 5,
  hand_off_outcomes: 6,
  clean: 7,
  hand_off_list: 8,
  leave: 9,
  list: 10,
  flush: 11,
  failing: 12,
  view: 13,
  late: 14,
  answered: 15,
  refused_keys: 16,
  hand_off_unknown: 17,
  pong: 32,
  value: 33,
  missing: 34,
  written: 35,
  precondition_failed: 36,
  ack: 37,
  refused: 38,
  wanted: 39,
  held: 40,
  stored: 41,
  flushing: 42,
  failed: 43,
  adopted: 44,
  refusals: 45,
  state: 64,
} as const satisfies Record<PeerRequest["kind"] | PeerAnswer["kind"] | PeerNotice["kind"], number>;

/** How many characters of a refusal's detail are sent. It is for people, and may quote an error of any length. */
const maxDetail = 2000;

/** Appends the head of a request. Returns its payload, if it has one. */
export function writeRequest(writer: ByteWriter, request: PeerRequest): Buffer | undefined {
  writer.u8(tags[request.kind]);
  switch (request.kind) {
    case "ping":
      writeState(writer, request.state);
      return undefined;
    case "read":
      writer.integer(request.epoch);
      writer.text(request.key);
      writer.bool(request.wantValue);
      writeDigest(writer, request.changed);
      writer.f64(request.deadlineMs);
      return undefined;
    case "list":
      writer.integer(request.epoch);
      writeListQuery(writer, request.query);
      writer.f64(request.deadlineMs);
      return undefined;
    case "write":
      writer.integer(request.epoch);
      writer.text(request.key);
      writeRequestId(writer, request.requestId);
      writePrecondition(writer, request.precondition);
      writeHeaders(writer, request.headers);
      writeDigest(writer, request.md5);
      writer.bool(request.durability === "stored");
      writer.f64(request.deadlineMs);
      writeVersion(writer, request.discards ?? noVersion);
      writeHolder(writer, request.holder);
      writeBody(writer, request);
      return payloadOf(request);
    case "replicate":
    case "hand_off":
      writer.integer(request.epoch);
      writeEntry(writer, request.entry);
      return payloadOf(request.entry);
    case "hand_off_outcomes":
      writer.integer(request.epoch);
      writeOutcomes(writer, request.outcomes);
      return undefined;
    case "late":
      writer.integer(request.epoch);
      writer.u32(request.effects.length);
      for (const effect of request.effects) {
        writer.text(effect.key);
        writeConditions(writer, [effect]);
        writer.f64(effect.leftMs);
      }
      return undefined;
    case "hand_off_unknown":
      writer.integer(request.epoch);
      writer.u32(request.unknown.length);
      for (const { key, leftMs } of request.unknown) {
        writer.text(key);
        writer.f64(leftMs);
      }
      return undefined;
    case "answered":
      writer.integer(request.epoch);
      writer.text(request.key);
      writeVersion(writer, request.version);
      return undefined;
    case "hand_off_list":
    case "clean":
      writer.integer(request.epoch);
      writer.u32(request.items.length);
      for (const item of request.items) {
        writer.text(item.key);
        writeVersion(writer, item.version);
      }
      return undefined;
    case "leave":
    case "view":
      writer.integer(request.epoch);
      return undefined;
    case "failing":
      writer.integer(request.epoch);
      writer.text(request.key);
      return undefined;
    case "refused_keys":
      writer.integer(request.epoch);
      writer.text(request.prefix);
      writer.u32(request.limit);
      return undefined;
    case "flush":
      writer.integer(request.epoch);
      writer.bool(request.mark !== undefined);
      writer.f64(request.mark ?? 0);
      return undefined;
    default:
      return unreachable(request);
  }
}

/**
 * Reads a request from all that is left in `reader`. Its value, if it has one, is `payload` itself.
 *
 * @throws MalformedError
 */
export function readRequest(reader: ByteReader, payload: Buffer): PeerRequest {
  const request = requestOf(reader, payload);
  reader.finish();
  return request;
}

function requestOf(reader: ByteReader, payload: Buffer): PeerRequest {
  const tag = reader.u8();
  switch (tag) {
    case tags.write: {
      const epoch = reader.integer();
      const key = reader.text();
      const requestId = readRequestId(reader);
      const precondition = readPrecondition(reader);
      const headers = readHeaders(reader);
      const md5 = readDigest(reader);
      const durability = readDurability(reader);
      const deadlineMs = reader.f64();
      const version = readVersion(reader);
      const discards = version.epoch === 0 ? {} : { discards: version };
      const holder = readHolder(reader);
      const body = { ...readBody(reader, payload), ...discards, ...holder };
      return { kind: "write", epoch, key, requestId, precondition, headers, md5, durability, deadlineMs, ...body };
    }
    case tags.replicate:
      return { kind: "replicate", epoch: reader.integer(), entry: readEntry(reader, payload) };
    case tags.hand_off:
      return { kind: "hand_off", epoch: reader.integer(), entry: readEntry(reader, payload) };
  }
  if (payload.length > 0) throw new MalformedError("a payload in a request that has no value");
  switch (tag) {
    case tags.ping:
      return { kind: "ping", state: readState(reader) };
    case tags.read: {
      const epoch = reader.integer();
      const key = reader.text();
      const wantValue = reader.bool();
      return { kind: "read", epoch, key, wantValue, changed: readDigest(reader), deadlineMs: reader.f64() };
    }
    case tags.list:
      return { kind: "list", epoch: reader.integer(), query: readListQuery(reader), deadlineMs: reader.f64() };
    case tags.hand_off_outcomes:
      return { kind: "hand_off_outcomes", epoch: reader.integer(), outcomes: readOutcomes(reader) };
    case tags.late:
      return { kind: "late", epoch: reader.integer(), effects: readEffects(reader) };
    case tags.hand_off_unknown:
      return { kind: "hand_off_unknown", epoch: reader.integer(), unknown: readUnknown(reader) };
    case tags.answered:
      return { kind: "answered", epoch: reader.integer(), key: reader.text(), version: readVersion(reader) };
    case tags.hand_off_list:
      return { kind: "hand_off_list", epoch: reader.integer(), items: readItems(reader) };
    case tags.clean:
      return { kind: "clean", epoch: reader.integer(), items: readItems(reader) };
    case tags.leave:
      return { kind: "leave", epoch: reader.integer() };
    case tags.view:
      return { kind: "view", epoch: reader.integer() };
    case tags.refused_keys:
      return { kind: "refused_keys", epoch: reader.integer(), prefix: reader.text(), limit: reader.u32() };
    case tags.failing:
      return { kind: "failing", epoch: reader.integer(), key: reader.text() };
    case tags.flush: {
      const epoch = reader.integer();
      const hasMark = reader.bool();
      const mark = reader.f64();
      return { kind: "flush", epoch, mark: hasMark ? mark : undefined };
    }
    default:
      throw new MalformedError("an unknown kind of request");
  }
}

function readDurability(reader: ByteReader): Durability {
  return reader.bool() ? "stored" : "replicated";
}

function readEffects(reader: ByteReader): LateEffect[] {
  return Array.from({ length: reader.u32() }, () => {
    const key = reader.text();
    const [late] = readConditions(reader);
    if (late === undefined) throw new MalformedError("an effect without a condition");
    return { key, ...late, leftMs: reader.f64() };
  });
}

function readUnknown(reader: ByteReader): UnknownRequest[] {
  return Array.from({ length: reader.u32() }, () => ({ key: reader.text(), leftMs: reader.f64() }));
}

function readItems(reader: ByteReader): KeyVersion[] {
  const count = reader.u32();
  const items: KeyVersion[] = [];
  for (let index = 0; index < count; index += 1) items.push({ key: reader.text(), version: readVersion(reader) });
  return items;
}

/** Appends the head of an answer. Returns its payload, if it has one. */
export function writeAnswer(writer: ByteWriter, answer: PeerAnswer): Buffer | undefined {
  writer.u8(tags[answer.kind]);
  switch (answer.kind) {
    case "pong":
      writeState(writer, answer.state);
      return undefined;
    case "value":
      writeValueInfo(writer, answer.info);
      writer.bool(answer.value !== undefined);
      return answer.value;
    case "held":
      writeHeldEntries(writer, answer.entries);
      writer.text(answer.end ?? "");
      return undefined;
    case "stored":
      writeValueInfo(writer, answer.info);
      return undefined;
    case "missing":
    case "precondition_failed":
      return undefined;
    case "written":
      writeVersion(writer, answer.version);
      writeDigest(writer, answer.tag);
      writer.bool(answer.durability === "stored");
      return undefined;
    case "ack":
      writer.integer(answer.epoch);
      return undefined;
    case "wanted":
      writer.integer(answer.epoch);
      writer.u32(answer.wanted.length);
      for (const index of answer.wanted) writer.u32(index);
      return undefined;
    case "flushing":
      writer.integer(answer.epoch);
      writer.f64(answer.mark);
      writer.integer(answer.keys);
      writer.integer(answer.bytes);
      writer.integer(answer.refusedKeys);
      writeFailingKeys(writer, answer.failing);
      return undefined;
    case "failed":
      writeFailingKeys(writer, answer.failing ? [answer.failing] : []);
      return undefined;
    case "refusals":
      writeFailingKeys(writer, answer.keys);
      writer.bool(answer.more);
      return undefined;
    case "adopted":
      return answer.view;
    case "refused":
      writer.byteText(answer.code);
      writer.integer(answer.epoch);
      writer.text(answer.detail.length > maxDetail ? answer.detail.slice(0, maxDetail) : answer.detail);
      return undefined;
    default:
      return unreachable(answer);
  }
}

/**
 * Reads an answer from all that is left in `reader`. Its value, if it has one, is `payload` itself.
 *
 * @throws MalformedError
 */
export function readAnswer(reader: ByteReader, payload: Buffer): PeerAnswer {
  const answer = answerOf(reader, payload);
  reader.finish();
  return answer;
}

function answerOf(reader: ByteReader, payload: Buffer): PeerAnswer {
  const tag = reader.u8();
  if (tag === tags.value) {
    const info = readValueInfo(reader);
    return { kind: "value", info, value: readValue(reader, payload) };
  }
  if (tag === tags.adopted) return { kind: "adopted", view: payload };
  if (payload.length > 0) throw new MalformedError("a payload in an answer that has no value");
  switch (tag) {
    case tags.pong:
      return { kind: "pong", state: readState(reader) };
    case tags.held:
      return { kind: "held", entries: readHeldEntries(reader), end: reader.text() || undefined };
    case tags.stored:
      return { kind: "stored", info: readValueInfo(reader) };
    case tags.missing:
      return { kind: "missing" };
    case tags.precondition_failed:
      return { kind: "precondition_failed" };
    case tags.written:
      return {
        kind: "written",
        version: readVersion(reader),
        tag: readDigest(reader),
        durability: readDurability(reader),
      };
    case tags.ack:
      return { kind: "ack", epoch: reader.integer() };
    case tags.wanted: {
      const epoch = reader.integer();
      const count = reader.u32();
      const wanted: number[] = [];
      for (let index = 0; index < count; index += 1) wanted.push(reader.u32());
      return { kind: "wanted", epoch, wanted };
    }
    case tags.flushing:
      return {
        kind: "flushing",
        epoch: reader.integer(),
        mark: reader.f64(),
        keys: reader.integer(),
        bytes: reader.integer(),
        refusedKeys: reader.integer(),
        failing: readFailingKeys(reader),
      };
    case tags.failed:
      return { kind: "failed", failing: readFailingKeys(reader)[0] };
    case tags.refusals:
      return { kind: "refusals", keys: readFailingKeys(reader), more: reader.bool() };
    case tags.refused: {
      const code = readErrorCode(reader);
      return { kind: "refused", code, epoch: reader.integer(), detail: reader.text() };
    }
    default:
      throw new MalformedError("an unknown kind of answer");
  }
}

/** Appends the head of a notice. */
export function writeNotice(writer: ByteWriter, notice: PeerNotice): void {
  writer.u8(tags[notice.kind]);
  writeState(writer, notice.state);
}

/**
 * Reads a notice from all that is left in `reader`.
 *
 * @throws MalformedError
 */
export function readNotice(reader: ByteReader, payload: Buffer): PeerNotice {
  if (payload.length > 0) throw new MalformedError("a payload in a notice");
  if (reader.u8() !== tags.state) throw new MalformedError("an unknown kind of notice");
  const state = readState(reader);
  reader.finish();
  return { kind: "state", state };
}
