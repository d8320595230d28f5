/** What is wrong with a cluster, in words: nothing where all is well, and each thing that somebody has to look at. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterStatus, MemberStatus } from "../../../src/core/status.ts";
import { troublesOf } from "../../../src/core/troubles.ts";
import { clusterStatus, memberStatus } from "../../harness/status-fixtures.ts";

const failing = {
  version: { epoch: 1, seq: 2 },
  size: 10,
  isDelete: true,
  ageMs: 1_000,
  code: "store_refused",
} as const;

/** The troubles of a cluster of a and b where this has changed. */
function troubles(changes: Partial<ClusterStatus>, ofB: Partial<MemberStatus> = {}): string[] {
  return troublesOf(clusterStatus([memberStatus("a"), memberStatus("b", ofB)], changes));
}

test("a cluster that is well has none", () => {
  assert.deepEqual(troubles({}), []);
  assert.deepEqual(troubles({}, { dirtyBytes: 1e9, dirtyKeys: 1e6, oldestDirtyMs: 60_000, storeFailingMs: 2_999 }), []);
  assert.deepEqual(troubles({}, { lateEffectMs: 0 }), [], "a node that was not heard differs in nothing");
});

test("a buffer that is full while members change is not blamed on the store", () => {
  const [full] = troubles({ settled: false }, { full: true });
  assert.match(full ?? "", /^Writers wait at b: .* nothing leaves it before the view is settled\.$/);
});

test("each is told by itself, with the node and what to do", () => {
  const cases: readonly (readonly [RegExp, Partial<ClusterStatus>, Partial<MemberStatus>?])[] = [
    [/^a has not joined the cluster yet: .*\/readyz/, { members: [] }],
    [/^No lease: a may not answer now/, { leaseMs: 0 }],
    [/^Can't be reached by a: b\./, {}, { state: "unreachable" }],
    [
      /^The store has failed all that b sent for 4\.0 s: 2\.0 KiB wait/,
      {},
      { storeFailingMs: 4_000, dirtyBytes: 2_048 },
    ],
    [/^Writers wait at b: .*buffer\.maxDirtyAgeMs/, {}, { slowing: true }],
    [/^Writers wait at b: its buffer is full .*the store takes less/, {}, { full: true }],
    [/^flush\.lateEffectMs differs: a 15 min, b 1 min\./, {}, { lateEffectMs: 60_000 }],
    [
      /^Failing at b: "k\\u0007" \(its removal, for 1\.0 s\): no \(store_refused\)$/,
      {},
      { failingKeys: 1, failing: [{ ...failing, key: "k\u0007", reason: "no" }] },
    ],
    // What the store says may hold the key, or anything.
    [
      /^Failing at b: .*: PUT k\\n\\u001b\[2J: no \(store_refused\)$/,
      {},
      { failingKeys: 1, failing: [{ ...failing, key: "k", reason: "PUT k\n\u001b[2J: no" }] },
    ],
    [/^Failing at b: 3 more$/, {}, { failingKeys: 3 }],
    [/^Members are changing: view 7/, { settled: false }],
    [
      /^Not in the cluster: c, by a's cluster\.json\. It joins by itself once started; if it runs, its log and \/readyz/,
      { absent: ["c"] },
    ],
    // It runs, and does not join by itself.
    [
      /^No link between a and c: one node speaks version 3 of the peer protocol, the other version 4\.$/,
      { absent: ["c"], refused: { c: "one node speaks version 3 of the peer protocol, the other version 4" } },
    ],
    [/^a takes no part in the cluster: its disk is full\.$/, { trouble: "its disk is full", members: [] }],
    [
      /^Not in the cluster: c, d, .* They join by themselves once started; .* Until then each write goes to the store/,
      { absent: ["c", "d"], replicas: 3 },
    ],
    // What is in doubt is told once, and that nothing settles before it.
    [/^The view's record in the store is wrong: it is gone\.$/, { recordTrouble: "it is gone" }],
    [/^In doubt: .* on c only, .* Start it again .*weir forget ID/, { awaited: ["c"], absent: ["c"], settled: false }],
  ];
  for (const [expected, changes, ofB] of cases) {
    const texts = troubles(changes, ofB);
    assert.equal(texts.length, 1, texts.join(" | "));
    assert.match(texts[0] as string, expected);
  }
});

test("that nobody owns anything comes first, and is all that is said of what it costs", () => {
  const members = [memberStatus("a", { weight: 0, state: "waiting" })];
  const texts = troublesOf(clusterStatus(members, { absent: ["b"] }));
  assert.deepEqual(texts, [
    "Nothing is served: no node here owns keys. Start one with a weight above 0.",
    "Not in the cluster: b, by a's cluster.json. It joins by itself once started; if it runs, its log and /readyz say what it waits for.",
  ]);
});

test("nobody is said to take over where more than half can't be reached", () => {
  const away = { state: "unreachable" } as const;
  const [a, b, c] = [memberStatus("a"), memberStatus("b", away), memberStatus("c", away)];
  const router = memberStatus("r", { weight: 0 });
  assert.match(
    troublesOf(clusterStatus([a, b, c, router]))[0] as string,
    /: b, c\. These are more than half.*weir forget ID --force/,
  );
  assert.match(troublesOf(clusterStatus([a, b, router]))[0] as string, /: b\. If it stays so, the others take over/);
});
