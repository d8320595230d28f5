/**
 * The comparison at the end, when nobody writes any more: each key has one state, which every node tells and the bucket
 * has.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { TestBucket } from "../bucket.ts";
import type { ChaosCluster } from "./chaos-cluster.ts";
import type { ChaosClients } from "./clients.ts";
import { nameOf } from "./contents.ts";

export interface FinalCheckParts {
  readonly cluster: ChaosCluster;
  readonly bucket: TestBucket;
  readonly clients: ChaosClients;
  readonly keys: readonly string[];
}

const atOnce = 12;
/** Milliseconds for the store to get the rest. */
const storedMs = 120_000;
/** A read that is refused is tried again for so often. */
const attempts = 40;
const againMs = 250;
const nothing = "nothing";

export class FinalCheck {
  readonly violations: string[] = [];
  readonly #parts: FinalCheckParts;

  constructor(parts: FinalCheckParts) {
    this.#parts = parts;
  }

  /** Returns the keys that are not alike everywhere. */
  async run(): Promise<readonly string[]> {
    const { cluster, keys } = this.#parts;
    if ((await cluster.untilStored(storedMs)) === undefined) {
      this.violations.push(`not everything was in the store ${storedMs} ms after the last write`);
    }
    const different: string[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let index = next++; index < keys.length; index = next++) {
          const key = keys[index] as string;
          if (!(await this.#isAlike(key))) different.push(key);
        }
      }),
    );
    return different;
  }

  async #isAlike(key: string): Promise<boolean> {
    const { cluster, bucket } = this.#parts;
    const told = new Map<string, string>();
    for (const id of cluster.members) told.set(id, await this.#read(id, key));
    const object = await bucket.get(key);
    const stored = object === undefined ? nothing : (nameOf(object.body) ?? `${object.body.length} unknown bytes`);
    told.set("the bucket", stored);
    if (new Set(told.values()).size === 1) return true;
    this.violations.push(`${key} in the end: ${[...told].map(([where, what]) => `${where} has ${what}`).join(", ")}`);
    return false;
  }

  async #read(id: string, key: string): Promise<string> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const outcome = await this.#parts.clients.read(id, key);
      if (outcome?.kind === "value") return outcome.value;
      if (outcome !== undefined) return nothing;
      await sleep(systemClock, againMs);
    }
    return "no answer";
  }
}
