/**
 * Copies that come late: a host leaves and comes back as the primary of keys that the others have not flushed yet, and what it sends them ahead of the hand-off, because somebody waits
 * for it, is large and takes long. Then the view changes again: a copy that came when its key had moved on would be handed to somebody who knows no better.
 */

import type { FaultField } from "./fault-field.ts";
import type { MemberFaults } from "./member-faults.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";

const lookMs = 20;
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
    this.#field.when(
      patienceMs,
      () => isSettled(this.#field.wanted),
      () => this.#begin(),
      () => this.#again(),
    );
  }

  #again(): void {
    if (!this.#field.isHealed) this.#field.world.schedule(lookMs, () => this.start());
  }

  #begin(): void {
    const { plan, random } = this.#field;
    const host = this.#field.primaryOf(random.pick(plan.keys));
    if (host?.running === undefined) {
      this.#again();
      return;
    }
    const again = (): void => this.#again();
    this.#members.leaveAlone(host, patienceMs, () => this.#return(host), again);
  }

  #return(host: SimHost): void {
    const { hosts, network, random, world } = this.#field;
    const lateMs = random.between(minLateMs, maxLateMs);
    const others = hosts.filter((each) => each !== host);
    const undos = others.map((other) => network.delayLarge(host.id, other.id, lateMs));
    const end = (): void => {
      for (const undo of undos) undo();
      this.#again();
    };
    this.#field.when(
      patienceMs,
      () => host.ready && isSettled(this.#field.wanted),
      () => {
        this.#field.note("late copies", () => `of ${host.id}, by ${Math.round(lateMs)} ms`);
        for (const undo of undos) undo();
        world.schedule(lateMs + random.between(0, minLateMs), () => {
          if (!this.#field.isHealed) this.#members.leave(random.pick(others));
          this.#again();
        });
      },
      end,
    );
  }
}
