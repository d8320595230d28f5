/**
 * Copies that come late: a host leaves and comes back as the primary of keys that the others have not flushed yet, and
 * what it sends them ahead of the hand-off, because somebody waits for it, is large and takes long. Then the view
 * changes again: a copy that came when its key had moved on would be handed to somebody who knows no better.
 */

import type { FaultField } from "./fault-field.ts";
import type { MemberFaults } from "./member-faults.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";

/** What does not happen within this does not happen any more. */
const patienceMs = 6_000;
/** How long the copies take. */
const minLateMs = 500;
const maxLateMs = 3_000;

export class LateCopies {
  readonly #field: FaultField;
  readonly #members: MemberFaults;

  constructor(field: FaultField, members: MemberFaults) {
    this.#field = field;
    this.#members = members;
  }

  /** One return after the other, each into a settled cluster. */
  start(): void {
    this.#field.inTurns(patienceMs, (over) => {
      const host = this.#field.primaryOf(this.#field.random.pick(this.#field.plan.keys));
      if (host?.running === undefined) over();
      else this.#members.leaveAlone(host, patienceMs, () => this.#return(host, over), over);
    });
  }

  #return(host: SimHost, over: () => void): void {
    const { hosts, network, random, world } = this.#field;
    const lateMs = random.between(minLateMs, maxLateMs);
    const others = hosts.filter((each) => each !== host);
    const undos = others.map((other) => network.delayLarge(host.id, other.id, lateMs));
    const end = (): void => {
      for (const undo of undos) undo();
      over();
    };
    this.#field.when(
      patienceMs,
      () => host.ready && isSettled(this.#field.wanted),
      () => {
        this.#field.note("late copies", () => `of ${host.id}, by ${Math.round(lateMs)} ms`);
        for (const undo of undos) undo();
        world.schedule(lateMs + random.between(0, minLateMs), () => {
          if (!this.#field.isHealed) this.#members.leave(random.pick(others));
          over();
        });
      },
      end,
    );
  }
}
