/**
 * Late returns: the owners of a key lose power with a write on the disk of only one of them, which is down for so long
 * that the others go on without it: the other owner answers again, with what there was before. Then the disk comes
 * back, while the view cannot be settled.
 */

import type { FaultField } from "./fault-field.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import { healthyDisk } from "./sim-disk.ts";

const lookMs = 20;
/** Longer than anything here lasts. */
const stuckMs = 60_000;
/** For the write to get onto the other disk. */
const maxWrittenMs = 60;
/** From the loss until the first owner is back: before the others may go on without both. */
const backMs = 1_000;
/** From there until the other one is back: D, T and F of the shortest, and some. */
const minLateMs = 3_000;
const maxLateMs = 6_000;
/** Who is in the view no more waits so long for it to settle, and joins it then as it is. */
const patienceMs = 30_000;
/** How long the two of them are there together before the view can settle. */
const minTogetherMs = 2_000;
const maxTogetherMs = 6_000;

export class LateReturns {
  readonly #field: FaultField;
  /** Called with who has handled the next message of a write from this host. */
  #trap: { readonly from: SimHost; readonly spring: (replica: SimHost) => void } | undefined;

  constructor(field: FaultField) {
    this.#field = field;
    field.network.watch((moment, kind, from, to) => {
      const trap = this.#trap;
      if (kind !== "replicate" || moment !== "handled" || trap?.from.process !== from || field.isHealed) return;
      const replica = field.hosts.find(({ process }) => process === to);
      this.#trap = undefined;
      if (replica !== undefined) field.world.schedule(0, () => trap.spring(replica));
    });
  }

  /** Waits for a settled cluster; once is enough, since a return takes almost all of the time that there is. */
  start(): void {
    const { hosts, plan, random, world } = this.#field;
    if (this.#field.isHealed) return;
    if (!isSettled(hosts)) {
      world.schedule(lookMs, () => this.start());
      return;
    }
    world.schedule(random.between(0, 2_000), () => {
      if (this.#field.isHealed) return;
      const primary = this.#field.primaryOf(random.pick(plan.keys));
      if (primary === undefined) return;
      primary.folder.setFaults({ ...healthyDisk, stuckChance: 1, stuckMs });
      this.#trap = { from: primary, spring: (replica) => this.#losePower(primary, replica) };
      this.#field.undoLater(stuckMs, () => primary.folder.setFaults(healthyDisk));
    });
  }

  #losePower(primary: SimHost, replica: SimHost): void {
    const { hosts, network, random, world } = this.#field;
    world.schedule(random.between(0, maxWrittenMs), () => {
      if (this.#field.isHealed) return;
      this.#field.note("late return", () => `of ${replica.id}, to ${primary.id}`);
      for (const host of [primary, replica]) host.crash("power");
      primary.folder.setFaults(healthyDisk);
      const others = hosts.filter((host) => host !== primary && host !== replica);
      const lateMs = backMs + random.between(minLateMs, maxLateMs);
      // What the primary still has to hand off does not get through, so that no view is settled.
      for (const other of others) {
        this.#field.undoLater(
          lateMs + patienceMs + random.between(minTogetherMs, maxTogetherMs),
          network.choke(primary.id, other.id),
        );
      }
      this.#field.restartLater(primary, backMs);
      this.#field.restartLater(replica, lateMs);
    });
  }
}
