/**
 * Snapshots: a host's process ends, and its disk is as it was a while before. What the disk lacks was told to the other
 * nodes, so they refuse it (V62), until the host gets an empty one.
 */

import type { FaultField } from "./fault-field.ts";
import { isSettled, type SimHost } from "./sim-cluster.ts";
import type { DataFolder } from "./sim-folder.ts";

/** To settle, and for the disk to rest. */
const patienceMs = 6_000;
const minAgeMs = 300;
const maxAgeMs = 4_000;
/** Three rounds of pings: all that is on the disk has been told. */
const restMs = 600;
const maxDownMs = 1_000;
/** The host has its earlier disk for so long. */
const minBackMs = 1_000;
const maxBackMs = 6_000;

export class Snapshots {
  readonly #field: FaultField;

  constructor(field: FaultField) {
    this.#field = field;
  }

  start(): void {
    this.#field.inTurns(patienceMs, (over) => {
      const host = this.#field.pickStarted();
      if (host === undefined) over();
      else this.#take(host, over);
    });
  }

  #take(host: SimHost, over: () => void): void {
    const { world, random } = this.#field;
    const { folder } = host;
    const snapshot = folder.snapshot();
    world.schedule(random.between(minAgeMs, maxAgeMs), () => {
      this.#field.when(patienceMs, this.#rests(host), () => this.#bringBack(host, snapshot, over), over);
    });
  }

  /** Whether nothing has been written to the host's disk for a while, and all is well. */
  #rests({ folder }: SimHost): () => boolean {
    const { world, wanted } = this.#field;
    let { syncs } = folder;
    let since = world.now;
    return () => {
      if (folder.syncs !== syncs) {
        ({ syncs } = folder);
        since = world.now;
      }
      return world.now - since > restMs && isSettled(wanted);
    };
  }

  #bringBack(host: SimHost, snapshot: DataFolder, over: () => void): void {
    const { budget, random, world } = this.#field;
    const { id } = host.folder;
    if (!budget.allows(id)) {
      over();
      return;
    }
    this.#field.note("snapshot", () => host.process?.name ?? "");
    budget.lose(id);
    host.crash();
    host.bringBack(snapshot);
    const downMs = random.between(0, maxDownMs);
    this.#field.restartLater(host, downMs);
    this.#field.undoLater(downMs + random.between(minBackMs, maxBackMs), () => {
      if (host.ready) {
        // Nothing had been told since: it is the folder's newest state.
        budget.regain(id);
        over();
        return;
      }
      host.crash();
      host.loseFolder();
      world.schedule(0, () => {
        if (host.running === undefined) host.start();
        over();
      });
    });
  }
}
