/**
 * Changes of who is a member, as operators make them: restarts in order, growing and shrinking; now and then something
 * is killed in the middle of it.
 */

import { assert } from "../../../src/base/assert.ts";
import { type Fault, type FaultMaker, hold, type Scene } from "./fault.ts";

/** Part of the growths that are disturbed, and of the steps in them. */
const disturbedShare = 0.4;
const blowShare = 0.5;

/** Each is stopped in order and started again, the next when all is settled, as an upgrade goes. */
export const roll: FaultMaker = ({ cluster, random }) => ({
  kind: "roll",
  name: "rolling restart",
  async act(scene) {
    for (const id of random.shuffle(cluster.members)) {
      scene.begin({ hit: [id] });
      // The load balancer takes it out first.
      await hold(random, 100, 100);
      await cluster.stopInOrder(id);
      cluster.node(id).start();
      await scene.settle();
    }
  },
});

/** Grows by all spare nodes, and shrinks again by whichever, one after the other. */
export const grow: FaultMaker = ({ cluster, random }): Fault | undefined => {
  const least = cluster.members.length;
  const most = least + cluster.spare.length;
  if (most === least) return undefined;
  const isDisturbed = random.chance(disturbedShare);
  return {
    kind: "grow",
    name: `${least} to ${most} nodes and back${isDisturbed ? ", with kills" : ""}`,
    async act(scene) {
      for (const id of random.shuffle(cluster.spare)) {
        scene.begin({ hit: [id] });
        cluster.add(id);
        if (isDisturbed && random.chance(blowShare)) await blow(scene, random.pick(cluster.members));
        await scene.settle();
      }
      assert(cluster.members.length === most, "all spare nodes are in");
      while (cluster.members.length > least) await shrink(scene, random.pick(cluster.members), isDisturbed);
    },
  };
};

/** One leaves. Disturbed, it is killed while it does, comes back, and leaves then. */
async function shrink(scene: Scene, id: string, isDisturbed: boolean): Promise<void> {
  const { cluster, random } = scene;
  scene.begin({ hit: [id] });
  await hold(random, 100, 100);
  if (isDisturbed && random.chance(blowShare)) {
    await cluster.node(id).stop(random.between(0, 2_000));
    cluster.node(id).start();
    await scene.settle();
    scene.begin({ hit: [id] });
  }
  await cluster.remove(id);
  await scene.settle();
}

/** Kills a node wherever the others just are, and starts it again. */
async function blow(scene: Scene, id: string): Promise<void> {
  const { cluster, random } = scene;
  await hold(random, 0, 1_500);
  scene.begin({ hit: [id] });
  await cluster.node(id).kill();
  await hold(random, 0, 2_000);
  cluster.node(id).start();
}
