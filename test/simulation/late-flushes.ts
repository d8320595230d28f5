/**
 * Requests to the store that take effect after their senders have given them up, and senders that are lost meanwhile:
 * what they wrote must not come over what their successors write.
 */

import type { FaultField } from "./fault-field.ts";
import type { MemberFaults } from "./member-faults.ts";
import type { NetworkFaults } from "./network-faults.ts";
import type { ProcessFaults } from "./process-faults.ts";
import { plainStoreFaults } from "./store-trouble.ts";

/** Parts of the requests that are late, and of the senders that are lost then. */
const lateChance = 0.3;
const lossChance = 0.6;

export class LateFlushes {
  readonly #field: FaultField;
  readonly #processes: ProcessFaults;
  readonly #network: NetworkFaults;
  readonly #members: MemberFaults;

  constructor(field: FaultField, processes: ProcessFaults, network: NetworkFaults, members: MemberFaults) {
    this.#field = field;
    this.#processes = processes;
    this.#network = network;
    this.#members = members;
  }

  start(): void {
    const { store, plan } = this.#field;
    store.setFaults({ ...plainStoreFaults(plan), lateChance });
    store.watchLate((name, caller) => {
      const { hosts, random, world } = this.#field;
      const host = hosts.find(({ process }) => process === caller);
      if (host === undefined || !plan.keys.includes(name) || this.#field.isHealed || !random.chance(lossChance)) return;
      // Behind what its process is doing now, and perhaps a little later.
      world.schedule(random.chance(0.5) ? 0 : random.between(0, 500), () => this.#lose(host));
    });
  }

  #lose(host: FaultField["hosts"][number]): void {
    if (this.#field.isHealed || host.running === undefined) return;
    this.#field.note("late flush", () => `of ${host.id}`);
    switch (this.#field.random.pick(["kill", "kill", "leave", "leave", "isolate"] as const)) {
      case "kill":
        this.#processes.kill(host);
        break;
      case "leave":
        this.#members.leave(host);
        break;
      default:
        this.#network.isolate(host);
    }
  }
}
