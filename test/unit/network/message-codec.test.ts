/**
 * Messages as bytes: every kind comes back as it was, its value by reference; damaged bytes are malformed and nothing
 * worse.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, MalformedError } from "../../../src/base/codec.ts";
import { whatTheStoreHas } from "../../../src/core/discarded.ts";
import { type Entry, noHeaders } from "../../../src/core/entry.ts";
import type { MemberState, PeerAnswer, PeerNotice, PeerRequest } from "../../../src/core/message.ts";
import type { FailingKey } from "../../../src/core/status.ts";
import {
  readAnswer,
  readNotice,
  readRequest,
  writeAnswer,
  writeNotice,
  writeRequest,
} from "../../../src/network/message-codec.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const router = "0123456789abcdef0123456789abcdef";
const md5 = "9e107d9d372bb6826bd81d3542a419d6";
const none = Buffer.alloc(0);

const failing: readonly FailingKey[] = [
  {
    key: "grüße",
    version: { epoch: 2, seq: 2 ** 40 },
    size: 5,
    isDelete: false,
    ageMs: 1.5,
    code: "store_refused",
    reason: "ä",
    holder: "token writer",
  },
  {
    key: "k",
    version: { epoch: 1, seq: 1 },
    size: 0,
    isDelete: true,
    ageMs: 0,
    code: "store_unavailable",
    reason: "",
  },
];

const state: MemberState = {
  cluster: "c1",
  epoch: 7,
  seenEpoch: 2 ** 41,
  settled: true,
  progress: "delivered",
  quiet: true,
  suspects: ["b", "grüße"],
  folder: { name: "f0", began: { segment: 2, offset: 2 ** 40 }, journaled: { segment: 3, offset: 0 } },
  broughtBack: ["f1"],
  storeFailingMs: 30_000.5,
  storeWorks: false,
  watermark: 2 ** 40,
  finished: [{ router, counter: 7 }],
  figures: {
    dirtyBytes: 2 ** 34,
    dirtyKeys: 5,
    cacheBytes: 6,
    oldestDirtyMs: 12.5,
    failingKeys: 2,
    refusedKeys: 1,
    refusedBytes: 2 ** 33,
    refusedRoomBytes: 2 ** 34,
    heldKeys: 3,
    lateEffectMs: 900_000,
    failing,
    slowing: true,
    full: true,
    journaled: false,
  },
};

const entry: Entry = {
  key: "grüße/a b",
  epoch: 3,
  seq: 9,
  headers: { "content-type": "text/plain", "x-weir-meta-who": "caf\u00e9 \u00ff", "cache-control": "" },
  md5,
  modifiedMs: 1_700_000_000_123,
  size: 5,
  value: Buffer.from("value"),
  requestId: { router, counter: 77 },
};

const tombstone: Entry = { ...entry, headers: noHeaders, md5: "", size: 0, value: undefined };

const upload = { token: "cluster.tag.3.1.00", size: 2 ** 42, manifest: Buffer.from("manifest") };
const reference: Entry = { ...entry, md5: "", size: upload.size, value: undefined, upload };

const write: PeerRequest = {
  kind: "write",
  epoch: 2,
  key: "k",
  requestId: { router: "not hexadecimal", counter: 0 },
  precondition: undefined,
  headers: noHeaders,
  value: Buffer.from("v"),
  md5,
  durability: "replicated",
  deadlineMs: 1234.5,
};

const requests: readonly PeerRequest[] = [
  { kind: "ping", state },
  { kind: "ping", state: { ...state, settled: false, progress: "adopting", quiet: false, suspects: [] } },
  { kind: "ping", state: { ...state, progress: "adopted", storeFailingMs: 0, storeWorks: true } },
  { kind: "ping", state: { ...state, progress: "handed_off" } },
  { kind: "read", epoch: 1, key: "", wantValue: true, changed: "", deadlineMs: 10_000 },
  {
    kind: "read",
    epoch: 0,
    key: "x".repeat(1024),
    wantValue: false,
    changed: "0123456789abcdef0123456789abcdef",
    deadlineMs: 0.25,
  },
  { kind: "list", epoch: 3, query: { prefix: "", after: "", delimiter: "", limit: 1 }, deadlineMs: 10_000 },
  { kind: "list", epoch: 3, query: { prefix: "ü/", after: "\0", delimiter: "//", limit: 1_000 }, deadlineMs: 0.5 },
  write,
  { ...write, value: undefined, md5: "", precondition: { match: [], noneMatch: ["*"] } },
  { ...write, requestId: { router: "abcd", counter: 1 }, md5: "00" },
  { ...write, value: none, precondition: { match: [md5, "not-an-md5", "ABCDEF0123456789ABCDEF0123456789"] } },
  { ...write, headers: entry.headers, precondition: {}, durability: "stored" },
  { ...write, precondition: { match: [md5], unmodifiedSince: 784_111_777 } },
  { ...write, precondition: { unmodifiedSince: 0 } },
  { ...write, holder: "fe80:0:0:0::/64" },
  { ...write, value: undefined, md5: "", holder: "x".repeat(256) },
  { kind: "replicate", epoch: 4, entry },
  { kind: "replicate", epoch: 4, entry: tombstone },
  { kind: "hand_off", epoch: 5, entry },
  { kind: "replicate", epoch: 4, entry: reference },
  { kind: "hand_off", epoch: 5, entry: reference },
  { ...write, value: undefined, md5: "", upload },
  { ...write, value: undefined, md5: "", upload: whatTheStoreHas, discards: { epoch: 3, seq: 2 ** 33 } },
  { kind: "failing", epoch: 2 ** 33, key: "grüße" },
  { kind: "hand_off_outcomes", epoch: 6, outcomes: [] },
  {
    kind: "hand_off_outcomes",
    epoch: 6,
    outcomes: [
      { requestId: { router, counter: 1 }, key: "a", version: { epoch: 1, seq: 2 } },
      { requestId: { router: "", counter: 2 }, key: "b", version: { epoch: 3, seq: 4 } },
    ],
  },
  { kind: "hand_off_unknown", epoch: 7, unknown: [] },
  {
    kind: "hand_off_unknown",
    epoch: 2 ** 33,
    unknown: [
      { key: "grüße", leftMs: 2 ** 33 + 0.5 },
      { key: "", leftMs: -1 },
    ],
  },
  {
    kind: "late",
    epoch: 6,
    effects: [
      {
        key: "grüße",
        condition: { kind: "present", tag: "0x8D-2" },
        version: { epoch: 3, seq: 2 ** 33 },
        leftMs: -1.5,
      },
      { key: "", condition: { kind: "absent" }, version: undefined, leftMs: 2 ** 33 },
      { key: "b", condition: { kind: "any_present" }, version: undefined, leftMs: 1 },
      { key: "b", condition: { kind: "any" }, version: undefined, leftMs: 0 },
    ],
  },
  { kind: "answered", epoch: 6, key: "grüße", version: { epoch: 3, seq: 2 ** 33 } },
  { kind: "hand_off_list", epoch: 5, items: [] },
  { kind: "hand_off_list", epoch: 5, items: [{ key: "grüße", version: { epoch: 3, seq: 2 ** 33 } }] },
  { kind: "refused_keys", epoch: 9, prefix: "grüße/", limit: 1_000 },
  { kind: "leave", epoch: 9 },
  { kind: "view", epoch: 2 ** 33 },
  { kind: "flush", epoch: 9, mark: undefined },
  { kind: "flush", epoch: 9, mark: 0.25 },
  {
    kind: "clean",
    epoch: 8,
    items: Array.from({ length: 300 }, (_, seq) => ({ key: `k${seq}`, version: { epoch: 1, seq } })),
  },
];

const info = { epoch: 3, seq: 9, headers: entry.headers, md5, modifiedMs: 1.5, size: 5 };

const answers: readonly PeerAnswer[] = [
  { kind: "pong", state },
  { kind: "value", info, value: Buffer.from("value") },
  { kind: "value", info: { ...info, headers: noHeaders }, value: undefined },
  { kind: "stored", info: { ...info, md5: `${md5}-12`, size: 2 ** 42 } },
  { kind: "missing" },
  { kind: "written", version: { epoch: 1, seq: Number.MAX_SAFE_INTEGER }, tag: "", durability: "replicated" },
  { kind: "written", version: { epoch: 2, seq: 1 }, tag: `${md5}-12`, durability: "stored" },
  { kind: "held", entries: [], end: undefined },
  {
    kind: "held",
    entries: [
      { kind: "value", name: "grüße", size: 2 ** 33, md5, modifiedMs: 1_700_000_000_123 },
      { kind: "prefix", name: "a/" },
      { kind: "deleted", name: "\0" },
    ],
    end: "z",
  },
  { kind: "precondition_failed" },
  { kind: "ack", epoch: 12 },
  { kind: "wanted", epoch: 12, wanted: [] },
  { kind: "flushing", epoch: 3, mark: 0, keys: 2 ** 33, bytes: 2 ** 41, refusedKeys: 1, failing },
  { kind: "failed", failing: failing[0] },
  { kind: "failed", failing: undefined },
  { kind: "adopted", view: Buffer.from("{}") },
  { kind: "wanted", epoch: 12, wanted: [0, 7, 499] },
  { kind: "refused", code: "wrong_view", epoch: 12, detail: "épuisé" },
];

const notice: PeerNotice = { kind: "state", state };

interface Encoded {
  readonly head: Buffer;
  readonly payload: Buffer;
  readonly read: (head: Buffer, payload: Buffer) => unknown;
  readonly message: unknown;
}

function encode<M>(
  message: M,
  write: (writer: ByteWriter, message: M) => Buffer | undefined,
  read: (reader: ByteReader, payload: Buffer) => M,
): Encoded {
  const writer = new ByteWriter(16);
  const payload = write(writer, message) ?? none;
  return {
    head: Buffer.from(writer.buffer.subarray(0, writer.length)),
    payload,
    message,
    read: (head, bytes) => {
      const reader = new ByteReader();
      reader.reset(head, 0, head.length);
      return read(reader, bytes);
    },
  };
}

const encoded: readonly Encoded[] = [
  ...requests.map((request) => encode(request, writeRequest, readRequest)),
  ...answers.map((answer) => encode(answer, writeAnswer, readAnswer)),
  encode(
    notice,
    (writer, message: PeerNotice) => {
      writeNotice(writer, message);
      return undefined;
    },
    readNotice,
  ),
];

test("message codec: every kind of message comes back as it was", () => {
  for (const { head, payload, read, message } of encoded) assert.deepEqual(read(head, payload), message);
});

test("message codec: a value is handed on by reference, both ways", () => {
  const value = Buffer.from("large");
  const { head, payload, read } = encode({ ...write, value }, writeRequest, readRequest);
  assert.equal(payload, value);
  assert.equal((read(head, value) as typeof write).value, value);
  assert.equal(head.includes("large"), false);
});

test("message codec: no headers stay the one object that stands for none", () => {
  const { head, payload, read } = encode(write, writeRequest, readRequest);
  assert.equal((read(head, payload) as typeof write).headers, noHeaders);
});

test("message codec: an MD5 and an incarnation take 16 bytes and one more", () => {
  const digits = encode({ ...write, requestId: { router, counter: 0 } }, writeRequest, readRequest).head.length;
  const nothing = encode({ ...write, requestId: { router: "", counter: 0 }, md5: "" }, writeRequest, readRequest).head
    .length;
  assert.equal(digits - nothing, 32);
});

test("message codec: a payload for a message without a value is malformed", () => {
  for (const { head, payload, read, message } of encoded) {
    if (payload.length > 0 || (message as { value?: Buffer }).value === none) continue;
    assert.throws(() => read(head, Buffer.from("x")), MalformedError);
  }
});

test("message codec: a code of refusal that this version does not know is taken as internal", () => {
  const { head, read } = encode<PeerAnswer>(
    { kind: "refused", code: "overloaded", epoch: 1, detail: "d" },
    writeAnswer,
    readAnswer,
  );
  head.write("underloade", head.indexOf("overloaded"));
  assert.deepEqual(read(head, none), { kind: "refused", code: "internal", epoch: 1, detail: "d" });
});

test("message codec: a detail of any length is cut to what a message can hold", () => {
  const { head, read } = encode<PeerAnswer>(
    { kind: "refused", code: "internal", epoch: 0, detail: "é".repeat(100_000) },
    writeAnswer,
    readAnswer,
  );
  assert.equal((read(head, none) as { detail: string }).detail, "é".repeat(2000));
});

test("message codec: a header named __proto__ is malformed, not a prototype", () => {
  const headers = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
  const { head, payload, read } = encode({ ...write, headers }, writeRequest, readRequest);
  assert.throws(() => read(head, payload), MalformedError);
});

test("message codec: a step of progress that does not exist is malformed", () => {
  const { head, read } = encode<PeerRequest>({ kind: "ping", state }, writeRequest, readRequest);
  // The kind, two epochs and whether the view is settled come before it.
  const at = 1 + 8 + 8 + 1;
  assert.equal(head[at], 2);
  head[at] = 4;
  assert.throws(() => read(head, none), MalformedError);
});

test("message codec: a list that says to be longer than its message is malformed, before anything is made of its length", () => {
  const requests: readonly PeerRequest[] = [
    { kind: "hand_off_list", epoch: 5, items: [] },
    { kind: "hand_off_outcomes", epoch: 5, outcomes: [] },
    { kind: "clean", epoch: 5, items: [] },
  ];
  const lists = requests.map((request) => encode(request, writeRequest, readRequest));
  const wanted = encode<PeerAnswer>({ kind: "wanted", epoch: 5, wanted: [] }, writeAnswer, readAnswer);
  for (const { head, read } of [...lists, wanted]) {
    head.fill(255, head.length - 4);
    assert.throws(() => read(head, none), MalformedError);
  }
});

test("message codec: a kind that asks is none that answers, and the other way round", () => {
  const all = encoded.map(({ head, payload }) => [head, payload] as const);
  const reader = new ByteReader();
  const isRead = (read: (reader: ByteReader, payload: Buffer) => unknown, head: Buffer, payload: Buffer): boolean => {
    reader.reset(head, 0, head.length);
    try {
      read(reader, payload);
      return true;
    } catch (error) {
      assert.ok(error instanceof MalformedError);
      return false;
    }
  };
  for (const [head, payload] of all) {
    const ways = [readRequest, readAnswer, readNotice].filter((read) => isRead(read, head, payload));
    assert.equal(ways.length, 1, `${head[0]}`);
  }
});

test("message codec: every message cut short anywhere is malformed", () => {
  for (const { head, payload, read } of encoded) {
    for (let length = 0; length < head.length; length += 1) {
      assert.throws(() => read(head.subarray(0, length), payload), MalformedError);
    }
    assert.throws(() => read(Buffer.concat([head, none, Buffer.from([0])]), payload), MalformedError);
  }
});

test("message codec: random bytes and damaged messages are read or malformed, never worse", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = new SimRandom(seed);
  const attempt = (read: Encoded["read"], head: Buffer, payload: Buffer): void => {
    try {
      read(head, payload);
    } catch (error) {
      assert.ok(error instanceof MalformedError, `seed ${seed}: ${String(error)}`);
    }
  };
  for (let round = 0; round < 20_000; round += 1) {
    const { head, payload, read } = random.pick(encoded);
    const damaged = Buffer.from(head);
    for (let damages = random.whole(1, 3); damages > 0; damages -= 1) {
      damaged[random.whole(0, damaged.length - 1)] = random.whole(0, 255);
    }
    attempt(read, damaged, payload);
    const noise = Buffer.from(Array.from({ length: random.whole(0, 60) }, () => random.whole(0, 255)));
    if (noise.length > 0 && random.chance(0.8)) noise[0] = head[0] as number;
    attempt(read, noise, payload);
  }
});
