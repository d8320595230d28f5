/** How requests to the store are counted: by what became of them, and how long those took that were sent. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ErrorCode, OperatingError } from "../../../src/base/errors.ts";
import type { Histogram } from "../../../src/base/histogram.ts";
import { FileStore } from "../../../src/store/folder/file-store.ts";
import { MeteredStore, type StoreOutcome } from "../../../src/store/metered-store.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";

const options = { deadlineMs: 10_000 };
const ports = { clock: systemClock, random: systemRandom };

const timed = ({ counts }: Histogram): number => counts.reduce((sum, count) => sum + count, 0);

class Failing extends FileStore {
  readonly #code: ErrorCode;

  constructor(code: ErrorCode) {
    super({ path: "nowhere" }, ports);
    this.#code = code;
  }

  override write(): Promise<never> {
    return Promise.reject(new OperatingError(this.#code, "as told"));
  }
}

for (const [code, outcome, isTimed] of [
  ["store_refused", "refused", true],
  ["store_throttled", "throttled", true],
  ["store_unavailable", "unavailable", true],
  ["not_ready", "withheld", false],
] as const satisfies readonly (readonly [ErrorCode, StoreOutcome, boolean])[]) {
  test(`a request that fails with ${code} is ${outcome}, and ${isTimed ? "timed" : "not timed, since it was not sent"}`, async () => {
    await using store = new MeteredStore(new Failing(code), systemClock);
    const content = { body: Buffer.from("x"), headers: {} };
    await assert.rejects(store.write("k", content, { kind: "always" }, options), { code });
    const { outcomes, seconds } = store.metrics.write;
    assert.deepEqual(
      Object.entries(outcomes).filter(([, count]) => count > 0),
      [[outcome, 1]],
    );
    assert.equal(timed(seconds), isTimed ? 1 : 0);
  });
}

test("each step of an upload is counted", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "weir-metered-"));
  t.after(() => rm(folder, { recursive: true }));
  await using store = new MeteredStore(new FileStore({ path: folder }, ports), systemClock);
  await store.probe(options);
  const content = { headers: {}, token: "t" };
  const { id, sendPart } = await store.beginUpload("k", content, options);
  const parts = [await sendPart({ number: 1, offset: 0, body: Buffer.from("x") }, options)];
  await store.completeUpload("k", { ...content, id, parts, size: 1 }, { kind: "absent" }, options);
  for (const step of ["begin_upload", "send_part", "complete_upload"] as const) {
    const { outcomes, seconds } = store.metrics[step];
    assert.deepEqual([outcomes.done, timed(seconds)], [1, 1], step);
  }
});
