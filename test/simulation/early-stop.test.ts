/** A process that is stopped while it starts, at any moment of that. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../src/base/errors.ts";
import { parseView, viewName } from "../../src/core/view.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/** From the first moment of a start until it has joined, in virtual milliseconds. */
const startMs = 240;
const stepMs = 3;
/** Between a request to leave and the signal. */
const hesitationMs = 20;

interface Case {
  /** How the process before it ended. */
  readonly before: "stopped" | "killed";
  readonly isAskedToLeave?: boolean;
  /** The store takes no change of the view. */
  readonly isRefused?: boolean;
}

/**
 * What there was after the process was stopped `ms` after its start: the views since then; undefined when it had no
 * member yet.
 */
async function stopAfter(ms: number, { before, isAskedToLeave, isRefused }: Case): Promise<string | undefined> {
  const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
  const { world, hosts, views, store } = cluster;
  const [a, b, c] = hosts as [SimHost, SimHost, SimHost];
  await world.run(5_000);
  if (before === "stopped") b.stop(() => undefined);
  else world.schedule(2_950, () => b.crash());
  await world.run(8_000);
  /** When each process of b came into the view. */
  const joins = new Map<string, number>();
  store.watch((name, _before, after) => {
    if (name !== viewName || after === undefined) return;
    const incarnation = parseView(after.body).members.find(({ id }) => id === "b")?.incarnation;
    if (incarnation !== undefined && !joins.has(incarnation)) joins.set(incarnation, world.now);
  });
  if (isRefused === true) cluster.refused.set(viewName, new OperatingError("store_unavailable", "it is busy"));
  b.start();
  await world.run(8_000 + ms);
  const { member } = b;
  if (member === undefined) return undefined;
  const viewsBefore = views.length;
  if (isAskedToLeave === true) {
    b.process?.schedule(0, () => member.leave());
    await world.run(8_000 + ms + hesitationMs);
  }
  let stoppedMs: number | undefined;
  // Its process goes on, as one does that has something left to do.
  b.process?.schedule(0, () => {
    void member.stop().then(() => {
      stoppedMs = world.now;
    });
  });
  await world.run(10_000);
  cluster.refused.clear();
  await world.run(14_000);
  const told = `stopped ${ms} ms after its start`;
  assert.ok(stoppedMs !== undefined && stoppedMs < 10_000, told);
  assert.equal(member.status().epoch, 0, told);
  assert.ok(
    [...joins.values()].every((at) => at < (stoppedMs ?? 0)),
    told,
  );
  assert.equal(isSettled([a, c]), true, told);
  return views.slice(viewsBefore).join(" ");
}

async function courses(each: Case): Promise<string[]> {
  const found = new Set<string>();
  for (let ms = 0; ms < startMs; ms += stepMs) {
    const course = await stopAfter(ms, each);
    if (course !== undefined) found.add(course);
  }
  return [...found].sort();
}

describe("a process that is stopped while it starts does nothing any more, and", () => {
  /** It was never there, or leaves in order, and is not dropped in any. */
  const orderly = ["", "1,0,1 1,1", "1,1,1 1,0,1 1,1"];

  it("has never been there or leaves in order", async () => {
    assert.deepEqual(await courses({ before: "stopped" }), orderly);
  });

  it("so if it has been asked to leave before", async () => {
    assert.deepEqual(await courses({ before: "stopped", isAskedToLeave: true }), orderly);
  });

  it("has not joined if the store does not take it, although it was asked to leave", async () => {
    assert.deepEqual(await courses({ before: "stopped", isAskedToLeave: true, isRefused: true }), [""]);
  });

  it("is no sooner dropped than it would be if its host were down, where the one before it was killed", async () => {
    const found = await courses({ before: "killed" });
    assert.ok(found.includes("1,1"), "dropped");
    assert.ok(found.includes("1,0,1 1,1"), "in order");
  });
});
