/**
 * Faults of the store, alone and together with the loss of a node; and one long outage under a flood, until buffers are
 * full.
 */

import { type FaultMaker, hold } from "./fault.ts";
import { killAll, startAll } from "./process-faults.ts";

/** Away, slow or failing for some seconds. */
export const store: FaultMaker = (scene) => {
  const trouble = scene.random.pick(scene.store.troubles);
  return {
    kind: "store",
    name: `the store is ${trouble}`,
    async act() {
      scene.begin({ isStoreAway: true });
      await scene.store.begin(trouble);
      await hold(scene.random, 3_000, 12_000);
      await scene.store.heal();
      await scene.settle();
    },
  };
};

/**
 * A node is killed while the store is away, or all are: no view can be agreed on until the store or the node is back.
 */
export const both: FaultMaker = (scene) => {
  const { cluster, random } = scene;
  const trouble = random.pick(scene.store.troubles);
  const ids = random.chance(0.3) ? cluster.members : [random.pick(cluster.members)];
  const isBackFirst = random.chance(0.5);
  return {
    kind: "both",
    name: `the store is ${trouble}, kill -9 ${ids.join(" ")}${isBackFirst ? ", back first" : ""}`,
    async act() {
      scene.begin({ isStoreAway: true, hit: ids });
      await scene.store.begin(trouble);
      await hold(random, 0, 2_000);
      await killAll(scene, ids);
      await hold(random, 500, 4_000);
      if (isBackFirst) await startAll(scene, 0);
      else await scene.store.heal();
      await hold(random, 500, 4_000);
      if (isBackFirst) await scene.store.heal();
      else await startAll(scene, 0);
      await scene.settle();
    },
  };
};

/**
 * A store that keeps requests, and does them later: one of its gateways is frozen, or its disk is stuck. A node that
 * has sent some is killed, or suspended, or neither.
 */
export const late: FaultMaker = (scene) => {
  const { cluster, random } = scene;
  if (!scene.store.troubles.includes("frozen")) return undefined;
  // With a stuck disk no view can change before it goes on.
  const trouble = random.chance(0.7) ? "frozen" : "stuck";
  const id = random.pick(cluster.members);
  const loss = random.pick(["kill -9", "SIGSTOP", "nothing to"] as const);
  return {
    kind: "late",
    name: `the store is ${trouble}, ${loss} ${id}`,
    async act() {
      scene.begin({ isStoreAway: true, hit: loss === "nothing to" ? [] : [id] });
      await scene.store.begin(trouble);
      // Some answers are given up by then.
      await hold(random, 0, 5_000);
      if (loss === "kill -9") await cluster.node(id).kill();
      else if (loss === "SIGSTOP") cluster.node(id).pause();
      await hold(random, 4_000, 8_000);
      await scene.store.heal();
      await hold(random, 0, 2_000);
      if (loss === "kill -9") cluster.node(id).start();
      else if (loss === "SIGSTOP") cluster.node(id).resume();
      await scene.settle();
    },
  };
};
