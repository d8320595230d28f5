/** What `weir status` says of a cluster, above all whether a node may be stopped. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatDuration, formatTable } from "../../src/cli/format.ts";
import { statusLines, stopAdvice } from "../../src/cli/status.ts";
import type { ClusterStatus, MemberStatus } from "../../src/core/operation.ts";
import { noFigures } from "../../src/member/report.ts";

function member(id: string, changes: Partial<MemberStatus> = {}): MemberStatus {
  return {
    id,
    url: `http://127.0.0.1:707${id.charCodeAt(0) % 10}`,
    zone: undefined,
    weight: 1,
    share: 0.5,
    state: "serving",
    ...noFigures,
    journaled: true,
    ...changes,
  };
}

function cluster(members: readonly MemberStatus[], changes: Partial<ClusterStatus> = {}): ClusterStatus {
  const view = { cluster: "photos", self: "a", epoch: 7, settled: true, leaseMs: 812, awaited: [] };
  return { ...view, store: "s3://photos", members, ...changes };
}

test("a settled cluster of serving nodes lets one be stopped, and says what that costs", () => {
  assert.match(stopAdvice(cluster([member("a"), member("b")])), /^Yes, one at a time: it hands over what it holds/);
});

test("a cluster with a node out of reach does not let another be stopped", () => {
  const status = cluster([member("a"), member("b", { state: "unreachable" })]);
  assert.match(stopAdvice(status), /^No: b can't be reached/);
});

test("a cluster that is still handing over asks to wait before a node is stopped", () => {
  assert.match(stopAdvice(cluster([member("a"), member("b")], { settled: false })), /^Not now/);
  assert.match(stopAdvice(cluster([member("a"), member("b", { state: "waiting" })])), /^Not now/);
});

test("an only node may be stopped when all that it has is in the store", () => {
  assert.match(stopAdvice(cluster([member("a")])), /^Yes: everything is in the store/);
  assert.match(stopAdvice(cluster([member("a", { dirtyBytes: 2_048 })])), /^No: .*2\.0 KiB are not in the store/);
});

test("keys that fail to reach the store are named in the advice on stopping", () => {
  assert.match(
    stopAdvice(cluster([member("a", { failingKeys: 2 }), member("b")])),
    /But 2 keys fail to reach the store/,
  );
});

test("the status table has a row for each node under its columns", () => {
  const lines = statusLines(
    cluster([member("a", { dirtyBytes: 1_500_000, dirtyKeys: 3, oldestDirtyMs: 1_500 }), member("b")]),
  );
  assert.match(lines[0] ?? "", /^photos over s3:\/\/photos, as a sees it: view 7, settled, lease for 812 ms$/);
  assert.match(lines[3] ?? "", /^a {5}serving {2}50\.0 % +1\.4 MiB +3 +1\.5 s/);
});

test("a node without a lease, and one that needs none, are told apart from one that has one", () => {
  const first = (leaseMs: number): string => statusLines(cluster([member("a")], { leaseMs }))[0] ?? "";
  assert.match(first(0), /no lease: a may not answer now$/);
  assert.match(first(2 ** 31), /no lease needed$/);
});

test("keys in doubt are told with the nodes that would end it, and no node may be stopped", () => {
  const status = cluster([member("a"), member("b")], { awaited: ["c", "d"] });
  assert.match(statusLines(status).join(" "), /In doubt: .* on c, d only.*Start them again.*weir forget ID/);
  assert.match(stopAdvice(status), /^No: c, d may have the only copies/);
  assert.doesNotMatch(statusLines(cluster([member("a")])).join(), /In doubt/);
});

test("figures are formatted with three digits at most and their unit", () => {
  assert.deepEqual([0, 999, 1_024, 10_240, 1_048_064, 5 * 1024 ** 4].map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 KiB",
    "10 KiB",
    "1.0 MiB",
    "5.0 TiB",
  ]);
  assert.deepEqual([0, 999, 1_500, 90_000, 7_200_000].map(formatDuration), [
    "0 ms",
    "999 ms",
    "1.5 s",
    "2 min",
    "2.0 h",
  ]);
});

test("a table aligns words to the left and figures to the right", () => {
  assert.deepEqual(
    formatTable(
      [
        ["node", "keys"],
        ["a", "12"],
      ],
      [1],
    ),
    ["node  keys", "a       12"],
  );
});
