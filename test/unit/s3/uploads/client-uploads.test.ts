/**
 * Multipart uploads over the values of a cluster: what nodes do to them at the same time, and after one of them died
 * between any two steps. An upload has one list of parts (L21).
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { maxUploadsEach } from "../../../../src/s3/uploads/upload-counts.ts";
import { doneName, formatId, ownerOf, partName, uploadName } from "../../../../src/s3/uploads/upload-names.ts";
import { S3Error } from "../../../../src/s3/words/s3-error.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { fullPart, type SentPart, type UploadNode, UploadTrial } from "../../../harness/upload-trial.ts";
import { putOf } from "../../../harness/write-operations.ts";

const small = Buffer.from("small");
const other = Buffer.from("other");

async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return "done";
  } catch (error) {
    if (error instanceof S3Error) return error.s3Code;
    if (error instanceof OperatingError) return error.code;
    throw error;
  }
}

async function begun(node: UploadNode, key = "k"): Promise<string> {
  return await node.begin(key);
}

describe("a multipart upload", () => {
  it("becomes the value of its parts, by requests to any nodes, and leaves nothing but that it was completed", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const parts = [await b.send("k", id, 7, fullPart), await a.send("k", id, 9, small)];
    assert.equal(trial.value("k"), undefined);
    const done = await b.complete("k", id, parts);
    assert.ok(trial.value("k")?.equals(Buffer.concat([fullPart, small])));
    assert.match(done?.tag ?? "", /-2$/);
    await b.uploads.removals.idle();
    assert.deepEqual(trial.ownNames, [doneName(id)]);
  });

  it("is of its key alone, whoever knows its id", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node, "mine");
    const part = await node.send("mine", id, 1, small);
    for (const [key, wrong] of [["other", id], ["mine", `${id.slice(0, -1)}x`], ["mine", ""], ["mine", `../${id}`], ["mine", "0".repeat(id.length)]] as const) {
      assert.equal(await codeOf(node.send(key, wrong, 1, small)), "NoSuchUpload");
      assert.equal(await codeOf(node.complete(key, wrong, [part])), "NoSuchUpload");
      assert.equal(await codeOf(node.uploads.abort(key, wrong)), "NoSuchUpload");
    }
    await node.complete("mine", id, [part]);
    assert.equal(await codeOf(node.complete("other", id, [part])), "NoSuchUpload");
  }); // biome-ignore format: a table

  it("is gone for its clients when it is too old, and its record is not swept yet", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const part = await node.send("k", id, 1, small);
    trial.clock.advance(3 * 86_400_000);
    assert.equal(await codeOf(node.send("k", id, 1, small)), "done");
    trial.clock.advance(1);
    assert.equal(await codeOf(node.send("k", id, 1, small)), "NoSuchUpload");
    assert.equal(await codeOf(node.complete("k", id, [part])), "NoSuchUpload");
    assert.equal(await codeOf(node.uploads.abort("k", id)), "NoSuchUpload");
  });

  it("has of a part that was sent again what was sent last", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const first = await node.send("k", id, 1, small);
    const second = await node.send("k", id, 1, other);
    assert.equal(await codeOf(node.complete("k", id, [first])), "InvalidPart");
    await node.complete("k", id, [second]);
    assert.deepEqual(trial.value("k"), other);
  });

  it("is refused if the list of its parts is not right, and can be completed afterwards", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const [one, two] = [await node.send("k", id, 1, small), await node.send("k", id, 2, other)];
    const last = await node.send("k", id, 3, fullPart);
    const wrong: [readonly SentPart[], object, string][] = [
      [[one, two], {}, "EntityTooSmall"],
      [[{ ...one, number: 4 }], {}, "InvalidPart"],
      [[{ ...one, md5: two.md5 }], {}, "InvalidPart"],
      [[{ ...one, checksum: { algorithm: "crc32", value: "AAAAAA==" } } as never], {}, "InvalidPart"],
      [[one], { size: 6 }, "InvalidRequest"],
      [[one], { checksum: { algorithm: "crc32", value: "AAAAAA==" } }, "InvalidRequest"],
    ];
    for (const [parts, more, code] of wrong) assert.equal(await codeOf(node.complete("k", id, parts, more)), code);
    await node.complete("k", id, [last], { size: fullPart.length });
    assert.deepEqual(trial.value("k"), fullPart);
  });

  it("that is too large is refused", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const part = await node.send("k", id, 1, small);
    // Its record says what the store has.
    const name = partName(id, 1);
    const record = JSON.parse((trial.value(name) as Buffer).toString()) as object;
    const huge = { ...record, size: 2 ** 40 };
    await trial.memory.write(putOf(name, Buffer.from(JSON.stringify(huge))));
    assert.equal(await codeOf(node.complete("k", id, [part])), "EntityTooLarge");
  });

  it("stays as it was if the value does not meet the condition, and may be completed with another list then", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    await trial.memory.write(putOf("k", Buffer.from("there")));
    const id = await begun(node);
    const [one, two] = [await node.send("k", id, 1, small), await node.send("k", id, 2, other)];
    assert.equal(await node.complete("k", id, [one], { precondition: { noneMatch: ["*"] } }), undefined);
    assert.equal(trial.value("k")?.toString(), "there");
    await node.complete("k", id, [two], { precondition: { match: [hash("md5", "there")] } });
    assert.deepEqual(trial.value("k"), other);
  });

  const codes = ["buffer_full", "overloaded", "refused_full", "shutting_down"] as const;
  for (const code of codes) {
    it(`may be completed with another list when the write was certainly not made: ${code}`, async () => {
      const trial = new UploadTrial();
      const node = trial.node();
      const id = await begun(node);
      const [one, two] = [await node.send("k", id, 1, small), await node.send("k", id, 2, other)];
      node.operations.refusal = new OperatingError(code, "no");
      assert.equal(await codeOf(node.complete("k", id, [one])), code);
      assert.deepEqual(await node.send("k", id, 2, other), two, "parts may come again, too");
      await node.complete("k", id, [two]);
      assert.deepEqual(trial.value("k"), other);
    });
  }

  it("is completed with the same list only, once nobody knows whether it was; no part comes any more", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const [one, two] = [await a.send("k", id, 1, small), await a.send("k", id, 2, other)];
    a.operations.refusal = new OperatingError("deadline_exceeded", "who knows");
    assert.equal(await codeOf(a.complete("k", id, [one])), "deadline_exceeded");
    assert.equal(await codeOf(b.complete("k", id, [two])), "OperationAborted");
    assert.equal(await codeOf(b.send("k", id, 3, small)), "OperationAborted");
    // One that joins takes nothing back either: what the first one has begun may still be done.
    b.operations.refusal = new OperatingError("buffer_full", "no");
    assert.equal(await codeOf(b.complete("k", id, [one])), "buffer_full");
    assert.equal(await codeOf(b.complete("k", id, [two])), "OperationAborted");
    await b.complete("k", id, [one]);
    assert.deepEqual(trial.value("k"), small);
  });

  it("is not completed again if a node was lost between saying that it was and removing its record", async (t) => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const part = await a.send("k", id, 1, small);
    const remove = t.mock.method(a.uploads.records, "remove", () =>
      Promise.reject(new OperatingError("deadline_exceeded", "lost")),
    );
    await a.complete("k", id, [part]).catch(() => undefined);
    assert.ok(remove.mock.callCount() > 0 && trial.ownNames.includes(uploadName(id)));
    t.mock.method(b.operations, "completeUpload", () => assert.fail("completed again"));
    await b.complete("k", id, [part]);
    assert.deepEqual(trial.value("k"), small);
  });

  it("is completed again with the same bytes, also if the store calls them by another tag by now", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const part = await node.send("k", id, 1, small);
    node.operations.refusal = new OperatingError("deadline_exceeded", "who knows");
    assert.equal(await codeOf(node.complete("k", id, [part])), "deadline_exceeded");
    // A request for the part was late.
    const name = partName(id, 1);
    const record = JSON.parse((trial.value(name) as Buffer).toString()) as { tag: string };
    const sent = trial.memory.uploads.values().next().value as Map<string, Buffer>;
    sent.set("late", small);
    trial.watch.contents.set("late", trial.watch.contents.get(record.tag) as string);
    await trial.memory.write(putOf(name, Buffer.from(JSON.stringify({ ...record, tag: "late" }))));
    assert.equal(await codeOf(node.complete("k", id, [part])), "done");
  });

  it("that others have joined keeps its list when the first one was certainly not made", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const [one, two] = [await a.send("k", id, 1, small), await a.send("k", id, 2, other)];
    const { promise: gate, resolve: goOn } = Promise.withResolvers<void>();
    const complete = a.operations.completeUpload.bind(a.operations);
    a.operations.completeUpload = async (operation) => {
      a.operations.refusal = new OperatingError("buffer_full", "no");
      await gate;
      return await complete(operation);
    };
    const first = codeOf(a.complete("k", id, [one]));
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    b.operations.refusal = new OperatingError("deadline_exceeded", "who knows");
    assert.equal(await codeOf(b.complete("k", id, [one])), "deadline_exceeded");
    goOn();
    assert.equal(await first, "buffer_full");
    assert.equal(await codeOf(b.complete("k", id, [two])), "OperationAborted");
    await b.complete("k", id, [one]);
  });

  it("is answered again as it was, also when the value has been replaced since", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const parts = [await a.send("k", id, 1, small)];
    const done = await a.complete("k", id, parts);
    await trial.memory.write(putOf("k", Buffer.from("newer")));
    assert.deepEqual(await b.complete("k", id, parts), done);
    assert.equal(trial.value("k")?.toString(), "newer");
    assert.equal(await codeOf(b.complete("k", id, [{ ...(parts[0] as SentPart), number: 2 }])), "NoSuchUpload");
  });

  it("that another request completes meanwhile is done, wherever this one stands", async () => {
    for (let step = 0, steps = 1; step < steps; step++) {
      const trial = new UploadTrial();
      const [a, b] = [trial.node(), trial.node(() => pause())];
      const id = await begun(a);
      const parts = [await a.send("k", id, 1, small)];
      let passed = 0;
      const pause = async (): Promise<void> => {
        if (passed++ !== step) return;
        await a.complete("k", id, parts);
        await a.uploads.removals.idle();
      };
      assert.match((await b.complete("k", id, parts))?.tag ?? "", /-1$/, `at step ${step}`);
      steps = Math.max(steps, passed);
      assert.deepEqual(trial.value("k"), small);
    }
  });

  it("that another request aborts meanwhile is gone, wherever this one stands, unless it is done", async () => {
    for (let step = 0, steps = 1; step < steps; step++) {
      const trial = new UploadTrial();
      const [a, b] = [trial.node(), trial.node(() => pause())];
      const id = await begun(a);
      const parts = [await a.send("k", id, 1, small)];
      let passed = 0;
      const pause = async (): Promise<void> => {
        if (passed++ !== step) return;
        await codeOf(a.uploads.abort("k", id));
        await a.uploads.removals.idle();
      };
      const outcome = await codeOf(b.complete("k", id, parts));
      steps = Math.max(steps, passed);
      const isDone = trial.value("k") !== undefined;
      // The store says that it has lost the upload, if that was aborted just before it was completed.
      const expected = isDone ? ["done"] : ["NoSuchUpload", "store_unavailable"];
      assert.ok(expected.includes(outcome), `at step ${step}: ${outcome}`);
      assert.equal(await codeOf(a.complete("k", id, parts)), isDone ? "done" : "NoSuchUpload");
    }
  });

  it("that was completed is done, also if its record could not be removed", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const parts = [await a.send("k", id, 1, small)];
    const before = a.operations.count;
    // It reads the upload and the part, fixes the list and completes. Then it dies.
    a.operations.death = { at: before + 5, takesEffect: false };
    assert.match((await a.complete("k", id, parts))?.tag ?? "", /-1$/);
    assert.deepEqual(trial.log.messages("warn"), ["the record of an upload could not be changed"]);
    assert.match((await b.complete("k", id, parts))?.tag ?? "", /-1$/);
    await b.uploads.removals.idle();
    assert.deepEqual(trial.ownNames, [doneName(id)]);
  });

  it("that was aborted is gone with its parts, on every node, once", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const part = await a.send("k", id, 1, small);
    await b.uploads.abort("k", id);
    await b.uploads.removals.idle();
    assert.deepEqual([trial.ownNames, trial.memory.uploads.size], [[], 0]);
    assert.equal(await codeOf(a.send("k", id, 2, small)), "NoSuchUpload");
    assert.equal(await codeOf(a.complete("k", id, [part])), "NoSuchUpload");
    assert.equal(await codeOf(a.uploads.abort("k", id)), "NoSuchUpload");
  });

  it("that was aborted while a part was on its way gets no record of it", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const id = await begun(a);
    const record = await a.uploads.findOpen("k", id);
    async function* body(isAborted: boolean): AsyncGenerator<Uint8Array, void, void> {
      yield small;
      if (!isAborted) return;
      await b.uploads.abort("k", id);
      await b.uploads.removals.idle();
    }
    const partOf = (isAborted: boolean) => ({ number: 1, length: small.length, body: body(isAborted) });
    const sums = () => ({ md5: "", checksum: undefined });
    assert.equal(await codeOf(a.uploads.sendPart(record, id, partOf(true), sums, undefined)), "NoSuchUpload");
    // The same if the store has taken it, just before or after.
    a.operations.sendPart = () => Promise.resolve("a tag");
    assert.equal(await codeOf(a.uploads.sendPart(record, id, partOf(false), sums, undefined)), "NoSuchUpload");
    assert.deepEqual(trial.ownNames, []);
  });

  it("that could not be begun leaves nothing in the store", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    // It lists, begins the upload, and writes its record.
    trial.memory.write = () => Promise.reject(new OperatingError("buffer_full", "no"));
    assert.equal(await codeOf(begun(node)), "buffer_full");
    await new Promise(setImmediate);
    assert.equal(trial.memory.uploads.size, 0);
  });

  it("of another release is neither changed nor taken for none", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const part = await node.send("k", id, 1, small);
    const next = Buffer.from(JSON.stringify({ version: 2, key: "k" }));
    await trial.memory.write(putOf(uploadName(id), next));
    assert.equal(await codeOf(node.send("k", id, 1, small)), "internal");
    assert.equal(await codeOf(node.complete("k", id, [part])), "internal");
    assert.equal(await codeOf(node.uploads.abort("k", id)), "internal");
    assert.deepEqual(trial.value(uploadName(id)), next);
  });

  it("has 10,000 parts", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await begun(node);
    const last = await node.send("k", id, 10_000, small);
    const record = JSON.parse((trial.value(partName(id, 10_000)) as Buffer).toString()) as object;
    const parts: SentPart[] = [];
    const sent = trial.memory.uploads.values().next().value as Map<string, Buffer>;
    for (let number = 1; number < 10_000; number++) {
      const tag = `many-${number}`;
      sent.set(tag, Buffer.alloc(1));
      const md5 = hash("md5", tag);
      const part = { ...record, tag, md5, size: 5 * 1024 * 1024 };
      await trial.memory.write(putOf(partName(id, number), Buffer.from(JSON.stringify(part))));
      parts.push({ number, md5, checksum: undefined });
    }
    await node.complete("k", id, [...parts, last]);
    assert.equal(trial.value("k")?.length, 9_999 + small.length);
    await node.uploads.removals.idle();
    assert.deepEqual(trial.ownNames, [doneName(id)]);
  });
});

describe("uploads of one caller", () => {
  it("are counted once for all that begin at the same time, and anew after a failure", async () => {
    const trial = new UploadTrial();
    const node = trial.node(() => new Promise<void>((resolve) => setImmediate(resolve)));
    const list = trial.memory.list.bind(trial.memory);
    let lists = 0;
    trial.memory.list = async (query) => {
      lists++;
      return await list(query);
    };
    const beginMany = () => Promise.all(Array.from({ length: 20 }, () => codeOf(node.begin())));
    assert.deepEqual(new Set(await beginMany()), new Set(["done"]));
    trial.clock.advance(600_000);
    await beginMany();
    assert.equal(lists, 2);
    trial.clock.advance(600_000);
    trial.memory.failure = new OperatingError("store_unavailable", "away");
    assert.deepEqual(new Set(await beginMany()), new Set(["store_unavailable"]));
    trial.memory.failure = undefined;
    assert.deepEqual(new Set(await beginMany()), new Set(["done"]));
    assert.equal(lists, 4);
  });

  it("are bounded, and begin again when some have ended", async () => {
    const trial = new UploadTrial();
    const [a, b] = [trial.node(), trial.node()];
    const [first] = [await a.begin("k", "greedy"), await a.begin("k", "greedy")];
    const { value } = trial.memory.values.get(uploadName(first)) as { value: Buffer };
    // A node that counts anew finds them, however they came.
    for (let n = 2; n < maxUploadsEach; n++) {
      const id = formatId(ownerOf("greedy"), trial.clock.wallMs(), trial.random.id());
      await trial.memory.write(putOf(uploadName(id), value));
    }
    trial.clock.advance(600_000);
    assert.equal(await codeOf(a.begin("k", "greedy")), "QuotaExceeded");
    assert.equal(await codeOf(b.begin("k", "greedy")), "QuotaExceeded");
    assert.equal(await codeOf(a.begin("k", "modest")), "done");
    const counts = a.operations.count;
    assert.equal(await codeOf(a.begin("k", "greedy")), "QuotaExceeded");
    assert.equal(a.operations.count, counts, "it was counted just now");
    await b.uploads.abort("k", first);
    trial.clock.advance(1_000);
    assert.equal(await codeOf(a.begin("k", "greedy")), "done");
    assert.equal(await codeOf(a.begin("k", "greedy")), "QuotaExceeded");
  });
});

describe("a node that dies while it works on a multipart upload", () => {
  /** The client asks one node, and another one if that fails: as often as it must. */
  async function through<T>(nodes: readonly UploadNode[], act: (node: UploadNode) => Promise<T>): Promise<T> {
    for (const node of nodes.slice(0, -1)) {
      try {
        return await act(node);
      } catch (error) {
        assert.ok(error instanceof OperatingError && !(error instanceof S3Error), String(error));
      }
    }
    return await act(nodes.at(-1) as UploadNode);
  }

  async function life(trial: UploadTrial, nodes: readonly UploadNode[]): Promise<void> {
    const id = await through(nodes, (node) => node.begin("k"));
    await through(nodes, (node) => node.send("k", id, 1, other));
    const part = await through(nodes, (node) => node.send("k", id, 1, small));
    const done = await through(nodes, (node) => node.complete("k", id, [part]));
    assert.match(done?.tag ?? "", /-1$/);
    assert.deepEqual(trial.value("k"), small);
    const aborted = await through(nodes, (node) => node.begin("k"));
    await through(nodes, (node) => node.send("k", aborted, 1, other));
    const { record } = await (nodes.at(-1) as UploadNode).uploads.find("k", aborted);
    const outcome = await codeOf(through(nodes, (node) => node.uploads.abort("k", aborted)));
    // The one that died may have aborted it, and could not say so.
    assert.ok(["done", "NoSuchUpload"].includes(outcome), outcome);
    assert.ok(!trial.memory.uploads.has(record.upload.id), "the store has nothing of it any more");
    assert.deepEqual(trial.value("k"), small);
  }

  it("keeps no client from its end, at whichever step; the sweep removes what it left", async () => {
    const usual = new UploadTrial();
    const node = usual.node();
    await life(usual, [node, node]);
    await node.uploads.removals.idle();
    const steps = node.operations.count;
    assert.ok(steps > 15, String(steps));
    for (let at = 1; at <= steps; at++) {
      for (const takesEffect of [false, true]) {
        const trial = new UploadTrial();
        const [dying, healthy] = [trial.node(), trial.node()];
        dying.operations.death = { at, takesEffect };
        await life(trial, [dying, healthy]);
        await dying.uploads.removals.idle();
        await healthy.uploads.removals.idle();
        trial.clock.advance(5 * 86_400_000);
        await trial.sweep(healthy, 3 * 86_400_000);
        assert.deepEqual(trial.ownNames, [], `it died at step ${at}, which ${takesEffect ? "took" : "had no"} effect`);
      }
    }
  });
});

describe("requests to several nodes at the same time", () => {
  /** Operations go on in an order that the seed says. */
  function pauses(random: SimRandom): () => Promise<void> {
    return async () => {
      for (let turns = Math.floor(random.next() * 6); turns > 0; turns--) await new Promise(setImmediate);
    };
  }

  it("complete an upload with one list of parts, or abort it; nobody is told otherwise", async (t) => {
    const first = seedOf(t) % 2 ** 31;
    for (let seed = first; seed < first + 150; seed++) {
      const random = new SimRandom(seed);
      const trial = new UploadTrial();
      const [a, b] = [trial.node(pauses(random)), trial.node(pauses(random))];
      const id = await begun(a);
      const [one, two] = [await a.send("k", id, 1, small), await b.send("k", id, 2, other)];
      const acts: [string, Promise<unknown>][] = [];
      for (let n = 0; n < 4; n++) {
        const node = random.next() < 0.5 ? a : b;
        if (random.next() < 0.2) node.operations.refusal = new OperatingError("buffer_full", "no");
        if (random.next() < 0.1) node.operations.refusal = new OperatingError("deadline_exceeded", "who knows");
        const choice = random.next();
        if (choice < 0.4) acts.push(["small", node.complete("k", id, [one])]);
        else if (choice < 0.7) acts.push(["other", node.complete("k", id, [two])]);
        else if (choice < 0.85) acts.push(["abort", node.uploads.abort("k", id)]);
        else acts.push(["send", node.send("k", id, 1, small)]);
      }
      const outcomes = await Promise.all(acts.map(async ([what, act]) => `${what} ${await codeOf(act)}`));
      const text = `seed ${seed}: ${outcomes.join(", ")}`;
      const value = trial.value("k")?.toString();
      for (const list of ["small", "other"]) {
        if (outcomes.includes(`${list} done`)) assert.equal(value, list, text);
      }
      assert.ok(!outcomes.some((each) => each.endsWith("internal")), text);
    }
  });
});
