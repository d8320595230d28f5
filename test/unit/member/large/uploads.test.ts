/**
 * The memory of uploads (L14). One that waits for the parts of another, which was given up for it, gets its room. And
 * an upload keeps one part of it at most when others wait.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import type { WriteOutcome } from "../../../../src/core/operation.ts";
import { UploadRoom } from "../../../../src/member/large/upload-room.ts";
import { Uploads } from "../../../../src/member/large/uploads.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const operationMs = 10_000;
const usual = { maxValueBytes: 100, uploads: 2, partBytes: 10, inFlightBytes: 20, leftoverMs: 3_600_000 };
const [a, b] = [memberOf("a"), memberOf("b")];

/** Uploads over a store that answers about their parts when the test says so. */
function newTrial(large = usual) {
  const clock = new ManualClock();
  const answers: (() => void)[] = [];
  const begun: string[] = [];
  const store = {
    fits: () => true,
    beginUpload: async (key: string) => {
      begun.push(key);
      const sendPart = (): Promise<string> => new Promise((resolve) => answers.push(() => resolve("t")));
      return { id: key, sendPart };
    },
    abortUpload: async () => undefined,
  } as unknown as BlobStore;
  const written: WriteOutcome = { kind: "written", version: { epoch: 4, seq: 1 }, tag: "t", durability: "stored" };
  const context = {
    clock,
    complaints: new Complaints(new RecordedLog(), clock, 10_000),
    membership: servingMember(viewOf(4, [a, b]), a, clock),
    random: new SimRandom(1),
    settings: settingsOf({ large, operationMs }),
    store,
  };
  const room = new UploadRoom(context);
  const uploads = new Uploads(context, room, {
    read: () => assert.fail("nothing is read"),
    write: () => Promise.resolve(written),
  });
  const ends: string[] = [];
  const write = (key: string, body: AsyncGenerator<Uint8Array, void>): void => {
    const operation = { key, headers: noHeaders, precondition: undefined, length: 100, body };
    uploads.write(operation).then(
      ({ kind }) => ends.push(`${key} ${kind}`),
      (error: unknown) => ends.push(`${key} ${isOperatingError(error) ? error.code : String(error)}`),
    );
  };
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns++) await turn();
  };
  return { clock, room, answers, begun, ends, write, settle };
}

/** Two uploads fill the memory. */
async function trial() {
  const made = newTrial();
  const { write, settle } = made;
  /** A part, and then it is given up. */
  async function* givenUp(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.alloc(10);
    yield Buffer.alloc(1);
    throw new OperatingError("overloaded", "given up");
  }
  async function* whole(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.alloc(10);
  }
  for (const key of ["a", "b"]) write(key, givenUp());
  await settle();
  return { ...made, whole };
}

describe("an upload", () => {
  it("waits for the parts of one that was given up, and is let in when these have ended", async () => {
    const { answers, begun, ends, write, whole, settle } = await trial();
    write("c", whole());
    await settle();
    assert.deepEqual([begun, ends], [["a", "b"], []]);
    answers.shift()?.();
    await settle();
    assert.deepEqual([begun, ends], [["a", "b", "c"], ["a overloaded"]]);
    for (const answer of answers.splice(0)) answer();
    await settle();
    for (const answer of answers.splice(0)) answer();
    await settle();
    assert.deepEqual(ends.toSorted(), ["a overloaded", "b overloaded", "c written"]);
  });

  it("is refused when there is no room in time, and leaves its place in the queue to the next one", async () => {
    const { clock, answers, begun, ends, write, whole, settle } = await trial();
    write("c", whole());
    clock.advance(operationMs / 2);
    write("d", whole());
    clock.advance(operationMs / 2);
    await settle();
    assert.deepEqual(ends, ["c overloaded"]);
    answers.shift()?.();
    await settle();
    assert.deepEqual(begun, ["a", "b", "d"]);
  });
});

describe("an upload that has more room than for one part", () => {
  /** Sends parts for as long as the test calls `more`. */
  function slowBody() {
    const steps: (() => void)[] = [];
    const more = (): void => steps.shift()?.();
    async function* body(): AsyncGenerator<Uint8Array, void> {
      for (let part = 0; part < 6; part++) {
        await new Promise<void>((resolve) => steps.push(resolve));
        yield Buffer.alloc(10);
      }
    }
    return { more, body: body() };
  }

  it("gives it back when somebody waits: at once what is idle, and what is being sent after that", async () => {
    const { room, answers, ends, write, settle } = newTrial({ ...usual, inFlightBytes: 40 });
    const { more, body } = slowBody();
    write("a", body);
    await settle();
    // Two parts are being sent, and the third waits for more of its bytes.
    for (let part = 0; part < 3; part++) {
      more();
      await settle();
    }
    const taken: number[] = [];
    const take = (bytes: number): void => void room.take(bytes).then((isIn) => isIn && taken.push(bytes));
    take(11);
    await settle();
    assert.deepEqual([answers.length, taken], [2, []]);
    answers.shift()?.();
    await settle();
    assert.deepEqual(taken, [11]);
    answers.shift()?.();
    await settle();
    // One buffer is idle, and the other waits for its sender, who sends nothing now.
    take(19);
    await settle();
    assert.deepEqual(taken, [11, 19]);
    // It goes on with one part at a time, and faster when there is room again.
    for (let part = 3; part < 5; part++) {
      more();
      await settle();
      assert.equal(answers.length, 1);
      answers.shift()?.();
      await settle();
    }
    room.giveBack(30);
    for (let part = 0; part < 2; part++) {
      more();
      await settle();
    }
    while (answers.length > 0) {
      answers.shift()?.();
      await settle();
    }
    assert.deepEqual(ends, ["a written"]);
    take(40);
    await settle();
    assert.deepEqual(taken, [11, 19, 40], "all of its room is there again");
  });
});
