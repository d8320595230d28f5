/** What the dashboard says has changed between two looks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterStatus, MemberStatus } from "../../../src/core/status.ts";
import { changesBetween } from "../../../src/ui/changes.ts";
import { clusterStatus, memberStatus } from "../../harness/status-fixtures.ts";

function seen(ids: readonly string[], changes: Partial<ClusterStatus> = {}): ClusterStatus {
  return clusterStatus(
    ids.map((id) => memberStatus(id)),
    changes,
  );
}

const nobody = seen([], { epoch: 0, settled: false });

test("nothing is said where nothing changed but figures", () => {
  assert.deepEqual(changesBetween(nobody, nobody), []);
  const after = clusterStatus([memberStatus("a", { dirtyBytes: 5, oldestDirtyMs: 9, storeFailingMs: 2_000 })]);
  assert.deepEqual(changesBetween(seen(["a"]), after), []);
});

test("members that come and go are named with the view, and when it is settled", () => {
  const settled = "View 8 is settled: each key is with all its owners.";
  const cases: readonly (readonly [ClusterStatus, ClusterStatus, readonly string[]])[] = [
    [nobody, seen(["a", "b"]), ["a has joined: view 7 has a, b.", settled.replace("8", "7")]],
    [
      seen(["a", "b"]),
      seen(["a", "c"], { epoch: 8, settled: false }),
      ["c joined with view 8.", "b left, or was lost: not in view 8."],
    ],
    [seen(["a", "b"]), seen(["a", "b"], { epoch: 8 }), ["View 8 follows view 7.", settled]],
    [seen(["a"], { epoch: 8, settled: false }), seen(["a"], { epoch: 8 }), [settled]],
    [seen(["a"]), nobody, ["a is no longer a member, and joins again."]],
    [seen(["a"]), seen(["a"], { awaited: ["b"] }), ["Some keys are in doubt: they wait for b."]],
    [seen(["a"], { awaited: ["b"] }), seen(["a"]), ["No key is in doubt any more."]],
  ];
  for (const [before, after, expected] of cases) assert.deepEqual(changesBetween(before, after), expected);
});

test("what a member comes to, and that it is over, are told once each", () => {
  const cases: readonly (readonly [Partial<MemberStatus>, RegExp, RegExp])[] = [
    [{ state: "unreachable" }, /^b can't be reached\.$/, /^b is reached again\.$/],
    [
      { storeFailingMs: 3_001 },
      /^The store fails everything that b sends\.$/,
      /^The store again takes what b sends\.$/,
    ],
    [{ slowing: true }, /^Writers at b wait: /, /^Writers at b no longer wait\.$/],
    [{ refusedKeys: 2 }, /^The store refuses keys of b\.$/, /^The store refuses no key of b any more\.$/],
  ];
  const well = seen(["a", "b"]);
  for (const [changes, begun, ended] of cases) {
    const ill = clusterStatus([memberStatus("a"), memberStatus("b", changes)]);
    const texts = [changesBetween(well, ill), changesBetween(ill, ill), changesBetween(ill, well)];
    assert.deepEqual(
      texts.map(({ length }) => length),
      [1, 0, 1],
    );
    assert.match(texts[0]?.[0] as string, begun);
    assert.match(texts[2]?.[0] as string, ended);
  }
});
