/**
 * What may be discarded: the very version that was looked at, refused by the store, once nothing else can bring it
 * there (D2, D3, D4).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ErrorCode, isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { Slices } from "../../../../src/base/slices.ts";
import { Backlog } from "../../../../src/core/backlog.ts";
import { type Entry, noHeaders } from "../../../../src/core/entry.ts";
import type { KeyState } from "../../../../src/core/key-state.ts";
import { RequestLog } from "../../../../src/core/request-log.ts";
import type { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { Discard } from "../../../../src/member/admin/discard.ts";
import { assign, commit, roomyBuffer, wholeSlices } from "../../../harness/key-fixtures.ts";
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
  readonly backlog: Backlog;
  readonly buffer: WriteBuffer;
  readonly record: KeyState;
  readonly requests: RequestLog;
  readonly log: RecordedLog;
  /** A request to the store may still take effect. */
  mayChange: boolean;
}

/** An attempt to flush what is visible, which fails; `isSent`: not before it is sent. */
function attempt(record: KeyState, isSent: boolean, failure: OperatingError): void {
  const flight = record.takeOff(record.entry as Entry, 0, false);
  if (isSent) record.sent(flight);
  record.land(flight);
  record.attempted(failure);
}

/**
 * Version 2 of the key is visible; version 1 was before.
 * @param tried - which of them was sent to the store last, which refuses it. By default 2; 0: neither, since the store
 *   refused something else
 */
function trialOf(tried: 0 | 1 | 2 = 2): Trial {
  const self = memberOf("a");
  const membership = memberIn(viewOf(4, [self]), self);
  const buffer = roomyBuffer();
  const record = commit(buffer, entryOf(1));
  if (tried < 2) attempt(record, tried === 1, refused);
  commit(buffer, entryOf(2));
  if (tried === 2) attempt(record, true, refused);
  const requests = new RequestLog();
  const log = new RecordedLog();
  const never = (): never => assert.fail("nothing is asked");
  const trial = { buffer, record, requests, log, mayChange: false };
  const router = { persist: never, primaryOf: never, requireView: never, ask: never, write: never };
  const backlog = new Backlog();
  const flusher = { mayChange: () => trial.mayChange, backlog };
  const slices = new Slices(new ManualClock(), wholeSlices);
  const discard = new Discard({ membership, buffer, requests, log, slices }, router, flusher, { failingKey: never });
  return Object.assign(trial, { discard, backlog });
}

function assertThrows({ discard }: Trial, code: ErrorCode, message: RegExp): void {
  assert.throws(
    () => discard.judge("k", version),
    (error) => isOperatingError(error, code) && message.test(error.message),
  );
}

describe("what the store refuses", () => {
  it("may be discarded, and an operator's deed is in the log", () => {
    const { discard, log } = trialOf();
    assert.equal(discard.judge("k", version), true);
    assert.deepEqual(log.messages("warn"), ["an operator gives up what the store refuses"]);
  });

  it("is not discarded for another version, nor where nothing is held", () => {
    const { discard, log } = trialOf();
    assert.equal(discard.judge("k", { epoch: 4, seq: 1 }), false);
    assert.equal(discard.judge("k", { epoch: 4, seq: 3 }), false);
    assert.equal(discard.judge("other", version), false);
    assert.deepEqual(log.messages("warn"), []);
  });

  it("is not discarded before the store has been tried with that version, or when it failed otherwise since", () => {
    assertThrows(trialOf(1), "not_refused", /has not been tried/);
    assertThrows(trialOf(0), "not_refused", /has not been tried/);
    const trial = trialOf(2);
    attempt(trial.record, true, new OperatingError("store_unavailable", "no answer"));
    assertThrows(trial, "not_refused", /another reason: no answer/);
    trial.record.attempted(undefined);
    assertThrows(trial, "not_refused", /on its way/);
  });

  it("is discarded when the store refused to show the object to it, although it was never sent", () => {
    const trial = trialOf(1);
    const flight = trial.record.takeOff(trial.record.entry as Entry, 0, false);
    trial.record.land(flight);
    trial.backlog.failed(flight, refused);
    assert.equal(trial.discard.judge("k", version), true);
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
    assign(trial.buffer, entryOf(3), { others: ["b"] });
    assertThrows(trial, "not_ready", /newer write/);
  });
});
