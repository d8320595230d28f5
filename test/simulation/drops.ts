/**
 * The operator of a store that refuses keys for good: gives up by name what is refused. To the clients' history that is
 * a write of what the store has, which only the store knows: it may be each of the contents that the object had while
 * the drop was under way; or later, where its outcome is unknown.
 */

import { hash } from "node:crypto";
import type { Blob } from "../../src/store/blob-store.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { FaultField } from "./fault-field.ts";
import { type Caller, type ClientWorld, perform } from "./sim-client.ts";

/** Between two looks of the operator, on average. */
const meanMs = 50;
/** How often a key is looked at that the store may take, or have taken by now. */
const strayShare = 0.1;

export class Drops {
  readonly #field: FaultField;
  readonly #clients: ClientWorld;
  readonly #pickCaller: () => Caller | undefined;
  readonly #random: SimRandom;
  /** What each drop that may still take effect may have found, by key. */
  readonly #open = new Map<string, Set<(string | undefined)[]>>();
  #stopped = false;
  #count = 0;

  constructor(field: FaultField, clients: ClientWorld, pickCaller: () => Caller | undefined) {
    this.#field = field;
    this.#clients = clients;
    this.#pickCaller = pickCaller;
    this.#random = field.world.random("operator");
  }

  start(): void {
    this.#field.world.schedule(this.#random.exponential(meanMs), () => {
      if (!this.#stopped) this.#drop(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The key's object is another one. */
  changed(key: string, blob: Blob | undefined): void {
    for (const values of this.#open.get(key) ?? []) values.push(this.#nameOf(blob));
  }

  #drop(then: () => void): void {
    const { store, plan } = this.#field;
    const random = this.#random;
    const key = random.pick(plan.keys);
    const caller = this.#pickCaller();
    if (caller === undefined || !(store.isRefusing(key) || random.chance(strayShare))) {
      then();
      return;
    }
    const values = [this.#nameOf(store.peek(key))];
    const open = this.#open.get(key) ?? new Set();
    this.#open.set(key, open.add(values));
    perform(this.#clients, random, caller, key, `operator #${++this.#count}`, { kind: "drop", values }, (outcome) => {
      if (outcome.kind === "written") {
        this.#field.count("given up");
        open.delete(values);
      }
      then();
    });
  }

  #nameOf(blob: Blob | undefined): string | undefined {
    return blob && this.#clients.contents.withMd5(hash("md5", blob.body, "hex"))?.name;
  }
}
