/** The dashboard's page: what it draws of what was seen, and that nothing that comes from elsewhere is markup in it. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { Ring } from "../../../src/core/ring.ts";
import type { ClusterStatus } from "../../../src/core/status.ts";
import { drawChart } from "../../../src/ui/chart.ts";
import { Dashboard, pagePolicy } from "../../../src/ui/dashboard.ts";
import { History, maxSamples, sampleMs } from "../../../src/ui/history.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { clusterStatus, memberStatus } from "../../harness/status-fixtures.ts";

function pageOf(status: ClusterStatus): string {
  using dashboard = new Dashboard({ version: "1.2.3", status: () => status, clock: new ManualClock() });
  return dashboard.render();
}

/** The `d` of each path of this class. */
function pathsOf(page: string, kind: string): string[] {
  return [...page.matchAll(new RegExp(`<path class="${kind}" d="([^"]*)"`, "g"))].map(([, path]) => path as string);
}

test("names, addresses, keys and reasons from elsewhere are text in it, whatever they are", () => {
  const evil = `<img src=x onerror="alert(1)">'&`;
  const failing = [
    {
      key: evil,
      version: { epoch: 1, seq: 1 },
      size: 1,
      isDelete: false,
      ageMs: 1,
      code: "store_refused",
      reason: evil,
    },
  ] as const;
  const member = memberStatus(evil, { url: `javascript:${evil}`, zone: evil, failingKeys: 1, failing });
  const page = pageOf(clusterStatus([member], { cluster: evil, store: evil, self: evil, absent: [evil] }));
  assert.ok(page.split("&#60;img src=x").length > 8, "it is there");
  assert.doesNotMatch(page, /<img|javascript:|onerror="/);
  assert.doesNotMatch(page.replace(/&#\d+;/g, ""), /&/);
});

test("its policy allows the style and the script that are in it, and no others", () => {
  const page = pageOf(clusterStatus([memberStatus("a")]));
  for (const [tag, directive] of [
    ["style", "style-src"],
    ["script", "script-src"],
  ] as const) {
    const found = [...page.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, "gs"))];
    assert.equal(found.length, 1);
    const source = hash("sha256", found[0]?.[1] as string, "base64");
    assert.ok(pagePolicy.includes(`${directive} 'sha256-${source}';`), `${directive} of ${pagePolicy}`);
  }
  assert.doesNotMatch(page, / style="| on\w+="/);
  assert.match(pagePolicy, /^default-src 'none';.*frame-ancestors 'none'/);
});

test("the ring has each node's arcs where it is the primary, and its share in one piece", () => {
  const ids = ["a", "b", "c"];
  const ring = new Ring(
    ids.map((id) => ({ id, weight: 1 })),
    2,
  );
  const members = ids.map((id) => memberStatus(id, { share: ring.share(id) }));
  const page = pageOf(clusterStatus(members));
  const ends = /^M([-\d.]+) ([-\d.]+)A\d+ \d+ 0 0 1 ([-\d.]+) ([-\d.]+)$/;
  const partOf = (x: string, y: string): number => (Math.atan2(Number(x), -Number(y)) / (2 * Math.PI) + 1) % 1;
  const drawn = pathsOf(page, "band").map((path) =>
    path.split(/(?=M)/).reduce((sum, each) => {
      const [, fromX, fromY, toX, toY] = ends.exec(each) as unknown as [string, string, string, string, string];
      const from = partOf(fromX, fromY);
      return sum + ((partOf(toX, toY) - from + 1.0001) % 1) - 0.0001;
    }, 0),
  );
  assert.equal(drawn.length, 3);
  for (const [index, id] of ids.entries()) {
    const error = Math.abs((drawn[index] as number) - ring.share(id));
    assert.ok(error < 0.05, `${id}: ${drawn[index]} drawn of ${ring.share(id)}`);
  }
  assert.ok(drawn.reduce((sum, each) => sum + each) > 0.99);
  assert.equal(pathsOf(page, "share").filter((path) => ends.test(path)).length, 3);
});

test("figures are sampled at regular times and drawn to scale, with a gap where a node was not reached", () => {
  const clock = new ManualClock();
  let dirtyBytes = 0;
  let isReached = true;
  const status = (): ClusterStatus =>
    clusterStatus([
      memberStatus("a", { dirtyBytes, oldestDirtyMs: 250, state: isReached ? "serving" : "unreachable" }),
    ]);
  using dashboard = new Dashboard({ version: "1", status, clock });
  for (const each of [4_096, 2_048]) {
    dirtyBytes = each;
    clock.advance(sampleMs);
  }
  isReached = false;
  clock.advance(sampleMs);
  isReached = true;
  clock.advance(sampleMs);
  const [bytes, age] = pathsOf(dashboard.render(), "line");
  // 600 wide and 150 high, of which 14 are for the upper label; a look is 4 wide.
  assert.equal(bytes, "M584.0 150.0L588.0 14.0L592.0 82.0M600.0 82.0");
  assert.equal(age, "M584.0 116.0L588.0 116.0L592.0 116.0M600.0 116.0");
  assert.match(dashboard.render(), />4\.0 KiB<.*>2\.0 KiB<.*>1\.0 s<.*>500 ms</s);
});

test("a line has a gap where nobody looked for a while, as when the host was suspended", () => {
  const members = new Map([["a", { dirtyBytes: 1, oldestDirtyMs: 0 }]]);
  const kind = { title: "t", figure: () => 1, format: String, scale: [1] };
  const commandsAfter = (gap: number): string => {
    const samples = [0, 1, 1 + gap].map((looks) => ({ at: looks * sampleMs, members }));
    const chart = drawChart(kind, samples, ["a"], (1 + gap) * sampleMs);
    return pathsOf(chart.text, "line")[0]?.replace(/[^ML]/g, "") ?? "";
  };
  assert.equal(commandsAfter(2), "MLL");
  assert.equal(commandsAfter(3), "MLM");
});

test("what is kept is bounded, and the latest change comes first", () => {
  const clock = new ManualClock();
  let looks = 0;
  const status = (): ClusterStatus => clusterStatus([memberStatus("a", { slowing: looks++ % 8 >= 4 })]);
  const history = new History(clock, status);
  for (let sample = 1; sample <= maxSamples + 10; sample++) clock.advance(sampleMs);
  assert.equal(history.samples.length, maxSamples);
  assert.equal(history.samples[0]?.at, 11 * sampleMs);
  assert.equal(history.changes.length, 50);
  assert.deepEqual(history.changes[0], { wallMs: clock.wallMs(), text: "Writers at a no longer wait." });
  history[Symbol.dispose]();
  assert.ok(clock.idle);
});

test("of what is seen in one look the last comes first, too", () => {
  const clock = new ManualClock();
  let seen = clusterStatus([memberStatus("a")]);
  using history = new History(clock, () => seen);
  seen = clusterStatus([memberStatus("a"), memberStatus("b")], { epoch: 8 });
  clock.advance(sampleMs);
  assert.deepEqual(
    history.changes.map(({ text }) => text),
    ["View 8 is settled: each key is with all its owners.", "b joined with view 8."],
  );
});

test("a node that is no member yet says so, and shows no nodes", () => {
  const page = pageOf(clusterStatus([], { epoch: 0, settled: false, absent: ["b"] }));
  assert.match(page, /a has not joined the cluster yet/);
  assert.match(page, /<title>photos: 1 to look at - weir<\/title>/);
  assert.doesNotMatch(page, /class="ring"|<table/);
});
