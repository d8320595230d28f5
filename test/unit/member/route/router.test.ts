/**
 * What the router tells a client whose write it sent more than once: never that nothing was done when an earlier copy
 * may be (W17, W18).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ErrorCode, OperatingError } from "../../../../src/base/errors.ts";
import { whatTheStoreHas } from "../../../../src/core/discarded.ts";
import type { PeerAnswer } from "../../../../src/core/message.ts";
import type { WriteOutcome, Written } from "../../../../src/core/operation.ts";
import type { Precondition } from "../../../../src/core/precondition.ts";
import type { ViewMember } from "../../../../src/core/view.ts";
import { OperationDeadlines } from "../../../../src/member/route/operation-deadlines.ts";
import { Router } from "../../../../src/member/route/router.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { keyWhere, memberIn, memberOf, ringOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";
import { deleteOf, putOf } from "../../../harness/write-operations.ts";

const [a, b] = [memberOf("a"), memberOf("b")];
const view = viewOf(4, [a, b]);
const key = keyWhere((each) => ringOf(view).ownersOf(each)[0] === "b");

const refused = (code: ErrorCode): PeerAnswer => ({ kind: "refused", code, epoch: 4, detail: "" });
const written: Written = { kind: "written", version: { epoch: 4, seq: 1 }, tag: "", durability: "replicated" };
/** Whose link broke, or who has taken the write and does not own the key any more. */
const lost = [new OperatingError("peer_unreachable", "the link broke"), refused("peer_unreachable")];
const never = (): never => assert.fail("this member is not the primary");
const certain = [
  "buffer_full",
  "overloaded",
  "refused_full",
  "shutting_down",
  "not_refused",
  "value_too_large",
] as const;

class Trial {
  readonly network = new ScriptedNetwork();
  readonly #clock = new ManualClock();
  readonly router: Router;
  /** For how long a majority has been lost, and who is silent. */
  readonly losses = { lostMs: 0, suspects: [b] as readonly ViewMember[] };

  /** Member a. Its part as a primary is not asked, because b owns the key. */
  constructor(fits = true, isServing = true, inView = view) {
    const context = {
      membership: isServing ? servingMember(inView, a, this.#clock) : memberIn(inView, a, { clock: this.#clock }),
      network: this.network,
      clock: this.#clock,
      settings: { operationMs: 10_000, flushDeadlineMs: 1_000 },
      store: { fits: () => fits },
    };
    const deadlines = new OperationDeadlines(this.#clock, context.settings.operationMs);
    const reads = { fromMemory: () => undefined, read: never };
    this.router = new Router(context, { write: never }, reads, deadlines, () => undefined, this.losses);
  }

  put(precondition?: Precondition): Promise<WriteOutcome> {
    return this.router.write(putOf(key, Buffer.from("v"), { precondition }));
  }

  get now(): number {
    return this.#clock.now();
  }

  /** The code of the error in which a read ends. */
  readUntilGivenUp(ofKey = key): Promise<string> {
    return this.untilGivenUp(Promise.resolve(this.router.read(ofKey, false, "a tag")));
  }

  /** The code of the error in which the operation ends. */
  async untilGivenUp(operation: Promise<unknown>): Promise<string> {
    let told: string | undefined;
    operation.catch((error: unknown) => {
      told = (error as OperatingError).code;
    });
    for (let ms = 0; ms < 11_000 && told === undefined; ms += 10) {
      await turn();
      this.#clock.advance(10);
    }
    await turn();
    return told ?? "nothing";
  }

  /** What the operation comes to when the attempts are answered so: its kind, or the code of its error. */
  async outcome(operation: Promise<WriteOutcome>, answers: readonly (PeerAnswer | OperatingError)[]): Promise<string> {
    const told = operation.then(
      ({ kind }) => kind,
      (error: unknown) => (error as OperatingError).code,
    );
    for (const answer of answers) {
      await turn();
      this.network.answer(answer, "b");
      await turn();
      this.#clock.advance(100);
    }
    return await told;
  }
}

describe("Router", () => {
  it("takes nothing for a key that the store can't hold, a removal neither: the store would refuse it for ever", async () => {
    const trial = new Trial(false);
    const answers = [trial.put(), trial.router.write(deleteOf(key)), trial.router.read(key, false, "a tag")];
    for (const answer of answers) await assert.rejects(Promise.resolve<unknown>(answer), { code: "key_invalid" });
  });

  it("answers with the MD5 that comes with a value, and with the store's tag of an upload", async () => {
    const trial = new Trial();
    const put = putOf(key, Buffer.from("v"));
    const upload = { token: "t", size: 1, manifest: Buffer.alloc(1) };
    const told: unknown[] = [];
    for (const operation of [put, { ...put, md5: "told" }, { ...put, value: undefined, md5: "", upload }]) {
      trial.network.script = () => ({ ...written, tag: "upload" in operation ? "the store's" : "" });
      const outcome = await trial.router.write(operation);
      told.push(outcome.kind === "written" && outcome.tag);
    }
    assert.deepEqual(told, ["9e3669d19b675bd57058fd4664205d2a", "told", "the store's"]);
  });

  it("gives an operation up after a second while its primary is lost with a majority for long, and not before", async () => {
    for (const [lostMs, least, most] of [
      [0, 9_500, 10_500],
      [9_999, 9_500, 10_500],
      [10_000, 700, 1_500],
    ] as const) {
      const trial = new Trial();
      trial.losses.lostMs = lostMs;
      trial.network.script = () => new OperatingError("peer_unreachable", "no link to b");
      assert.equal(await trial.readUntilGivenUp(), "peer_unreachable");
      assert.ok(least <= trial.now && trial.now <= most, `${lostMs} ms: ${trial.now} ms`);
      // What is served is served as ever.
      trial.network.script = () => ({ ...written, tag: "" });
      assert.equal((await trial.put()).kind, "written");
    }
  });

  it("waits for a primary that is there as long as ever, whoever else is lost, unless the view is not activated", async () => {
    for (const [isServing, least, most] of [
      [true, 9_500, 10_500],
      [false, 700, 1_500],
    ] as const) {
      const trial = new Trial(true, isServing);
      Object.assign(trial.losses, { lostMs: 60_000, suspects: [memberOf("c")] });
      trial.network.script = () => refused("not_ready");
      assert.equal(await trial.readUntilGivenUp(), "not_ready");
      assert.ok(least <= trial.now && trial.now <= most, `${isServing}: ${trial.now} ms`);
    }
  });

  it("gives a write up as soon if a replica is lost, which it needs, and waits with a read", async () => {
    const c = memberOf("c");
    const inView = viewOf(4, [a, b, c]);
    const ofBAndC = keyWhere((each) => ringOf(inView).ownersOf(each).join() === "b,c");
    for (const [isWrite, least, most] of [
      [true, 700, 1_500],
      [false, 9_500, 10_500],
    ] as const) {
      const trial = new Trial(true, true, inView);
      Object.assign(trial.losses, { lostMs: 60_000, suspects: [c] });
      trial.network.script = () => refused("not_ready");
      const told = isWrite
        ? trial.untilGivenUp(trial.router.write(putOf(ofBAndC, Buffer.from("v"))))
        : trial.readUntilGivenUp(ofBAndC);
      assert.equal(await told, "not_ready");
      assert.ok(least <= trial.now && trial.now <= most, `${isWrite}: ${trial.now} ms`);
    }
  });

  it("does not give up any sooner because members change: each change makes it try at once", async () => {
    const trial = new Trial();
    trial.losses.lostMs = 60_000;
    trial.network.script = () => new OperatingError("peer_unreachable", "no link to b");
    let isOver = false;
    Promise.resolve(trial.router.read(key, false, "a tag")).catch(() => {
      isOver = true;
    });
    for (let change = 0; change < 50; change++) {
      await turn();
      trial.router.wake();
    }
    await turn();
    assert.equal(isOver, false);
  });

  it("tells a client that nothing was done if the only copy of its write was refused", async () => {
    for (const code of certain) {
      const trial = new Trial();
      assert.equal(await trial.outcome(trial.put(), [refused("not_ready"), refused(code)]), code);
    }
  });

  it("never tells so once a copy was lost: whoever has that may bring it back", async () => {
    for (const code of certain) {
      for (const loss of lost) {
        const trial = new Trial();
        const told = await trial.outcome(trial.put(), [loss, refused("not_ready"), refused(code)]);
        assert.equal(told, "peer_unreachable", code);
      }
    }
  });

  it("does not know what became of a write if a copy was lost and another is refused for a time, of which two members may know two", async () => {
    const trial = new Trial();
    const answers = [...lost, { kind: "precondition_failed" }] as const;
    assert.equal(await trial.outcome(trial.put({ unmodifiedSince: 1 }), answers), "deadline_exceeded");
  });

  it("does not know whether a key was discarded if a copy was lost: what was to be discarded may be gone because it was", async () => {
    const trial = new Trial();
    const discarded = trial.router.write({ ...deleteOf(key), upload: whatTheStoreHas, discards: { epoch: 4, seq: 1 } });
    assert.equal(await trial.outcome(discarded, [...lost, { kind: "precondition_failed" }]), "deadline_exceeded");
  });

  it("refuses writes that come much later than one which is still under way: others keep the outcomes of all between", async () => {
    const trial = new Trial();
    trial.put().catch(() => undefined);
    await turn();
    trial.network.script = () => written;
    let done = 0;
    const later = async (): Promise<void> => {
      for (; done < 300_000; done++) await trial.put();
    };
    await assert.rejects(later(), { code: "overloaded" });
    assert.ok(done > 150_000 && done <= 200_000, `${done}`);
    assert.equal((await trial.router.write({ ...putOf(key, Buffer.from("v")), holder: "another" })).kind, "written");
    await assert.rejects(trial.put(), { code: "overloaded" });
    assert.equal(trial.router.watermark, 1);
    trial.network.answer(written);
    await turn();
    assert.equal((await trial.put()).kind, "written");
  });

  it("tells who reads why it had to wait, and not that the last attempt had no time", async () => {
    const late = new OperatingError("deadline_exceeded", "no answer in time");
    for (const [lastMs, code] of [
      [150, "not_ready"],
      [5_000, "deadline_exceeded"],
    ] as const) {
      const trial = new Trial();
      trial.network.script = ({ deadlineMs }) => (deadlineMs <= lastMs ? late : refused("not_ready"));
      assert.equal(await trial.readUntilGivenUp(), code);
    }
  });

  it("asks a primary once more that the store does not answer: it may have been cut off, and be back", async () => {
    const away = refused("store_unavailable");
    const trial = new Trial();
    let asked = 0;
    trial.network.script = () => (++asked <= 1 ? away : { kind: "missing" });
    assert.equal(await trial.readUntilGivenUp(), "nothing");
    assert.equal(asked, 2);
    trial.network.script = () => away;
    assert.equal(await trial.readUntilGivenUp(), "store_unavailable");

    const other = new Trial();
    assert.equal(await other.outcome(other.put({ match: ["m"] }), [away, written]), "written");
    assert.equal(await other.outcome(other.put({ match: ["m"] }), [away, away]), "store_unavailable");
  });

  it("believes any other condition that fails, under the request id by which a copy that was done is known", async () => {
    const trial = new Trial();
    const told = await trial.outcome(trial.put({ match: ["m"] }), [...lost, { kind: "precondition_failed" }]);
    assert.equal(told, "precondition_failed");
    const ids = trial.network.sent.map(({ request }) => request.kind === "write" && request.requestId);
    assert.deepEqual(ids, Array(3).fill({ router: a.incarnation, counter: 1 }));
  });
});
