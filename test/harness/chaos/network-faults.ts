/**
 * Faults of the network between nodes, and between a node and the store: cut for all, for some, one way, or merely bad.
 * Each end may still be well by itself.
 */

import { type Fault, type FaultMaker, hold, type Scene } from "./fault.ts";
import type { LinkEffect } from "./link-rules.ts";
import { hostEnd, type LinkRule } from "./network.ts";

interface Cut {
  readonly name: string;
  readonly hit: readonly string[];
  readonly lost?: string;
  readonly rules: readonly LinkRule[];
  readonly isStoreAway?: boolean;
}

/** Cut for some seconds; some cuts come and go meanwhile. */
export const partition: FaultMaker = (scene) => {
  const { network, random } = scene;
  if (network === undefined) return undefined;
  const cut = drawCut(scene);
  const isFlapping = random.chance(0.2);
  return {
    kind: "partition",
    name: isFlapping ? `${cut.name}, flapping` : cut.name,
    ...(cut.lost !== undefined && !isFlapping && { lost: cut.lost }),
    async act() {
      scene.begin({ hit: cut.hit, isStoreAway: cut.isStoreAway ?? false });
      for (let round = isFlapping ? 3 : 0; round > 0; round--) {
        await network.shape(cut.rules);
        await hold(random, 200, 2_000);
        await network.shape([]);
        await hold(random, 100, 1_000);
      }
      await network.shape(cut.rules);
      await hold(random, 2_000, 7_000);
      for (const id of cut.hit) scene.askAll(id);
      await hold(random, 0, 500);
      await network.shape([]);
      await scene.settle();
    },
  };
};

/** All that one node sends and receives is slow, or gets lost in part. */
export const links: FaultMaker = (scene): Fault | undefined => {
  const { network, random, cluster } = scene;
  if (network === undefined) return undefined;
  const id = random.pick(cluster.members);
  const effect = random.pick(["slow", "lossy"] as const);
  return {
    kind: "links",
    name: `the links of ${id} are ${effect}`,
    async act() {
      // Of two, either may take the other for lost.
      scene.begin({ hit: cluster.members.length === 2 ? cluster.members : [id] });
      await network.shape([...both(id, others(scene, id), effect)]);
      await hold(random, 4_000, 8_000);
      await network.shape([]);
      await scene.settle();
    },
  };
};

function drawCut(scene: Scene): Cut {
  const { cluster, random } = scene;
  const ids = cluster.members;
  const [one, other] = random.shuffle(ids) as [string, string];
  const rest = others(scene, one);
  // Of two that only miss each other, either may go on without the other.
  const apart = ids.length === 2 ? { hit: ids } : { hit: [one], lost: one };
  const cuts: Cut[] = [
    { ...apart, name: `${one} without peers`, rules: both(one, rest, "cut") },
    {
      name: `${one} without peers and store`,
      hit: [one],
      lost: one,
      rules: [...both(one, rest, "cut"), ...fromStore(one)],
    },
    {
      name: `${one} without peers, store and clients`,
      hit: [one],
      lost: one,
      rules: both(one, [...rest, hostEnd], "cut"),
    },
    { ...apart, name: `${one} unheard by its peers`, rules: oneWay([one], rest, "cut") },
    { ...apart, name: `${one} deaf to its peers`, rules: oneWay(rest, [one], "cut") },
    { name: `${one} without the store`, hit: [one], rules: fromStore(one), isStoreAway: true },
  ];
  if (ids.length >= 3) {
    cuts.push(
      { name: `${one} and ${other} apart`, hit: [one, other], rules: both(one, [other], "cut") },
      { name: `${one} unheard by ${other}`, hit: [one, other], rules: oneWay([one], [other], "cut") },
      { name: "every node alone", hit: ids, rules: ids.flatMap((id) => oneWay([id], others(scene, id), "cut")) },
    );
  }
  if (ids.length >= 4) {
    const part = random.shuffle(ids).slice(0, Math.floor(ids.length / 2));
    const remains = ids.filter((id) => !part.includes(id));
    const rules = [...oneWay(part, remains, "cut"), ...oneWay(remains, part, "cut")];
    const hit = part.length === remains.length ? ids : part;
    cuts.push({ name: `${part.join(" and ")} apart from the rest`, hit, rules });
  }
  return random.pick(cuts);
}

function others({ cluster }: Scene, id: string): readonly string[] {
  return cluster.members.filter((each) => each !== id);
}

function oneWay(from: readonly string[], to: readonly string[], effect: LinkEffect): LinkRule[] {
  return from.flatMap((sender) => to.map((receiver) => ({ from: sender, to: receiver, effect })));
}

function both(id: string, ends: readonly string[], effect: LinkEffect): LinkRule[] {
  return [...oneWay([id], ends, effect), ...oneWay(ends, [id], effect)];
}

function fromStore(id: string): LinkRule[] {
  return both(id, [hostEnd], "cut").map((rule) => ({ ...rule, storeOnly: true }));
}
