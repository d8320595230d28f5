/** The simulated store's faults are those that its port allows, and no others. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import type { WriteCondition } from "../../../src/store/blob-store.ts";
import { SimProcess } from "../../simulation/sim-process.ts";
import { SimStore, type SimStoreModes, StoreLine } from "../../simulation/sim-store.ts";
import { SimWorld } from "../../simulation/sim-world.ts";
import { healthyStore, type StoreFaultSettings } from "../../simulation/store-faults.ts";

const deadlineMs = 1_000;
const always: WriteCondition = { kind: "always" };
const modes: SimStoreModes = { tags: "md5", ignoresRemoveConditions: false };

function open(seed: number, faults: Partial<StoreFaultSettings>, chosen: SimStoreModes = modes) {
  const world = new SimWorld({ seed });
  const store = new SimStore({
    modes: chosen,
    faults: { ...healthyStore, ...faults },
    random: world.random("store"),
    scheduler: world,
    dateMs: () => Math.floor(world.now),
  });
  const process = new SimProcess(world, "a/1", { maxRateError: 0, maxTimerDelayMs: 0 });
  return { world, store, process, blobs: store.connect(process) };
}

/** Writes once and tells how it was answered, whether the answer came first, and when it took effect, if ever. */
async function writeOnce(seed: number, faults: Partial<StoreFaultSettings>, outage = false) {
  const { world, store, blobs } = open(seed, faults);
  store.setOutage(outage);
  let effectMs: number | undefined;
  let answerMs = Number.POSITIVE_INFINITY;
  store.watch(() => {
    effectMs = world.now;
  });
  let answer = "";
  blobs.write("k", { body: Buffer.from("v"), headers: {} }, { kind: "absent" }, { deadlineMs }).then(
    ({ kind }) => {
      answer = kind;
      answerMs = world.now;
    },
    (error: unknown) => {
      answer = isOperatingError(error) ? error.code : String(error);
      answerMs = world.now;
    },
  );
  await world.run(10 * deadlineMs);
  assert.ok(answerMs <= deadlineMs, `seed ${seed}: answered by the deadline, not at ${answerMs} ms`);
  assert.ok(effectMs === undefined || effectMs <= deadlineMs, `seed ${seed}: took effect at ${effectMs} ms`);
  return { answer, effectMs, answerMs };
}

const seeds = [...Array(200).keys()];

describe("the simulated store", () => {
  it("answers a healthy write after its effect", async () => {
    for (const seed of seeds) {
      const { answer, effectMs, answerMs } = await writeOnce(seed, {});
      assert.equal(answer, "written");
      assert.ok(effectMs !== undefined && effectMs <= answerMs, `seed ${seed}`);
    }
  });

  it("fails without an effect, and with one that the caller can't tell from it", async () => {
    for (const seed of seeds.slice(0, 20)) {
      const before = await writeOnce(seed, { failBeforeChance: 1 });
      assert.deepEqual([before.answer, before.effectMs], ["store_unavailable", undefined]);
      const after = await writeOnce(seed, { failAfterChance: 1 });
      assert.equal(after.answer, "store_unavailable");
      assert.notEqual(after.effectMs, undefined);
    }
  });

  it("lets a write land after its answer, but within its deadline", async () => {
    let later = 0;
    for (const seed of seeds) {
      const { answer, effectMs, answerMs } = await writeOnce(seed, { lateChance: 1 });
      assert.equal(answer, "store_unavailable");
      assert.notEqual(effectMs, undefined);
      if ((effectMs ?? 0) > answerMs) later++;
    }
    assert.ok(later > 50, `${later} of 200 landed after their answers`);
  });

  it("gives a slow write up at the deadline", async () => {
    for (const seed of seeds.slice(0, 50)) await writeOnce(seed, { meanExtraLatencyMs: 5_000 });
  });

  it("throttles, and is unsure who won, without telling a lie about the effect", async () => {
    const throttled = await writeOnce(1, { throttleChance: 1 });
    assert.equal(throttled.answer, "store_throttled");
    const unsure = await writeOnce(1, { unsureChance: 1 });
    assert.deepEqual([unsure.answer, unsure.effectMs], ["conflict", undefined]);
  });

  it("has no effect during an outage", async () => {
    for (const seed of seeds.slice(0, 50)) {
      const { answer, effectMs } = await writeOnce(seed, {}, true);
      assert.deepEqual([answer, effectMs], ["store_unavailable", undefined], `seed ${seed}`);
    }
  });

  it("lets what a crashed process sent take effect, and answers nobody", async () => {
    const { world, store, process, blobs } = open(1, {});
    let answered = false;
    void blobs.write("k", { body: Buffer.from("v"), headers: {} }, always, { deadlineMs }).then(() => {
      answered = true;
    });
    process.crash();
    await world.run(10 * deadlineMs);
    assert.equal(store.peek("k")?.body.toString(), "v");
    assert.equal(answered, false);
  });

  it("reaches nobody on a host whose line is cut, and loses answers that were on their way", async () => {
    for (const seed of seeds.slice(0, 50)) {
      const { world, store, process } = open(seed, {});
      const line = new StoreLine();
      const here = store.connect(process, line);
      const write = (name: string): Promise<string> =>
        here.write(name, { body: Buffer.from("v"), headers: {} }, always, { deadlineMs }).then(
          ({ kind }) => kind,
          (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
        );
      const answers: string[] = [];
      void write("early").then((answer) => answers.push(answer));
      const mend = line.cut();
      void write("late").then((answer) => answers.push(answer));
      await world.run(2 * deadlineMs);
      mend();
      void write("mended").then((answer) => answers.push(answer));
      await world.run(4 * deadlineMs);
      assert.deepEqual(answers, ["store_unavailable", "store_unavailable", "written"], `seed ${seed}`);
      assert.deepEqual([store.peek("early") !== undefined, store.peek("late")], [true, undefined], `seed ${seed}`);
    }
  });

  it("answers late over a slow line, up to the deadline, and takes effect as soon as ever", async () => {
    let late = 0;
    for (const seed of seeds.slice(0, 50)) {
      const { world, store, process } = open(seed, {});
      const line = new StoreLine();
      line.slownessMs = 1_000;
      let effectMs = Number.POSITIVE_INFINITY;
      store.watch(() => {
        effectMs = world.now;
      });
      let answerMs = Number.POSITIVE_INFINITY;
      const note = (): void => {
        answerMs = world.now;
      };
      const content = { body: Buffer.from("v"), headers: {} };
      store.connect(process, line).write("k", content, always, { deadlineMs }).then(note, note);
      await world.run(10 * deadlineMs);
      assert.ok(effectMs < 300 && answerMs <= deadlineMs, `seed ${seed}: ${effectMs}, ${answerMs}`);
      if (answerMs > 300) late++;
    }
    assert.ok(late > 25, `${late} of 50 were answered late`);
  });

  it("asks for leave when a request that waited is sent, and takes it within the deadline after the call", async () => {
    let refused = 0;
    for (const seed of seeds) {
      const { world, store, blobs } = open(seed, { meanQueueMs: 300 });
      let effectMs: number | undefined;
      store.watch(() => {
        effectMs = world.now;
      });
      const options = {
        deadlineMs,
        authorize: () => {
          if (world.now > 100) throw new Error("too late");
        },
      };
      assert.equal(store.isChanging("k"), false);
      const write = blobs.write("k", { body: Buffer.from("v"), headers: {} }, always, options);
      assert.equal(store.isChanging("k"), true);
      const outcome = write.then(
        () => "written",
        (error: unknown) => (error as Error).message,
      );
      let ended = "";
      void outcome.then((how) => {
        ended = how;
      });
      await world.run(10 * deadlineMs);
      assert.equal(store.isChanging("k"), false);
      assert.equal(effectMs === undefined, ended === "too late", `seed ${seed}: ${ended}`);
      assert.ok((effectMs ?? 0) <= deadlineMs, `seed ${seed}`);
      if (ended === "too late") refused++;
    }
    assert.ok(refused > 40 && refused < 100, `${refused} of 200 were refused`);
  });

  it("knows that a request which its process had not sent when it ended never will be", async () => {
    for (const seed of seeds.slice(0, 20)) {
      const { world, store, process, blobs } = open(seed, { meanQueueMs: 1e6 });
      void blobs.write("k", { body: Buffer.from("v"), headers: {} }, always, { deadlineMs });
      await world.run(1);
      process.crash();
      await world.run(deadlineMs);
      assert.equal(store.isChanging("k"), false, `seed ${seed}`);
    }
  });

  it("gives a content that comes back its old tag or a new one, as the mode says", () => {
    for (const [tags, same] of [
      ["md5", true],
      ["unique", false],
    ] as const) {
      const { store } = open(1, {}, { tags, ignoresRemoveConditions: false });
      const tagOf = (body: string): string => {
        const result = store.write("k", { body: Buffer.from(body), headers: {} }, always);
        assert.ok(result.kind === "written");
        return result.tag;
      };
      const first = tagOf("a");
      assert.notEqual(tagOf("b"), first);
      assert.equal(tagOf("a") === first, same);
    }
  });

  it("ignores the conditions of removals in that mode only", () => {
    for (const ignoresRemoveConditions of [true, false]) {
      const { store } = open(1, {}, { tags: "md5", ignoresRemoveConditions });
      store.write("k", { body: Buffer.from("a"), headers: {} }, always);
      const result = store.remove("k", { kind: "unchanged", tag: "other" });
      assert.equal(result.kind, ignoresRemoveConditions ? "written" : "conflict");
      assert.equal(store.peek("k") === undefined, ignoresRemoveConditions);
    }
  });

  it("keeps the answer to a read back until it may come, with what it had read, but not beyond the deadline", async () => {
    for (const isLetGo of [true, false]) {
      const { world, store, blobs } = open(1, {});
      store.write("k", { body: Buffer.from("before"), headers: {} }, always);
      const { promise, resolve } = Promise.withResolvers<void>();
      store.watchRead((name) => (name === "k" ? promise : undefined));
      let answer = "";
      let answerMs = Number.POSITIVE_INFINITY;
      blobs.read("k", 100, { deadlineMs }).then(
        (result) => {
          answer = result.kind === "found" ? result.blob.body.toString() : result.kind;
          answerMs = world.now;
        },
        (error: unknown) => {
          answer = isOperatingError(error) ? error.code : String(error);
          answerMs = world.now;
        },
      );
      world.schedule(500, () => {
        store.write("k", { body: Buffer.from("after"), headers: {} }, always);
        if (isLetGo) resolve();
      });
      await world.run(2 * deadlineMs);
      assert.deepEqual([answer, answerMs], isLetGo ? ["before", 500] : ["store_unavailable", deadlineMs]);
    }
  });
});
