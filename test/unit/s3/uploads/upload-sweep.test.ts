/** What is removed of old multipart uploads, and what not. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { doneName, partName, uploadName } from "../../../../src/s3/uploads/upload-names.ts";
import { UploadSweep } from "../../../../src/s3/uploads/upload-sweep.ts";
import { UploadTrial } from "../../../harness/upload-trial.ts";
import { putOf } from "../../../harness/write-operations.ts";

const hourMs = 3_600_000;
const leftoverMs = 72 * hourMs;
const small = Buffer.from("small");

describe("a sweep of records of multipart uploads", () => {
  it("removes uploads that are too old, with their parts, and leaves those that are not", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const old = await node.begin("k");
    await node.send("k", old, 1, small);
    trial.clock.advance(2 * hourMs);
    const young = await node.begin("k");
    await node.send("k", young, 1, small);
    // The clock of the node that began it may be an hour behind.
    trial.clock.advance(leftoverMs - hourMs);
    assert.equal(await trial.sweep(node, leftoverMs), 0);
    trial.clock.advance(1);
    assert.equal(await trial.sweep(node, leftoverMs), 2);
    assert.deepEqual(trial.ownNames, [partName(young, 1), uploadName(young)].sort());
    await node.complete("k", young, [await node.send("k", young, 1, small)]);
  });

  it("removes after two hours that an upload was completed", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await node.begin("k");
    const parts = [await node.send("k", id, 1, small)];
    trial.clock.advance(2 * hourMs);
    await node.complete("k", id, parts);
    await node.uploads.removals.idle();
    trial.clock.advance(2 * hourMs);
    assert.equal(await trial.sweep(node, leftoverMs), 0);
    assert.deepEqual(trial.ownNames, [doneName(id)]);
    trial.clock.advance(1);
    assert.equal(await trial.sweep(node, leftoverMs), 1);
    assert.deepEqual(trial.ownNames, []);
  });

  it("removes parts of uploads that have ended, which the client did not list", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const [ended, going] = [await node.begin("k"), await node.begin("k")];
    const part = await node.send("k", ended, 1, small);
    await node.send("k", ended, 2, small);
    await node.send("k", going, 1, small);
    await node.complete("k", ended, [part]);
    await node.uploads.removals.idle();
    // Another node may not have seen yet that an upload has begun.
    trial.clock.advance(hourMs);
    assert.equal(await trial.sweep(node, leftoverMs), 0);
    trial.clock.advance(1);
    assert.equal(await trial.sweep(node, leftoverMs), 1);
    assert.deepEqual(trial.ownNames, [doneName(ended), partName(going, 1), uploadName(going)].sort());
  });

  it("removes more than a page of them, of another release too, and nothing that has no id", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const id = await node.begin("k");
    await node.send("k", id, 1, small);
    for (let number = 2; number <= 1_500; number++) await trial.memory.write(putOf(partName(id, number), small));
    await trial.memory.write(putOf(uploadName(id), small));
    await trial.memory.write(putOf(`${uploadName("other")}`, small));
    trial.clock.advance(leftoverMs + 2 * hourMs);
    assert.equal(await trial.sweep(node, leftoverMs), 1_501);
    assert.deepEqual(trial.ownNames, [uploadName("other")]);
  });

  it("says what hinders it, and begins again later", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    await node.begin("k");
    trial.clock.advance(leftoverMs + 2 * hourMs);
    trial.memory.failure = new OperatingError("store_unavailable", "away");
    assert.equal(await trial.sweep(node, leftoverMs), 0);
    assert.deepEqual(trial.log.messages("warn"), ["records of old multipart uploads cannot be removed"]);
    trial.memory.failure = undefined;
    assert.equal(await trial.sweep(node, leftoverMs), 1);
  });

  it("comes every hour or two, and no more once the node stops", async () => {
    const trial = new UploadTrial();
    const node = trial.node();
    const { clock, random, log } = trial;
    const { records } = node.uploads;
    const operations = () => node.operations;
    const complaints = new Complaints(log, clock, 1);
    const sweep = new UploadSweep({ operations, records, clock, random, log, complaints, leftoverMs });
    sweep.start();
    const listings = async (): Promise<number> => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      return node.operations.count;
    };
    clock.advance(hourMs - 1);
    assert.equal(await listings(), 0);
    clock.advance(hourMs + 1);
    assert.equal(await listings(), 3);
    clock.advance(2 * hourMs);
    assert.equal(await listings(), 6);
    sweep[Symbol.dispose]();
    clock.advance(4 * hourMs);
    assert.equal(await listings(), 6);
    assert.ok(clock.idle);
  });
});
