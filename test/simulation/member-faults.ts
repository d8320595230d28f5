/**
 * Changes that are no faults at all: processes leave in order, in each of the ways there are, come back or not, and
 * change their weights.
 */

import type { FaultField } from "./fault-field.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";

const maxAwayMs = 3_000;
/** What a start takes, mostly. */
const maxStartMs = 250;
/** The hosts learn of a new configuration one after the other. */
const maxConfigMs = 1_000;

export class MemberFaults {
  readonly #field: FaultField;
  /** Hosts that leave and may not come back of themselves. */
  readonly #named: Set<string>;

  constructor(field: FaultField) {
    this.#field = field;
    this.#named = new Set(field.hosts.map((host) => host.id));
  }

  leave(host: SimHost | undefined = this.#field.pickStarted()): void {
    const { budget, random } = this.#field;
    const running = host?.running;
    if (host === undefined || running?.member === undefined || running.stopping || !budget.allowsLeaving) return;
    // One that is leaving because the configuration says so does not look as if it were.
    if (!this.#named.has(host.id)) return;
    const way = running.started ? random.pick(["stop", "stop", "leave", "config"] as const) : "stop";
    this.#field.note("leave", () => `${running.process.name} by ${way}`);
    if (random.chance(0.2) && this.#field.hasOtherOwner(host)) host.isWanted = false;
    budget.beginLeaving();
    running.process.onCrash(() => {
      budget.endLeaving();
      this.#ended(host, running.folder);
    });
    switch (way) {
      case "stop":
        host.stop(() => undefined);
        break;
      case "leave":
        host.leave();
        break;
      default:
        this.#named.delete(host.id);
        this.#configure();
    }
  }

  /**
   * Has the host leave; `then` when the others have settled without it, `otherwise` if they do not within `patienceMs`.
   */
  leaveAlone(host: SimHost, patienceMs: number, then: () => void, otherwise: () => void): void {
    const running = host.running?.started === true && !host.running.stopping;
    if (!this.#field.isHealed && running) this.leave(host);
    const isAlone = (): boolean => isSettled(this.#field.wanted.filter((each) => each !== host));
    this.#field.when(patienceMs, isAlone, then, otherwise);
  }

  /**
   * A host that is down starts, and is stopped before it takes part, or just when it does; so is one that stops just
   * now.
   */
  stopEarly(host: SimHost | undefined = this.#field.pickDown()): void {
    const { world } = this.#field;
    if (host === undefined) {
      const other = this.#field.pickStarted();
      this.leave(other);
      other?.process?.onCrash(() => world.schedule(0, () => this.#startAndStop(other)));
    } else {
      this.#startAndStop(host);
    }
  }

  #startAndStop(host: SimHost): void {
    const { random, world } = this.#field;
    if (this.#field.isHealed || host.running !== undefined || !host.isWanted || !this.#named.has(host.id)) return;
    host.start();
    const process = host.process;
    world.schedule(random.between(0, maxStartMs), () => {
      if (this.#field.isHealed || process !== host.process || process?.paused !== false) return;
      this.#field.count("early stop");
      this.leave(host);
    });
  }

  /** The host's process will have another weight from its next start on, which is soon. */
  reweigh(): void {
    const host = this.#field.pickStarted();
    if (host === undefined) return;
    this.#field.reweigh(host);
    this.leave(host);
  }

  /** All hosts that are meant to be there are in every configuration. */
  heal(): void {
    for (const host of this.#field.hosts) if (host.isWanted) this.#named.add(host.id);
    this.#configure();
  }

  /** The process that was to leave has ended, and perhaps it has left. */
  #ended(host: SimHost, folder: string | undefined): void {
    const { budget, plan } = this.#field;
    if (folder !== undefined && !budget.isDone(folder)) {
      // It has stopped without having left, or was killed before it had: it must come back.
      host.isWanted = true;
      if (!plan.journal) budget.loseAnyway(folder);
    }
    this.comeBack(host);
  }

  /** A process has left: its host starts another one, unless it is not wanted any more. */
  comeBack(host: SimHost): void {
    if (host.isWanted && !this.#named.has(host.id)) {
      // At once: the next process would be told to leave, and nobody would know that it does.
      this.#named.add(host.id);
      this.#configure();
    }
    this.#field.restartLater(host, this.#field.random.between(0, maxAwayMs));
  }

  #configure(): void {
    const { random, world } = this.#field;
    for (const host of this.#field.hosts) {
      world.schedule(random.between(0, maxConfigMs), () => host.setNodes([...this.#named]));
    }
  }
}
