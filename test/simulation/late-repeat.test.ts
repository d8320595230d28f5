/** A write is asked for again when another primary has taken over with a later one in its place (W15). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOwned } from "../harness/view-fixtures.ts";
import { putOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";
import { type Asked, StagedCluster } from "./staged-cluster.ts";

describe("a repeat of a write in whose place a later one is pending", () => {
  it("is not answered before every owner has that one", async () => {
    const cluster = new StagedCluster(["a", "b", "c", "d", "e"], { hasDisks: true });
    const { world, network, hosts } = cluster;
    const [a, b, c, d, e] = hosts as [SimHost, SimHost, SimHost, SimHost, SimHost];
    const key = keyOwned({ abcde: /^ba$/, acde: /^ac$/ });
    await world.run(10_000);
    cluster.write(b, key, "before");
    await world.run(16_000);
    assert.equal(cluster.store.peek(key)?.body.toString(), "before");
    // What b assigns is on a's disk alone; what is being written when the own one gets stuck is something else.
    b.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs: 60_000 });
    cluster.write(b, keyOwned({ abcde: /^bd$/ }));
    await world.run(world.now + 20);
    const put = (host: SimHost, text: string): Asked<unknown> =>
      cluster.ask(host, (member) => member.operations.write(putOf(key, Buffer.from(text))));
    const first = put(d, "first");
    await world.run(world.now + 20);
    const second = put(e, "second");
    await world.run(world.now + 60);
    b.crash("power");
    b.folder.setFaults(healthyDisk);
    // a takes over, and cannot hand the key to c.
    const mend = network.choke("a", "c");
    await world.run(world.now + 5_000);
    assert.equal(a.member?.servesNow?.(key), true);
    assert.deepEqual([first.answer, second.answer], [undefined, undefined]);
    mend();
    await world.run(world.now + 5_000);
    assert(first.answer !== undefined && second.answer !== undefined);
    for (const host of [a, c]) assert.equal(await cluster.read(host, key), "second", host.id);
  });
});
