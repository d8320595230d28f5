/**
 * A primary has flushed a value and forgotten it. Before a replica hears that, the view changes, and the replica hands
 * the value back. The primary must not take it for a write of its own that the store lacks (F28).
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const key = "k";
const restartMs = 330;

it("what a replica hands back to its primary is looked at before it is sent: it may be in the store", async () => {
  const cluster = new StagedCluster(["a", "b", "c", "d"], { hasDisks: true });
  const { world, network, store, hosts } = cluster;
  await world.run(10_000);
  const primary = hosts.find(({ member }) => member?.servesNow?.(key) === true) as SimHost;
  let handedBack = 0;
  let isCut = false;
  network.watch((moment, kind, from, to) => {
    if (moment === "handled" && kind === "hand_off" && isCut && to.name.startsWith(`${primary.id}/`)) handedBack++;
    if (isCut || moment !== "sent" || kind !== "clean") return;
    isCut = true;
    const [sender, replica] = [from, to].map(({ name }) => name.split("/")[0] as string) as [string, string];
    world.schedule(0, () => {
      const heal = network.stall(sender, replica);
      const views = cluster.views.length;
      const healSoon = (): void => {
        if (cluster.views.length > views) world.schedule(restartMs, heal);
        else world.schedule(5, healSoon);
      };
      healSoon();
      void hosts.find(({ id }) => id !== sender && id !== replica)?.member?.stop();
    });
  });
  let sent = 0;
  cluster.intercept = (name) => {
    if (name === key) sent++;
    return undefined;
  };
  cluster.write(primary, key, "value");
  await world.run(world.now + 40_000);
  assert.ok(handedBack > 0, "it was handed back");
  assert.deepEqual([store.peek(key)?.body.toString(), sent], ["value", 1], "nothing is sent without a look");
});
