/** A node that tests tell what it is to say of itself. */

import type { NodeControl } from "../../src/core/administration.ts";
import type { ClusterStatus, Readiness } from "../../src/core/status.ts";

export class MemoryNode implements NodeControl {
  ready = true;
  /** Since it served, while it is not ready. */
  pausedMs: number | undefined;
  /** What it says keeps it from working. */
  broken: string | undefined;
  /** How often it was asked to leave. */
  leaves = 0;

  trouble(): string | undefined {
    return this.broken;
  }

  readiness(): Readiness {
    if (this.ready) return { ready: true, reason: "serving" };
    return { ready: false, reason: "joining", ...(this.pausedMs !== undefined && { pausedMs: this.pausedMs }) };
  }

  status(): ClusterStatus {
    const view = {
      cluster: "test",
      self: "a",
      epoch: 1,
      settled: true,
      leaseMs: 900,
      awaited: [],
      absent: [],
      refused: {},
      replicas: 2,
    };
    return { ...view, store: "none", members: [] };
  }

  leave(): void {
    this.leaves++;
  }
}
