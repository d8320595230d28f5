/** That an end follows its sources, and that nothing stays at these. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { LinkedAbort } from "../../../src/base/linked-abort.ts";

test("linked abort: follows the first source that ends, with its reason", () => {
  const first = new AbortController();
  const second = new AbortController();
  using linked = new LinkedAbort(first.signal, second.signal);
  assert.equal(linked.signal.aborted, false);
  second.abort(new Error("second"));
  first.abort(new Error("first"));
  assert.throws(() => linked.signal.throwIfAborted(), /second/);
});

test("linked abort: of a source that has ended already has ended, too", () => {
  const reason = new Error("before");
  using linked = new LinkedAbort(new AbortController().signal, AbortSignal.abort(reason));
  assert.equal(linked.signal.reason, reason);
});

test("linked abort: disposed, it follows no more and leaves no listener", () => {
  const source = new AbortController();
  const linked = new LinkedAbort(source.signal);
  assert.equal(getEventListeners(source.signal, "abort").length, 1);
  linked[Symbol.dispose]();
  assert.equal(getEventListeners(source.signal, "abort").length, 0);
  source.abort();
  assert.equal(linked.signal.aborted, false);
});
