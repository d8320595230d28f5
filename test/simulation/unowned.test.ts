/**
 * Views in which nobody owns anything: whoever comes next serves soon, and whoever is there can leave, but what a
 * member may hold waits for an owner (V30, V49).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { forgetting } from "../../src/cli/commands/forgetting.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { formatView, parseView, type View, viewName } from "../../src/core/view.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

/**
 * Shorter than a new member waits for a view that does not settle; longer than a start, the loss of a member and a view
 * change.
 */
const soonMs = 8_000;

const viewIn = ({ store }: StagedCluster): View => parseView((store.peek(viewName) as { body: Buffer }).body);

/** The only owner `a` has left in order; `r`, which owns nothing, has stayed. */
async function leftAlone(
  ids: readonly string[],
  replicas: number,
  meanwhile: (hosts: SimHost[]) => void,
): Promise<StagedCluster> {
  const cluster = new StagedCluster(ids, { hasDisks: true, replicas });
  const { world, hosts } = cluster;
  const [a, r] = hosts as [SimHost, SimHost];
  r.weight = 0;
  await world.run(8_000);
  meanwhile([...hosts]);
  await world.run(14_000);
  a.stop(() => undefined);
  await world.run(20_000);
  const { members, settled } = viewIn(cluster);
  assert.deepEqual([members.map(({ id }) => id), settled], [["r"], true]);
  return cluster;
}

describe("a view in which nobody owns anything", () => {
  const events: readonly (readonly [string, (cluster: StagedCluster) => void])[] = [
    ["nothing happens", () => undefined],
    [
      "the member of weight 0 is started again",
      ({ hosts }) => {
        hosts[1]?.crash();
        hosts[1]?.start();
      },
    ],
    [
      "an operator gives up what is in doubt",
      (cluster) => {
        const plan = forgetting(viewIn(cluster), "x", false, "an operator");
        assert.equal(plan.kind, "possible");
        if (plan.kind !== "possible") return;
        const tag = cluster.store.peek(viewName)?.tag as string;
        cluster.store.write(viewName, { body: formatView(plan.next), headers: noHeaders }, { kind: "unchanged", tag });
      },
    ],
  ];
  for (const [what, event] of events) {
    it(`lets an owner in soon, and its members out, also while keys are in doubt, when ${what}`, async () => {
      for (const then of ["start", "stop"] as const) {
        const cluster = await leftAlone(["a", "r", "x"], 1, ([, , x]) => x?.crash());
        const { world, hosts } = cluster;
        const [a, r] = hosts as [SimHost, SimHost];
        assert.equal(viewIn(cluster).lost.length, 1, "x is gone with what only it had");
        event(cluster);
        await world.run(25_000);
        let isDone = false;
        if (then === "start") a.start();
        else r.stop(() => (isDone = true));
        await world.run(world.now + soonMs, () => isDone || (then === "start" && a.ready));
        assert.ok(isDone || a.ready, then);
      }
    });
  }

  it("lets an owner in soon when its only member died just after it was started again", async () => {
    const cluster = await leftAlone(["a", "r"], 2, () => undefined);
    const { world, hosts } = cluster;
    const [a, r] = hosts as [SimHost, SimHost];
    const { epoch } = viewIn(cluster);
    r.crash();
    r.start();
    await world.run(world.now + soonMs, () => viewIn(cluster).epoch > epoch);
    r.crash();
    assert.equal(viewIn(cluster).settled, false);
    a.start();
    await world.run(world.now + soonMs, () => a.ready);
    assert.ok(a.ready);
  });
});
