/**
 * Uploads whose parts come one by one: room for a part, what is sent of it, and what becomes of a completion (L15,
 * L19).
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { sleep } from "../../../../src/base/clock.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import type { UploadedPart, WriteOperation, WriteOutcome } from "../../../../src/core/operation.ts";
import { parseManifest, takenOver } from "../../../../src/core/upload-manifest.ts";
import { formatPartedToken, isParted } from "../../../../src/core/upload-token.ts";
import { PartedUploads } from "../../../../src/member/large/parted-uploads.ts";
import { UploadRoom } from "../../../../src/member/large/upload-room.ts";
import type { AssembleResult, BlobStore, PartContent, RequestOptions } from "../../../../src/store/blob-store.ts";
import { settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberOf, nextView, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const operationMs = 10_000;
const large = { maxValueBytes: 100, uploads: 2, partBytes: 10, inFlightBytes: 30, leftoverMs: 3_600_000 };
const [a, b] = [memberOf("a"), memberOf("b")];
const written: WriteOutcome = { kind: "written", version: { epoch: 4, seq: 1 }, tag: "e", durability: "stored" };
const unavailable = new OperatingError("store_unavailable", "no answer");

class Trial {
  readonly clock = new ManualClock();
  readonly membership = servingMember(viewOf(4, [a, b]), a, this.clock);
  /** What the store was asked, in order, and each part as it was when it was sent. */
  readonly asked: string[] = [];
  readonly sent: { readonly number: number; readonly text: string; readonly deadlineMs: number }[] = [];
  /** How the next requests end, one after the other; then all end well. */
  readonly endings: (Error | Promise<void> | (() => Promise<void>))[] = [];
  readonly references: WriteOperation[] = [];
  assembled: AssembleResult = { kind: "assembled", parts: ["joined"] };
  outcome: WriteOutcome | Error = written;
  readonly uploads: PartedUploads;

  constructor() {
    const ask = async (what: string): Promise<void> => {
      this.asked.push(what);
      const ending = this.endings.shift();
      if (ending instanceof Error) throw ending;
      await (typeof ending === "function" ? ending() : ending);
    };
    const store: Partial<BlobStore> = {
      fits: (key) => key !== "unfit",
      beginParted: async (key, { token }) => {
        await ask(`begin ${key}`);
        assert.ok(isParted(token), token);
        return "u";
      },
      sendPart: async (_key: string, id: string, part: PartContent, { deadlineMs }: RequestOptions) => {
        this.sent.push({ number: part.number, text: Buffer.from(part.body).toString(), deadlineMs });
        assert.equal(part.md5, hash("md5", part.body, "base64"));
        await ask(`part ${part.number} of ${id}`);
        return `tag ${part.number}`;
      },
      assembleUpload: async () => {
        await ask("assemble");
        return this.assembled;
      },
      abortUpload: (_key: string, id: string) => ask(`abort ${id}`),
    };
    const context = {
      clock: this.clock,
      membership: this.membership,
      random: new SimRandom(1),
      settings: settingsOf({ large, operationMs, maxValueBytes: 5 }),
      store: store as BlobStore,
    };
    this.uploads = new PartedUploads(context, new UploadRoom(context), {
      write: async (operation) => {
        this.references.push(operation);
        if (this.outcome instanceof Error) throw this.outcome;
        return this.outcome;
      },
    });
  }

  send(text: string, number = 1, length = text.length): Promise<string> {
    return this.uploads.sendPart("k", upload, { number, length, body: inBytes(text) });
  }

  complete(parts: readonly UploadedPart[] = [part(1, 10), part(7, 3)]): Promise<WriteOutcome> {
    return this.uploads.complete({ key: "k", headers: noHeaders, precondition: undefined, upload, parts, holder: "h" });
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await turn();
  }
}

const upload = { id: "u", token: "c.1.2.1.p0" };

function part(number: number, size: number): UploadedPart {
  return { number, tag: `tag ${number}`, size };
}

async function* inBytes(text: string): AsyncGenerator<Uint8Array, void> {
  for (const character of text) yield Buffer.from(character);
}

describe("a parted upload", () => {
  it("has a token that says so, and a part of it goes to the store as a whole, with a deadline that grows", async () => {
    const trial = new Trial();
    const { flushDeadlineMs } = trial.membership.view.parameters;
    const { id, token } = await trial.uploads.begin("k", noHeaders);
    assert.deepEqual([id, isParted(token)], ["u", true]);
    assert.equal(await trial.send("abcdefghijk", 7), "tag 7");
    assert.equal(await trial.send("", 8), "tag 8");
    assert.deepEqual(trial.sent, [
      { number: 7, text: "abcdefghijk", deadlineMs: 2 * flushDeadlineMs },
      { number: 8, text: "", deadlineMs: flushDeadlineMs },
    ]);
  });

  it("is refused under a key that the store can't hold, before the node is in a view, and for too large a part", async () => {
    const trial = new Trial();
    await assert.rejects(trial.uploads.begin("unfit", noHeaders), { code: "key_invalid" });
    await assert.rejects(trial.send("x", 1, 31), { code: "value_too_large", message: /30 bytes/ });
    await assert.rejects(trial.complete([part(1, 60), part(2, 41)]), { code: "value_too_large", message: /100 bytes/ });
    assert.deepEqual([trial.asked, trial.references], [[], []]);
  });

  it("sends nothing of a body that breaks off, or has another length, and gives its room back", async () => {
    const trial = new Trial();
    const broken = new OperatingError("body_truncated", "the connection broke");
    async function* breaking(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.alloc(20);
      throw broken;
    }
    const sending = trial.uploads.sendPart("k", upload, { number: 1, length: 30, body: breaking() });
    await assert.rejects(sending, (error) => error === broken);
    await assert.rejects(trial.send("x", 1, 2), { code: "body_truncated" });
    await assert.rejects(trial.send("xyz", 1, 2), { code: "body_truncated" });
    assert.deepEqual(trial.sent, []);
    assert.equal(await trial.send("x".repeat(30)), "tag 1");
  });

  it("holds a part back until there is room for all of it, lets smaller ones in, and refuses it when that takes too long", async () => {
    const trial = new Trial();
    const answer = Promise.withResolvers<void>();
    trial.endings.push(answer.promise);
    const ends: string[] = [];
    const note = (name: string, work: Promise<string>): void => {
      work.then(
        () => ends.push(name),
        (error: OperatingError) => ends.push(`${name} ${error.code}`),
      );
    };
    note("first", trial.send("x".repeat(20), 1));
    await trial.settle();
    note("second", trial.send("x".repeat(20), 2));
    note("third", trial.send("x".repeat(5), 3));
    await trial.settle();
    assert.deepEqual([trial.asked, ends], [["part 1 of u", "part 3 of u"], ["third"]]);
    trial.clock.advance(operationMs);
    await trial.settle();
    assert.deepEqual(ends, ["third", "second overloaded"]);
    note("fourth", trial.send("x".repeat(20), 4));
    answer.resolve();
    await trial.settle();
    assert.deepEqual(ends.slice(2).toSorted(), ["first", "fourth"]);
  });

  it("has a part sent again, with the same bytes, when the store does not answer", async () => {
    const trial = new Trial();
    trial.endings.push(unavailable);
    const sending = trial.send("abc");
    await trial.settle();
    trial.clock.advance(100);
    assert.equal(await sending, "tag 1");
    assert.deepEqual(
      trial.sent.map(({ text }) => text),
      ["abc", "abc"],
    );
  });

  it("has a large part sent for as long as others are, not as often: each attempt takes longer", async () => {
    const trial = new Trial();
    const deadlineMs = 3 * trial.membership.view.parameters.flushDeadlineMs;
    const late = (): Promise<void> => sleep(trial.clock, deadlineMs).then(() => Promise.reject(unavailable));
    trial.endings.push(...Array.from({ length: 6 }, () => late));
    let isOver = false;
    const sending = assert.rejects(trial.send("x".repeat(30)), { code: "store_unavailable" });
    void sending.finally(() => (isOver = true));
    while (!isOver) {
      await trial.settle();
      trial.clock.advance(1_000);
    }
    assert.equal(trial.sent.length, 3);
  });

  it("is assembled, and then written by reference, with what the store said of its parts", async () => {
    const trial = new Trial();
    trial.endings.push(unavailable);
    const completing = trial.complete();
    await trial.settle();
    assert.deepEqual(trial.references, []);
    trial.clock.advance(100);
    assert.deepEqual(await completing, written);
    const reference = trial.references[0] as WriteOperation | undefined;
    const { manifest, ...about } = reference?.upload ?? assert.fail("it is a reference");
    assert.deepEqual(about, { token: upload.token, size: 13 });
    assert.deepEqual(parseManifest(manifest), { id: "u", parts: ["joined"] });
    assert.deepEqual([reference?.durability, reference?.holder, reference?.value], ["stored", "h", undefined]);
  });

  it("that the store does not have any more may be what the object is: its primary looks, and completes nothing", async () => {
    const trial = new Trial();
    trial.assembled = { kind: "gone" };
    assert.deepEqual(await trial.complete(), written);
    const { manifest, ...about } = trial.references[0]?.upload ?? assert.fail("it is a reference");
    assert.deepEqual(about, { token: upload.token, size: 13 });
    assert.deepEqual(parseManifest(manifest), { id: takenOver, parts: [] });
  });

  it("is completed when the node has adopted the view in which it was begun, or not at all (L20)", async () => {
    const { clusterId } = new Trial().membership.view.parameters;
    const ofLater = { id: "u", token: formatPartedToken(clusterId, "k", 5, "0") };
    const completeLater = (trial: Trial): Promise<WriteOutcome> =>
      trial.uploads.complete({
        key: "k",
        headers: noHeaders,
        precondition: undefined,
        upload: ofLater,
        parts: [part(1, 1)],
      });
    const late = new Trial();
    const refused = assert.rejects(completeLater(late), { code: "not_ready" });
    for (let ms = 0; ms <= operationMs; ms += 50) {
      await turn();
      late.clock.advance(50);
    }
    await refused;
    assert.deepEqual([late.asked, late.references], [[], []]);

    const trial = new Trial();
    const completing = completeLater(trial);
    await trial.settle();
    assert.deepEqual(trial.references, []);
    trial.membership.adopt(nextView(viewOf(4, [a, b]), [a, b]));
    trial.clock.advance(50);
    assert.deepEqual(await completing, written);
  });

  it("stays as it was whatever became of its completion, until its client aborts it", async () => {
    for (const code of ["buffer_full", "overloaded", "shutting_down", "refused_full", "deadline_exceeded"] as const) {
      const trial = new Trial();
      trial.outcome = new OperatingError(code, "not done, or not known");
      await assert.rejects(trial.complete(), { code });
      trial.outcome = { kind: "precondition_failed" };
      assert.equal((await trial.complete()).kind, "precondition_failed");
      trial.outcome = written;
      assert.equal((await trial.complete()).kind, "written");
      assert.deepEqual(trial.asked, ["assemble", "assemble", "assemble"], code);
      await trial.uploads.abort("k", upload);
      assert.equal(trial.asked.at(-1), "abort u");
    }
  });
});
