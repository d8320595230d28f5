/** What `weir status` says of a cluster, above all whether a node may be stopped. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatDuration } from "../../../../src/base/quantity-text.ts";
import { statusLines } from "../../../../src/cli/commands/status.ts";
import { formatTable } from "../../../../src/cli/process/format.ts";
import { outputWidth, type Terminal } from "../../../../src/cli/process/terminal.ts";
import { clusterStatus, memberStatus } from "../../../harness/status-fixtures.ts";

test("keys that fail are named with their node and the store's reason, and so are writers that wait", () => {
  const common = { key: "k", version: { epoch: 1, seq: 2 }, isDelete: false, ageMs: 61_000 } as const;
  const failing = [{ ...common, size: 2_048, code: "store_refused", reason: "AccessDenied" } as const];
  const text = statusLines(
    clusterStatus([memberStatus("a", { failingKeys: 3, failing, slowing: true }), memberStatus("b")]),
  ).join("\n");
  assert.match(text, /^Failing at a: "k" \(2\.0 KiB, for 1 min\): AccessDenied \(store_refused\)$/m);
  assert.match(text, /^Failing at a: 2 more$/m);
  assert.match(text, /^Writers wait at a: /m);
  assert.doesNotMatch(statusLines(clusterStatus([memberStatus("a")])).join(), /Failing|Writers/);
});

test("nodes that may be stopped alike are told of together, and what a kill means beside it", () => {
  const same = { verdict: "yes", inOrder: "It hands over.", killed: "Nothing is lost." } as const;
  const lines = statusLines(
    clusterStatus([
      memberStatus("a", { stop: same }),
      memberStatus("b", { stop: same }),
      memberStatus("c", { stop: { ...same, verdict: "no", inOrder: "The store is away." } }),
    ]),
  );
  assert.deepEqual(lines.slice(-4), [
    "a, b: yes. It hands over.",
    "  If it is killed: Nothing is lost.",
    "c: no. The store is away.",
    "  If it is killed: Nothing is lost.",
  ]);
  assert.match(statusLines(clusterStatus([])).at(-1) ?? "", /No: this node has not joined/);
});

test("the status table has a row for each node under its columns", () => {
  const lines = statusLines(
    clusterStatus([
      memberStatus("a", { dirtyBytes: 1_500_000, dirtyKeys: 3, oldestDirtyMs: 1_500 }),
      memberStatus("b"),
    ]),
  );
  assert.match(lines[0] ?? "", /^photos over s3:\/\/photos, as a sees it: view 7, settled, lease for 812 ms$/);
  assert.match(lines[3] ?? "", /^a {5}serving {2}50\.0 % +1\.4 MiB +3 +1\.5 s/);
});

test("a node without a lease, and one that needs none, are told apart from one that has one", () => {
  const first = (leaseMs: number): string => statusLines(clusterStatus([memberStatus("a")], { leaseMs }))[0] ?? "";
  assert.match(first(0), /no lease: a may not answer now$/);
  assert.match(first(2 ** 31), /no lease needed$/);
});

test("keys in doubt are told with the nodes that would end it, and no node may be stopped", () => {
  const status = clusterStatus([memberStatus("a"), memberStatus("b")], { awaited: ["c", "d"] });
  assert.match(statusLines(status).join(" "), /In doubt: .* on c, d only.*Start them again.*weir forget ID/);
  assert.doesNotMatch(statusLines(clusterStatus([memberStatus("a")])).join(), /In doubt/);
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

test("on a narrow terminal the table is cut, sentences are broken, and a long key is shortened in its middle", () => {
  const key = `photos/${"n".repeat(1_000)}.png`;
  const failing = { key, version: { epoch: 1, seq: 2 }, size: 1, isDelete: false, ageMs: 1, code: "c", reason: "no" };
  const members = [memberStatus("a", { failingKeys: 1, failing: [{ ...failing, code: "store_refused" }] })];
  const lines = statusLines(clusterStatus(members, { awaited: ["c", "d"] }), 60);
  for (const line of lines) assert.ok(line.length <= 60, line);
  assert.match(lines.join("\n"), /"photos\/n+…n+\.png"/);
  assert.match(lines.join("\n"), /^a {5}serving .*…$/m);
  const whole = statusLines(clusterStatus(members, { awaited: ["c", "d"] })).join("\n");
  assert.ok(whole.includes(key));
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => !/["…]|^http/.test(word));
  assert.deepEqual(words(lines.filter((line) => !line.endsWith("…")).join(" ")).at(-1), words(whole).at(-1));
});

test("only a terminal has a width that output is fitted into", () => {
  const stream = (isTTY: boolean, columns?: number): Terminal =>
    ({ stdout: { isTTY, ...(columns !== undefined && { columns }) } }) as unknown as Terminal;
  assert.deepEqual([stream(true, 80), stream(true, 0), stream(true), stream(false, 80)].map(outputWidth), [
    80,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);
});
