/** How long it takes to find a key's owners: its hash, and its place on the ring of a small and of a large cluster. */

import { Ring } from "../../../src/core/ring.ts";
import { systemClock } from "../../../src/system.ts";
import { median, type Row } from "./report.ts";
import { type Settings, scaled } from "./rounds.ts";

const passes = 50;

export function measureRouting(settings: Settings): Row[] {
  const { rounds } = settings;
  const keyCount = scaled(10_000, settings);
  // From concatenation, as requests make them: the engine has to flatten such a string before it can be read.
  const makeKeys = (): string[] => Array.from({ length: keyCount }, (_, i) => `photos/2024/holiday/picture-${i}.jpg`);
  return [3, 50].map((members) => {
    const ring = new Ring(
      Array.from({ length: members }, (_, i) => ({ id: `node-${i}`, weight: 1 })),
      2,
    );
    const nanoseconds: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      let owners = 0;
      let ms = 0;
      for (let pass = 0; pass < passes; pass++) {
        const keys = makeKeys();
        const startedAt = systemClock.now();
        for (const key of keys) owners += ring.ownersOf(key).length;
        ms += systemClock.now() - startedAt;
      }
      if (owners !== 2 * passes * keyCount) throw new Error("a key has two owners");
      if (round > 0) nanoseconds.push((ms * 1_000_000) / (passes * keyCount));
    }
    return {
      what: `routing one key of 35 characters among ${members} members`,
      weir: `${Math.round(median(nanoseconds))} ns`,
      against: "",
      figure: median(nanoseconds) / 1_000,
      digits: 2,
      unit: " µs",
      target: { most: 1 },
    };
  });
}
