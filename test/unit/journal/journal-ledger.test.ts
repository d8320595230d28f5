/** The ledger of a journal, against a model that looks everything up anew. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions, type Version } from "../../../src/core/version.ts";
import { Ledger } from "../../../src/journal/ledger.ts";
import { seedOf } from "../../harness/seed.ts";
import { SimRandom } from "../../harness/sim-random.ts";

test("the ledger says which segments are needed, how much counts, and which keys are in the oldest", (context) => {
  const random = new SimRandom(seedOf(context));
  for (let round = 0; round < 20; round += 1) {
    const ledger = new Ledger();
    const places = new Map<string, { version: Version; segment: number; bytes: number }>();
    const sizes = new Map<number, number>();
    const keys = random.pick([3, 100, 3_000]);
    const begin = (): void => {
      ledger.begin(ledger.newest + 1);
      sizes.set(ledger.newest, 0);
    };
    begin();
    for (let step = 0; step < 4_000; step += 1) {
      const key = `key-${random.whole(1, keys)}`;
      const version = { epoch: random.whole(1, 2), seq: random.whole(1, 50) };
      const before = places.get(key);
      const luck = random.next();
      if (luck < 0.6) {
        const bytes = random.whole(1, 1_000);
        ledger.hold(key, version, bytes);
        ledger.grow(bytes, 0);
        sizes.set(ledger.newest, (sizes.get(ledger.newest) ?? 0) + bytes);
        if (before === undefined || compareVersions(before.version, version) <= 0) {
          places.set(key, { version, segment: ledger.newest, bytes });
        }
      } else if (luck < 0.85) {
        const isHeld = before !== undefined && compareVersions(before.version, version) <= 0;
        assert.equal(ledger.isHeld(key, version), isHeld);
        assert.equal(ledger.isNewer(key, version), before !== undefined && !isHeld);
        if (isHeld) {
          ledger.drop(key);
          places.delete(key);
        }
      } else if (luck < 0.95) {
        const old = ledger.oldKey();
        if (old === undefined) assert.equal(ledger.oldest, ledger.newest);
        else assert.equal(places.get(old)?.segment, ledger.oldest);
        if (old !== undefined && random.chance(0.5)) {
          ledger.drop(old);
          places.delete(old);
        }
      } else begin();
      if (step % 50 > 0) continue;
      const live = [...places.values()];
      const oldest = Math.min(ledger.newest, ...live.map(({ segment }) => segment));
      assert.equal(ledger.oldest, oldest);
      assert.equal(ledger.keys, live.length);
      assert.equal(
        ledger.liveBytes,
        live.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      const needed = [...sizes].filter(([segment]) => segment >= oldest);
      assert.equal(
        ledger.bytes,
        needed.reduce((sum, [, bytes]) => sum + bytes, 0),
      );
    }
    for (const key of places.keys()) ledger.drop(key);
    assert.equal(ledger.keys, 0);
    assert.equal(ledger.oldest, ledger.newest);
    ledger.hold("again", { epoch: 1, seq: 1 }, 5);
    assert.equal(ledger.liveBytes, 5);
  }
});
