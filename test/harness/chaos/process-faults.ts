/**
 * Faults of processes: killed, suspended, started again with their data or without, one or all of them, in order or
 * not.
 */

import { type FaultMaker, hold, type Scene } from "./fault.ts";

/** Killed, missed for long enough to be dropped, and back with its data. */
export const kill: FaultMaker = ({ cluster, random }) => {
  const id = random.pick(cluster.members);
  return {
    kind: "kill",
    name: `kill -9 ${id}`,
    lost: id,
    async act(scene) {
      scene.begin({ hit: [id] });
      await cluster.node(id).kill();
      await hold(random, 3_500, 6_000);
      cluster.node(id).start();
      await scene.settle();
    },
  };
};

/** Killed and started again at once, as a supervisor does. */
export const restart: FaultMaker = ({ cluster, random }) => {
  const id = random.pick(cluster.members);
  return {
    kind: "restart",
    name: `kill -9 ${id}, restart`,
    async act(scene) {
      scene.begin({ hit: [id] });
      await cluster.node(id).kill();
      await hold(random, 0, 500);
      cluster.node(id).start();
      await scene.settle();
    },
  };
};

/** Its disk is lost, alone or in a loss of power of all: at most one may be until all has settled again. */
export const wipe: FaultMaker = ({ cluster, random }) => {
  const id = random.pick(cluster.members);
  const ids = random.chance(0.4) ? cluster.members : [id];
  return {
    kind: "wipe",
    name: `kill -9 ${ids.length > 1 ? "of all" : id}, ${id} restarted without its data`,
    async act(scene) {
      scene.begin({ hit: ids });
      await killAll(scene, ids);
      cluster.node(id).wipe();
      await hold(random, 0, random.chance(0.5) ? 500 : 5_000);
      await startAll(scene, random.pick([0, 2_000]));
      await scene.settle();
    },
  };
};

/**
 * Suspended: for so short that nobody drops it, or for longer than any lease; now and then all at once, as the hosts of
 * a failing hypervisor.
 */
export const pause: FaultMaker = ({ cluster, random }) => {
  const one = random.pick(cluster.members);
  const ids = random.chance(0.2) ? random.shuffle(cluster.members) : [one];
  const isShort = random.chance(0.3);
  return {
    kind: "pause",
    name: `SIGSTOP ${ids.join(" ")} ${isShort ? "briefly" : "for long"}`,
    ...(!isShort && ids.length === 1 && { lost: one }),
    async act(scene) {
      scene.begin({ hit: ids });
      for (const id of ids) cluster.node(id).pause();
      await hold(random, isShort ? 100 : 1_200, isShort ? 900 : 6_000);
      for (const id of ids) scene.askAll(id);
      await hold(random, 0, 300);
      for (const id of ids) {
        cluster.node(id).resume();
        if (ids.length > 1) await hold(random, 0, 1_500);
      }
      // Its answers of these moments are the ones that would be stale.
      await hold(random, 500, 1_000);
      await scene.settle();
    },
  };
};

/** All at once, and again while they come back, now and then. */
export const power: FaultMaker = ({ cluster, random }) => {
  const isTwice = random.chance(0.3);
  return {
    kind: "power",
    name: `kill -9 of all${isTwice ? ", twice" : ""}`,
    async act(scene) {
      const ids = cluster.members;
      scene.begin({ hit: ids });
      await killAll(scene, ids);
      if (isTwice) {
        await startAll(scene, 300);
        await hold(random, 200, 2_000);
        await killAll(scene, ids);
      }
      await startAll(scene, random.pick([0, 300, 3_000]));
      await scene.settle();
    },
  };
};

/** All at once. */
export async function killAll({ cluster }: Scene, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map(async (id) => await cluster.node(id).kill()));
}

/** Starts what does not run, in any order, each within `withinMs`. */
export async function startAll({ cluster, random }: Scene, withinMs: number): Promise<void> {
  await Promise.all(
    cluster.members.map(async (id) => {
      await hold(random, 0, withinMs);
      if (!cluster.node(id).isRunning) cluster.node(id).start();
    }),
  );
}

/** Some seconds of kills and pauses wherever they fall, with no regard to what is still recovering. */
export const storm: FaultMaker = ({ cluster, random }) => {
  const blows = random.whole(3, 7);
  return {
    kind: "storm",
    name: `${blows} kills and pauses`,
    async act(scene) {
      scene.begin({ hit: cluster.members });
      for (let blow = 0; blow < blows; blow++) {
        const node = cluster.node(random.pick(cluster.members));
        if (!node.isRunning) node.start();
        else if (random.chance(0.5)) await node.kill();
        else {
          node.pause();
          await hold(random, 100, 2_000);
          node.resume();
        }
        await hold(random, 0, 1_500);
      }
      await startAll(scene, 500);
      await scene.settle();
    },
  };
};
