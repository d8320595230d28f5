/** Outcomes by request id: kept exactly as long as the router might send the request again (V37, W11, W16). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noRequest } from "../../../src/core/entry.ts";
import type { RequestOutcome } from "../../../src/core/message.ts";
import { RequestLog } from "../../../src/core/request-log.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const version = { epoch: 2, seq: 5 };

/** A log with these counters of these routers. */
function logOf(counters: Readonly<Record<string, readonly number[]>>): RequestLog {
  const log = new RequestLog();
  for (const [router, each] of Object.entries(counters)) {
    for (const counter of each) log.record({ router, counter }, `key ${counter}`, version);
  }
  return log;
}

const idsOf = (outcomes: Iterable<RequestOutcome>): string[] =>
  [...outcomes].map(({ requestId }) => `${requestId.router}${requestId.counter}`).toSorted();

describe("RequestLog", () => {
  it("finds the outcome of this request of this router, and of no other", () => {
    const log = logOf({ r: [1, 3], s: [2] });
    assert.deepEqual(log.find({ router: "r", counter: 3 }), {
      requestId: { router: "r", counter: 3 },
      key: "key 3",
      version,
    });
    for (const id of [
      { router: "r", counter: 2 },
      { router: "s", counter: 3 },
      { router: "t", counter: 1 },
    ]) {
      assert.equal(log.find(id), undefined, JSON.stringify(id));
    }
  });

  it("keeps nothing of entries that no request made, so that they never answer for each other", () => {
    const log = new RequestLog();
    log.record(noRequest, "k", version);
    assert.equal(log.find(noRequest), undefined);
    assert.deepEqual([...log.outcomes()], []);
  });

  it("forgets what is below a router's watermark, keeps the rest, and leaves other routers alone", () => {
    const log = logOf({ r: [1, 2, 3, 4], s: [1, 2] });
    log.advance("r", 3);
    assert.deepEqual(idsOf(log.outcomes()), ["r3", "r4", "s1", "s2"]);
    log.advance("r", 100);
    assert.deepEqual(idsOf(log.outcomes()), ["s1", "s2"]);
  });

  it("forgets what is below the watermark in whatever order it came", () => {
    const log = logOf({ r: [9, 2, 7, 1] });
    log.advance("r", 7);
    assert.deepEqual(idsOf(log.outcomes()), ["r7", "r9"]);
  });

  it("never takes a watermark back: a late message of the router changes nothing", () => {
    const log = logOf({ r: [1, 6] });
    log.advance("r", 5);
    log.advance("r", 2);
    log.record({ router: "r", counter: 4 }, "k", version);
    assert.equal(log.find({ router: "r", counter: 4 }), undefined);
    assert.deepEqual(idsOf(log.outcomes()), ["r6"]);
  });

  it("takes no outcome of a request that is finished already, by hand-off for instance, but one at the watermark", () => {
    const log = logOf({ r: [1] });
    log.advance("r", 5);
    for (const counter of [4, 5]) log.record({ router: "r", counter }, "k", version);
    assert.deepEqual(idsOf(log.outcomes()), ["r5"]);
  });

  it("forgets with the router's next message what came after its watermark, of a router new to it", () => {
    const log = new RequestLog();
    log.advance("r", 5);
    for (const counter of [4, 5]) log.record({ router: "r", counter }, "k", version);
    log.advance("r", 5);
    assert.deepEqual(idsOf(log.outcomes()), ["r5"]);
  });

  it("forgets routers that are no members any more", () => {
    const log = logOf({ r: [1, 2], s: [3], t: [4] });
    log.keepRouters(new Set(["s", "t", "u"]));
    assert.deepEqual(idsOf(log.outcomes()), ["s3", "t4"]);
    assert.equal(log.find({ router: "r", counter: 1 }), undefined);
  });

  it("keeps the later of two outcomes of one request, in whatever order they come", () => {
    const log = new RequestLog();
    const id = { router: "r", counter: 1 };
    for (const [seq, kept] of [
      [5, 5],
      [7, 7],
      [6, 7],
    ] as const) {
      log.record(id, "k", { epoch: 2, seq });
      assert.deepEqual(log.find(id)?.version, { epoch: 2, seq: kept });
    }
    log.record(id, "k", { epoch: 3, seq: 1 });
    assert.deepEqual(log.find(id)?.version, { epoch: 3, seq: 1 });
  });

  it("does not end the process for a peer, or a journal, that names two keys for one request", () => {
    const log = new RequestLog();
    const id = { router: "r", counter: 1 };
    log.record(id, "k", { epoch: 2, seq: 5 });
    log.record(id, "other", { epoch: 2, seq: 4 });
    assert.deepEqual(log.find(id), { requestId: id, key: "k", version: { epoch: 2, seq: 5 } });
    log.record(id, "other", { epoch: 2, seq: 6 });
    assert.deepEqual(log.find(id), { requestId: id, key: "other", version: { epoch: 2, seq: 6 } });
  });

  it("forgets an outcome that does not count any more, also while it goes through all of them", () => {
    const log = logOf({ r: [1, 2], s: [1, 3] });
    for (const { requestId, key } of log.outcomes()) if (key === "key 1") log.forget(requestId);
    assert.deepEqual(idsOf(log.outcomes()), ["r2", "s3"]);
    log.forget({ router: "unknown", counter: 1 });
  });

  it("knows which requests their router has finished, whether or not it had their outcome", () => {
    const log = logOf({ r: [1] });
    assert.equal(log.isFinished({ router: "r", counter: 1 }), false);
    log.advance("r", 5);
    assert.deepEqual(
      [4, 5].map((counter) => log.isFinished({ router: "r", counter })),
      [true, false],
    );
    assert.equal(log.isFinished({ router: "s", counter: 0 }), false);
  });

  it("drops a million outcomes in less than a turn may take: a start from a journal may know so many", () => {
    const log = new RequestLog();
    for (let counter = 1; counter <= 1_000_000; counter++) log.record({ router: "r", counter }, "k", version);
    const before = process.threadCpuUsage();
    log.advance("r", 999_999);
    const { user, system } = process.threadCpuUsage(before);
    assert.deepEqual(idsOf(log.outcomes()), ["r1000000", "r999999"]);
    assert.ok(user + system < 20_000, `it took ${user + system} µs`);
  });

  // The counters of the second one are in many blocks.
  for (const spread of [1, 500])
    it(`agrees with a plain list under random operations, spread ${spread}`, (test) => {
      const seed = seedOf(test);
      const random = new SimRandom(seed);
      const log = new RequestLog();
      let model: RequestOutcome[] = [];
      const watermarks = new Map<string, number>();
      for (let step = 0; step < 4000; step++) {
        const context = `seed ${seed}, step ${step}`;
        const router = random.pick(["r", "s", "t"]);
        const watermark = watermarks.get(router) ?? 0;
        if (random.chance(0.8)) {
          // A router's counters come in about their order, now and then one again.
          const requestId = { router, counter: watermark + spread * random.whole(-3, 30) };
          const outcome = { requestId, key: "k", version: { epoch: 1, seq: step } };
          log.record(requestId, outcome.key, outcome.version);
          model = model.filter(
            (each) => each.requestId.router !== router || each.requestId.counter !== requestId.counter,
          );
          if (requestId.counter >= watermark) model.push(outcome);
          assert.deepEqual(log.find(requestId), requestId.counter >= watermark ? outcome : undefined, context);
        } else if (model.some(({ requestId }) => requestId.router === router)) {
          const next = Math.max(watermark, watermark + spread * random.whole(-5, 15));
          log.advance(router, next);
          watermarks.set(router, next);
          model = model.filter(({ requestId }) => requestId.router !== router || requestId.counter >= next);
        }
        assert.deepEqual(idsOf(log.outcomes()), idsOf(model), context);
      }
    });

  it("is awaited by the routers that have not said that they are done with what it knows", () => {
    const log = new RequestLog();
    const [r, s] = [{ incarnation: "r" }, { incarnation: "s" }];
    assert.equal(log.isAwaitedBy([r, s]), false);
    log.record({ router: "r", counter: 3 }, "k", { epoch: 1, seq: 1 });
    assert.deepEqual([log.isAwaitedBy([s]), log.isAwaitedBy([s, r]), log.isAwaitedBy([])], [false, true, false]);
    log.advance("r", 3);
    assert.equal(log.isAwaitedBy([r]), true);
    log.advance("r", 4);
    assert.equal(log.isAwaitedBy([r]), false);
  });

  it("keeps nothing of a process that only pings: one that restarts again and again is another each time", () => {
    const log = new RequestLog();
    log.advance("r", 1);
    assert.deepEqual(log.finished, []);
    log.advance("r", 2);
    assert.deepEqual(log.finished, [{ router: "r", counter: 2 }]);
  });
});
