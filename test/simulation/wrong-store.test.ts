/**
 * A host that is started over another store than before (a prefix that was mistyped, a file system that is not mounted
 * yet) must not forget what its journal has (V25).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noHeaders } from "../../src/core/entry.ts";
import { formatView, viewName } from "../../src/core/view.ts";
import { firstView, leftView, settledView } from "../../src/core/view-changes.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import { memberOf, parameters } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const always = { kind: "always" } as const;

/** Hosts that have lost power with a value that the store lacks; and the view that their store has. */
async function afterPowerLoss(): Promise<{ cluster: StagedCluster; view: Blob }> {
  const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true, delayMs: 60_000 });
  const { world, store, hosts } = cluster;
  const [a] = hosts as [SimHost, SimHost];
  await world.run(10_000);
  const asked = cluster.ask(a, (member) => member.operations.write(putOf("k", Buffer.from("v"))));
  await world.run(world.now + 1_000);
  assert.equal(asked.answer?.kind, "written");
  assert.equal(store.peek("k"), undefined);
  for (const host of hosts) host.crash("power");
  return { cluster, view: store.peek(viewName) as Blob };
}

describe("a host that is started over another store", () => {
  const founded = settledView(firstView(memberOf("z"), parameters, "p"), { lost: [], forgotten: [] }, "q");
  const others: readonly (readonly [string, Buffer | undefined])[] = [
    ["where there is no cluster yet", undefined],
    ["where a younger cluster has been", formatView(leftView(founded, "z", "r"))],
  ];
  for (const [where, view] of others) {
    it(`${where} waits, and has everything once it is over its own`, async () => {
      const { cluster, view: own } = await afterPowerLoss();
      const { world, store, hosts } = cluster;
      if (view) store.write(viewName, { body: view, headers: noHeaders }, always);
      else store.remove(viewName, always);
      for (const host of hosts) host.start();
      await world.run(world.now + 60_000);
      for (const host of hosts) host.crash("power");
      store.write(viewName, { body: own.body, headers: noHeaders }, always);
      for (const host of hosts) host.start();
      await world.run(world.now + 60_000);
      assert.equal(await cluster.read(hosts[0] as SimHost, "k"), "v");
    });
  }
});
