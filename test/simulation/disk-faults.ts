/**
 * Faults of disks: slow or stuck syncs, which make a member useless for a while, and failures, which end its process.
 */

import type { FaultField } from "./fault-field.ts";
import { type DiskFaultSettings, healthyDisk } from "./sim-disk.ts";

export class DiskFaults {
  readonly #field: FaultField;

  constructor(field: FaultField) {
    this.#field = field;
  }

  trouble(): void {
    const host = this.#field.pickRunning();
    if (host === undefined) return;
    const kind = this.#field.random.pick(["slow", "stuck", "failing syncs", "failing writes"] as const);
    this.#field.note("disk", () => `of ${host.id}: ${kind}`);
    const { folder } = host;
    folder.setFaults(this.#faultsOf(kind));
    this.#field.undoLater(this.#field.drawMs(), () => folder.setFaults(healthyDisk));
  }

  #faultsOf(kind: "slow" | "stuck" | "failing syncs" | "failing writes"): DiskFaultSettings {
    const { random } = this.#field;
    switch (kind) {
      case "slow":
        return { ...healthyDisk, writeMs: random.between(1, 20), meanSyncMs: random.between(10, 400) };
      case "stuck":
        return { ...healthyDisk, stuckChance: random.between(0.2, 1), stuckMs: random.between(500, 6_000) };
      case "failing syncs":
        return { ...healthyDisk, failSyncChance: random.between(0.01, 0.5) };
      default:
        return { ...healthyDisk, failWriteChance: random.between(0.01, 0.5) };
    }
  }
}
