/**
 * A node that is stopped while a load balancer sends it requests over kept connections: it says that it is not ready, still serves for as long as the balancer takes to
 * see that, and then ends connections with their answers. No request fails.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { BalancedClients } from "../support/balanced-clients.ts";
import { TestCluster } from "../support/cluster.ts";

test("a node stopped under load behind a balancer that looks at /readyz: no request fails, with each node in turn", async () => {
  await using cluster = await TestCluster.start({ config: { http: { drainMs: 1_000 } } });
  await using clients = new BalancedClients(cluster);
  for (const id of cluster.ids) {
    await sleep(systemClock, 500);
    const before = clients.answered.get(id) ?? 0;
    const stopped = cluster.process(id).stop(20_000);
    await sleep(systemClock, 300);
    const own = await cluster.http.request(cluster.url(id), "GET", "/readyz");
    assert.deepEqual([own.status, own.code], [503, "not_ready"]);
    assert.equal((await cluster.put(id, "own", id)).status, 204, "it still serves");
    assert.equal((await stopped).code, 0);
    assert.ok((clients.answered.get(id) ?? 0) > before);
    cluster.restart(id);
    await cluster.untilReady();
  }
  await clients.stop();
  clients.assertServed("all stops");
});
