/** How requests to the store are counted: by what became of them, and how long those took that were sent. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ErrorCode, OperatingError } from "../../../src/base/errors.ts";
import type { Histogram } from "../../../src/base/histogram.ts";
import type { BlobStore } from "../../../src/store/blob-store.ts";
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

test("each step of a parted upload is counted, and so is that it is gone", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "weir-metered-"));
  t.after(() => rm(folder, { recursive: true }));
  await using store = new MeteredStore(new FileStore({ path: folder }, ports), systemClock);
  await store.probe(options);
  const id = await store.beginParted("k", { headers: {}, token: "t" }, options);
  const tag = await store.sendPart("k", id, { number: 1, body: Buffer.from("x") }, options);
  const parts = [{ number: 1, tag, size: 1 }];
  await store.assembleUpload("k", id, parts, options);
  await store.abortUpload("k", id, options);
  await store.assembleUpload("k", id, parts, options);
  const { metrics } = store;
  const done = [metrics.begin_upload, metrics.send_part, metrics.assemble_upload].map(({ outcomes }) => outcomes.done);
  assert.deepEqual([done, metrics.assemble_upload.outcomes.gone], [[1, 1, 1], 1]);
});

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

/** What a store is asked, by the very arguments. Each answer is another object, or an error if it is to fail. */
class Recording {
  readonly asked: (readonly [string, readonly unknown[]])[] = [];
  readonly answers: unknown[] = [];
  failure: Error | undefined;

  /** A store with every method of the port. */
  get store(): BlobStore {
    const target = { description: "a recording", fits: () => false } as unknown as BlobStore;
    return new Proxy(target, {
      get: (known, name) => Reflect.get(known, name) ?? ((...args: unknown[]) => this.#answer(String(name), args)),
    });
  }

  #answer(name: string, args: readonly unknown[]): Promise<unknown> {
    this.asked.push([name, args]);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const sendPart = (...partArgs: unknown[]): Promise<unknown> => this.#answer("sendPart", partArgs);
    const answer = { kind: "written", tag: `${this.asked.length}`, id: "u", sendPart };
    this.answers.push(answer);
    return Promise.resolve(answer);
  }
}

/** Everything that a caller may ask for, with the arguments that the store beneath is to get, unchanged. */
const withConsent = { deadlineMs: 1_234, isUrgent: true, authorize: () => undefined };
const condition = { kind: "unchanged", tag: "t" } as const;
const content = { body: Buffer.from("x"), headers: {}, version: "v" };
const begun = { headers: {}, token: "token" };
const completed = { ...begun, id: "u", parts: ["p"], size: 1 };
const query = { prefix: "a", after: "b", delimiter: "/", limit: 7 };
const requests = [
  ["read", ["k", 99, withConsent]],
  ["stat", ["k", withConsent]],
  ["write", ["k", content, condition, withConsent]],
  ["remove", ["k", condition, withConsent]],
  ["list", [query, withConsent]],
  ["beginParted", ["k", begun, withConsent]],
  ["sendPart", ["k", "u", { number: 1, body: Buffer.from("x") }, withConsent]],
  ["assembleUpload", ["k", "u", [{ number: 1, tag: "p", size: 1 }], withConsent]],
  ["completeUpload", ["k", completed, condition, withConsent]],
  ["abortUpload", ["k", "u", withConsent]],
  ["listUploads", [withConsent]],
  ["openBlob", ["k", "t", { start: 1, end: 2 }, withConsent]],
  ["probe", [withConsent]],
] as const satisfies readonly (readonly [keyof BlobStore, readonly unknown[]])[];

/** Calls a method of the store by its name. */
function ask(store: BlobStore, name: keyof BlobStore, args: readonly unknown[]): Promise<unknown> {
  return (store[name] as (...all: readonly unknown[]) => Promise<unknown>)(...args);
}

test("a metered store hands each request on as it is, the caller's consent included, and its answer back", async () => {
  const recording = new Recording();
  const store = new MeteredStore(recording.store, systemClock);
  for (const [name, args] of requests) {
    const answer = await ask(store, name, args);
    const [asked, given = []] = recording.asked.at(-1) ?? [];
    assert.equal(asked, name);
    assert.equal(given.length, args.length, name);
    // The same objects, not others like them.
    for (const [index, arg] of args.entries()) assert.ok(given[index] === arg, `${name} has changed argument ${index}`);
    assert.ok(answer === recording.answers.at(-1), `${name} has changed the answer`);
  }
  assert.equal(recording.asked.length, requests.length);
});

test("a metered store hands each step of an upload on as it is, the caller's consent included", async () => {
  const recording = new Recording();
  const store = new MeteredStore(recording.store, systemClock);
  const upload = await store.beginUpload("k", begun, withConsent);
  assert.equal(upload.id, "u");
  const part = { number: 1, offset: 0, body: Buffer.from("x") };
  const tag: unknown = await upload.sendPart(part, withConsent);
  assert.ok(tag === recording.answers.at(-1));
  assert.deepEqual(
    recording.asked.map(([name]) => name),
    ["beginUpload", "sendPart"],
  );
  const given = recording.asked.flatMap(([, args]) => args);
  for (const [index, arg] of ["k", begun, withConsent, part, withConsent].entries()) {
    assert.ok(given[index] === arg, `argument ${index} has changed`);
  }
});

test("a metered store fails with the error of the store beneath, in every kind of request", async () => {
  const recording = new Recording();
  const store = new MeteredStore(recording.store, systemClock);
  recording.failure = new OperatingError("store_refused", "no");
  for (const [name, args] of [...requests, ["beginUpload", ["k", begun, withConsent]]] as const) {
    await assert.rejects(ask(store, name, args), (error) => error === recording.failure, name);
  }
});

test("a metered store is the store beneath for people, for names that do not fit, and at its end", async () => {
  const recording = new Recording();
  const store = new MeteredStore(recording.store, systemClock);
  assert.equal(store.description, "a recording");
  assert.equal(store.fits("k"), false);
  await store[Symbol.asyncDispose]();
  assert.deepEqual(
    recording.asked.map(([name]) => name),
    [String(Symbol.asyncDispose)],
  );
});
