/**
 * The hosts of a simulated world and the processes on them: starts members over the simulated ports, ends them, and says how the cluster stands. It is the
 * seam between the simulator and the code under test: {@link MemberFactory} is all that it knows of a member.
 */

import { assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Random } from "../../src/base/random.ts";
import type { MemberStatus, Operations } from "../../src/core/operation.ts";
import type { ViewMember } from "../../src/core/view.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import type { Network, PeerAddress } from "../../src/network/network.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { SimLog } from "./sim-log.ts";
import type { SimNetwork } from "./sim-network.ts";
import { type SimClockSettings, SimProcess } from "./sim-process.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

export interface MemberParts {
  readonly identity: ViewMember;
  /** The hosts that its configuration names. */
  readonly nodes: readonly PeerAddress[];
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: BlobStore;
  readonly log: Log;
  readonly onReplaced: () => void;
}

export interface RunningMember extends Operations {
  /** Resolves when it has joined. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type MemberFactory = (parts: MemberParts) => RunningMember;

export interface SimCluster {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly store: SimStore;
  readonly settings: MemberSettings;
  readonly clocks: SimClockSettings;
  readonly factory: MemberFactory;
}

/** A process that a supervisor starts again after a failed start waits this long. */
const startAgainMs = 500;

/** One host: at most one process at a time. */
export class SimHost {
  readonly id: string;
  readonly #cluster: SimCluster;
  readonly #nodes: readonly PeerAddress[];
  #generation = 0;
  #running: { readonly process: SimProcess; readonly member: RunningMember } | undefined;
  #started = false;
  #stopping = false;

  /** `known` are the hosts that its configuration names; more are learned from the view. */
  constructor(cluster: SimCluster, id: string, known: readonly string[]) {
    this.#cluster = cluster;
    this.id = id;
    this.#nodes = known.map((each) => ({ id: each, url: urlOf(each) }));
  }

  /** The process, while there is one. */
  get process(): SimProcess | undefined {
    return this.#running?.process;
  }

  get member(): RunningMember | undefined {
    return this.#running?.member;
  }

  /** Whether it takes part: it has started, is not stopping, and says that it is ready. */
  get ready(): boolean {
    return this.#started && !this.#stopping && this.#running?.member.readiness().ready === true;
  }

  /** What the member says of itself; undefined while there is no process. */
  get status(): MemberStatus | undefined {
    return this.#running?.member.status().members.find((each) => each.id === this.id);
  }

  /** Starts a new process with an empty memory. */
  start(): void {
    assert(this.#running === undefined, "a host runs one process");
    const { world, network, store, settings, clocks, factory } = this.#cluster;
    const name = `${this.id}/${++this.#generation}`;
    world.note("start", () => name);
    const process = new SimProcess(world, name, clocks);
    const incarnation = process.random.id();
    const identity: ViewMember = { id: this.id, folder: incarnation, incarnation, url: urlOf(this.id), weight: 1 };
    const member = factory({
      identity,
      nodes: this.#nodes,
      settings,
      clock: process,
      random: process.random.fork("member"),
      network: network.connect(process, { id: this.id, incarnation }),
      store: store.connect(process),
      log: new SimLog(world, name),
      // Here no host ever runs two processes, so a member that believes in another one is wrong.
      onReplaced: () => world.fail(new Error(`P4: ${name} says that another process has taken its place`)),
    });
    this.#running = { process, member };
    this.#started = false;
    this.#stopping = false;
    // In an event of its own, like everything that a process does.
    process.schedule(0, () => {
      member.start().then(
        () => {
          world.note("started", () => name);
          this.#started = true;
        },
        (error: unknown) => {
          if (!isOperatingError(error)) return world.fail(error);
          world.note("start failed", () => `${name}: ${error.message}`);
          this.crash();
          world.schedule(startAgainMs, () => {
            if (this.#running === undefined) this.start();
          });
        },
      );
    });
  }

  /** The process ends at once, and its memory is gone. */
  crash(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.process.crash();
  }

  /** Asks the process to stop in order; then it ends. */
  stop(ended: () => void): void {
    const running = this.#running;
    assert(running !== undefined && this.#started && !this.#stopping, "a member is stopped once, when it has started");
    this.#cluster.world.note("stop", () => running.process.name);
    this.#stopping = true;
    running.process.schedule(0, () => {
      running.member.stop().then(
        () => {
          this.crash();
          ended();
        },
        (error: unknown) => this.#cluster.world.fail(error),
      );
    });
  }
}

function urlOf(id: string): string {
  return `http://${id}:7070`;
}

/** Whether all `hosts` run, are ready, and agree on a settled view of just them. */
export function isSettled(hosts: readonly SimHost[]): boolean {
  let epoch: number | undefined;
  return hosts.every((host) => {
    if (!host.ready) return false;
    const status = host.member?.status();
    if (status === undefined || !status.settled || status.members.length !== hosts.length) return false;
    epoch ??= status.epoch;
    return status.epoch === epoch;
  });
}
