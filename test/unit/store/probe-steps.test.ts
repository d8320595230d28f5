/** Trying out whether a store heeds conditions where an upload is completed: a real folder, and the same made worse. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { OperatingError } from "../../../src/base/errors.ts";
import type { WriteCondition } from "../../../src/store/blob-store.ts";
import { FileStore } from "../../../src/store/folder/file-store.ts";
import { tryCompletions, tryOut } from "../../../src/store/probe-steps.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";

const options = { deadlineMs: 10_000 };
const folder = mkdtempSync(join(tmpdir(), "weir-probe-steps-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder store that ignores the conditions of this kind on completions. */
async function storeIgnoring(ignored: WriteCondition["kind"] | undefined): Promise<FileStore> {
  const store = new FileStore({ path: folder }, { clock: systemClock, random: systemRandom });
  await store.probe(options);
  const complete = store.completeUpload.bind(store);
  store.completeUpload = (name, upload, condition, options_) =>
    complete(name, upload, condition.kind === ignored ? { kind: "always" } : condition, options_);
  return store;
}

for (const [ignored, honoured] of [
  [undefined, true],
  ["absent", false],
  ["unchanged", false],
] as const) {
  test(`a store that ignores ${ignored ?? "none"} on completions is ${honoured ? "" : "not "}taken to heed them`, async () => {
    await using store = await storeIgnoring(ignored);
    assert.equal(await tryCompletions(store, ".weir/probe/x", options), honoured);
    assert.deepEqual(await store.listUploads(options), []);
    assert.equal(await store.stat(".weir/probe/x", options), undefined);
  });
}

test("a refusal is not taken for an answer", async () => {
  await using store = await storeIgnoring(undefined);
  store.beginUpload = () => Promise.reject(new OperatingError("store_refused", "no right to"));
  await assert.rejects(tryCompletions(store, ".weir/probe/x", options), /no right to/);
});

test("a store whose answers to a look lack what was written is refused", async () => {
  for (const lack of [{ version: undefined }, { size: 0 }, { tag: "other" }]) {
    await using store = await storeIgnoring(undefined);
    assert.equal((await tryOut(store, ".weir/probe/y", options)).absentHonoured, true);
    const stat = store.stat.bind(store);
    store.stat = async (...args) => {
      const found = await stat(...args);
      return found && { ...found, ...lack };
    };
    await assert.rejects(tryOut(store, ".weir/probe/y", options), { code: "store_refused", message: /metadata/ });
    await store.remove(".weir/probe/y", { kind: "always" }, options);
  }
});
