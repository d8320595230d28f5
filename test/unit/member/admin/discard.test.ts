/** What may be given up: the very version that was looked at, refused by the store, once nothing else can bring it there. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ErrorCode, isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { type Entry, footprint, noHeaders } from "../../../../src/core/entry.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import { type KeyRecord, pendingWrite, WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { Discard } from "../../../../src/member/admin/discard.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";

const refused = new OperatingError("store_refused", "too long");
const version = { epoch: 4, seq: 2 };
const requestId = { router: "r", counter: 7 };

function entryOf(seq: number): Entry {
  const common = { key: "k", epoch: 4, seq, headers: noHeaders, md5: "", modifiedMs: 0, size: 1 };
  return { ...common, value: Buffer.from("v"), requestId };
}

interface Trial {
  readonly discard: Discard;
  readonly buffer: WriteBuffer;
  readonly record: KeyRecord;
  readonly requests: RequestLog;
  readonly log: RecordedLog;
  /** A request to the store may still take effect. */
  mayChange: boolean;
}

/** Version 2 of the key is held, was sent, and is refused. */
function trialOf(): Trial {
  const clock = new ManualClock();
  const self = memberOf("a");
  const membership = memberIn(viewOf(4, [self]), self);
  const buffer = new WriteBuffer(new Admission({ dirtyBytes: 1e9, waitMs: 500 }, clock), { append: () => undefined });
  const entry = entryOf(2);
  buffer.admission.take(footprint(entry));
  const record = buffer.open("k", 0);
  buffer.hold(record, entry);
  Object.assign(record, { lastSent: version, failure: refused });
  const requests = new RequestLog();
  const log = new RecordedLog();
  const never = (): never => assert.fail("nothing is asked");
  const trial = { buffer, record, requests, log, mayChange: false };
  const router = { persist: never, primaryOf: never, ask: never, write: never };
  const flusher = { mayChange: () => trial.mayChange };
  const discard = new Discard({ membership, buffer, requests, log }, router, flusher, { failingKey: never });
  return Object.assign(trial, { discard });
}

function assertThrows({ discard }: Trial, code: ErrorCode, message: RegExp): void {
  assert.throws(
    () => discard.judge("k", version),
    (error) => isOperatingError(error, code) && message.test(error.message),
  );
}

describe("what the store refuses", () => {
  it("may be given up, and an operator's deed is in the log", () => {
    const { discard, log } = trialOf();
    assert.equal(discard.judge("k", version), true);
    assert.deepEqual(log.messages("warn"), ["an operator gives up what the store refuses"]);
  });

  it("is not given up for another version, nor where nothing is held", () => {
    const { discard, log } = trialOf();
    assert.equal(discard.judge("k", { epoch: 4, seq: 1 }), false);
    assert.equal(discard.judge("k", { epoch: 4, seq: 3 }), false);
    assert.equal(discard.judge("other", version), false);
    assert.deepEqual(log.messages("warn"), []);
  });

  it("is not given up before the store has been tried with that version, or when it failed otherwise since", () => {
    const trial = trialOf();
    trial.record.lastSent = { epoch: 4, seq: 1 };
    assertThrows(trial, "not_refused", /has not been tried/);
    trial.record.lastSent = undefined;
    assertThrows(trial, "not_refused", /has not been tried/);
    trial.record.lastSent = version;
    trial.record.failure = new OperatingError("store_unavailable", "no answer");
    assertThrows(trial, "not_refused", /another reason: no answer/);
    trial.record.failure = undefined;
    assertThrows(trial, "not_refused", /on its way/);
  });

  it("waits for a newer write, for requests that may still land, and for clients that may be told that the store has it", () => {
    const trial = trialOf();
    trial.mayChange = true;
    assertThrows(trial, "not_ready", /may still write/);
    trial.mayChange = false;
    trial.requests.record(requestId, "other", version);
    assert.equal(trial.discard.judge("k", version), true);
    trial.requests.record({ ...requestId, counter: 8 }, "k", version);
    assertThrows(trial, "not_ready", /client/);
    trial.requests.advance(requestId.router, 9);
    assert.equal(trial.discard.judge("k", version), true);
    trial.buffer.admission.takeForWrite(footprint(entryOf(3)));
    trial.buffer.assign(trial.record, pendingWrite(entryOf(3), { now: 0, missing: ["b"], needsStore: false }));
    assertThrows(trial, "not_ready", /newer write/);
  });
});
