/**
 * The hosts of a simulated world and the processes on them: starts members over the simulated ports, ends them, and
 * says how the cluster stands. It is the seam between the simulator and the code under test: {@link MemberFactory} is
 * all that it knows of a member.
 */

import { assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Random } from "../../src/base/random.ts";
import type { Administration, NodeControl } from "../../src/core/administration.ts";
import type { PeerIdentity } from "../../src/core/message.ts";
import type { Operations } from "../../src/core/operation.ts";
import type { MemberStatus } from "../../src/core/status.ts";
import type { Journal, Journals } from "../../src/journal/journal.ts";
import type { MemberGauges } from "../../src/member/admin/status.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import type { Network, PeerAddress } from "../../src/network/network.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import type { HostPlan } from "./scenario-plan.ts";
import type { DataFolder } from "./sim-folder.ts";
import { SimLog } from "./sim-log.ts";
import type { SimNetwork } from "./sim-network.ts";
import { type SimClockSettings, SimProcess } from "./sim-process.ts";
import { type SimStore, StoreLine } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

export interface MemberParts {
  readonly host: { readonly id: string; readonly url: string; readonly weight: number; readonly zone?: string };
  /** The hosts that its configuration names. */
  readonly nodes: readonly PeerAddress[];
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: (identity: PeerIdentity) => Network;
  readonly store: BlobStore;
  readonly journal: Journal;
  readonly log: Log;
  readonly onReplaced: () => void;
  readonly onLeaveAsked: () => void;
  readonly onLeft: () => void;
}

export interface RunningMember extends Pick<NodeControl, "readiness" | "status" | "leave"> {
  readonly operations: Operations & Administration;
  /** Resolves when it has joined. */
  start(): Promise<void>;
  /** Leaves in order. */
  stop(): Promise<void>;
  setNodes(nodes: readonly PeerAddress[]): void;
  /** Whether it believes at this instant that it may answer for the key. */
  servesNow?(key: string): boolean;
  /** Undefined while it is in no view. */
  gauges?(): MemberGauges | undefined;
}

export type MemberFactory = (parts: MemberParts) => RunningMember;

/** A member that opens its journals itself, and goes on with another one when one has failed. */
export type HostedFactory = (parts: Omit<MemberParts, "journal"> & { readonly journals: Journals }) => RunningMember;

/** Why a process has ended: it was killed, could not start, its journal failed, another has its id, or it has left. */
export type EndReason = "killed" | "start failed" | "journal failed" | "replaced" | "left";

export interface SimCluster {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly store: SimStore;
  readonly clocks: SimClockSettings;
  readonly factory: MemberFactory;
  /** A process whose journal fails goes on, by this; otherwise it ends. */
  readonly hosted?: HostedFactory | undefined;
  /** Makes an empty data folder for a host. */
  readonly makeFolder: (name: string) => DataFolder;
  /** A process has ended by itself. */
  readonly onEnd: (host: SimHost, reason: EndReason, folder: string) => void;
}

export interface Running {
  readonly process: SimProcess;
  /** Its data folder's random name; undefined until the journal is open. */
  folder: string | undefined;
  /** Undefined until the journal is open. */
  member: RunningMember | undefined;
  /** As it was when the journal was opened. */
  weight?: number;
  started: boolean;
  stopping: boolean;
}

/** One host: at most one process at a time, unless a twin is made. */
export class SimHost {
  readonly id: string;
  readonly zone: string | undefined;
  /** Its way to the store; an earlier process that still runs elsewhere has its own. */
  line = new StoreLine();
  /** In its configuration; counts from the next start on. */
  weight: number;
  /** Whether it is meant to be in the cluster: not after it was told to leave for good. */
  isWanted = true;
  readonly #cluster: SimCluster;
  readonly #settings: MemberSettings;
  #nodes: readonly PeerAddress[];
  #processes = 0;
  #folders = 0;
  #folder: DataFolder;
  #running: Running | undefined;
  #ghost: Running | undefined;
  #ghostFolder: DataFolder | undefined;

  /** `known` are the hosts that its configuration names; more are learned from the view. */
  constructor(cluster: SimCluster, plan: HostPlan, known: readonly string[]) {
    this.#cluster = cluster;
    this.id = plan.id;
    this.zone = plan.zone;
    this.weight = plan.weight;
    this.#settings = plan.settings;
    this.#nodes = known.map(addressOf);
    this.#folder = this.#makeFolder();
  }

  /** Whether it owns keys, now and after its next start. */
  get isOwner(): boolean {
    return this.weight > 0 && this.#running?.weight !== 0;
  }

  /** Processes so far. */
  get processes(): number {
    return this.#processes;
  }

  get running(): Running | undefined {
    return this.#running;
  }

  /** A process that still runs although another one has been started in its place. */
  get ghost(): Running | undefined {
    return this.#ghost;
  }

  /** The process, while there is one. */
  get process(): SimProcess | undefined {
    return this.#running?.process;
  }

  get member(): RunningMember | undefined {
    return this.#running?.member;
  }

  get folder(): DataFolder {
    return this.#folder;
  }

  /** Whether it takes part: it has started, is not stopping, and says that it is ready. */
  get ready(): boolean {
    const running = this.#running;
    return running?.started === true && !running.stopping && running.member?.readiness().ready === true;
  }

  /** What the member says of itself; undefined while there is no process. */
  get status(): MemberStatus | undefined {
    return this.#running?.member?.status().members.find((each) => each.id === this.id);
  }

  /** What the member holds: a tenth of the cost of its status. Undefined while there is none. */
  get gauges(): MemberGauges | undefined {
    return this.#running?.member?.gauges?.();
  }

  /** Starts a new process with an empty memory, on the data folder that the host has. */
  start(): void {
    assert(this.#running === undefined, "a host runs one process");
    const { world, clocks } = this.#cluster;
    const process = new SimProcess(world, `${this.id}/${++this.#processes}`, clocks);
    const running: Running = { process, folder: undefined, member: undefined, started: false, stopping: false };
    this.#running = running;
    world.note("start", () => `${process.name} on ${this.#folder.name}`);
    // In an event of its own, like everything that a process does.
    process.schedule(0, () => void this.#open(running).catch((error: unknown) => this.#startFailed(running, error)));
  }

  /**
   * The process ends at once, as by kill -9, and its memory is gone; with the power, what its disk had not synced, too.
   */
  crash(how: "killed" | "power" = "killed"): void {
    const running = this.#running;
    this.#running = undefined;
    running?.process.crash();
    this.#folder.crash(how);
  }

  /** From its next start on it has an empty disk. */
  loseFolder(): void {
    assert(this.#running === undefined, "a process loses its disk only by ending");
    this.#cluster.world.note("folder lost", () => this.#folder.name);
    this.#folder = this.#makeFolder();
  }

  /** From its next start on it has this state of its disk. */
  bringBack(snapshot: DataFolder): void {
    assert(this.#running === undefined, "a disk is exchanged while no process runs");
    this.#cluster.world.note("brought back", () => snapshot.name);
    this.#folder = snapshot;
  }

  /** Starts another process, on an empty disk, in the place of the one that runs and does not know of it. */
  twin(): void {
    assert(this.#running !== undefined && this.#ghost === undefined, "there is one to be the twin of");
    this.#ghost = this.#running;
    this.#ghostFolder = this.#folder;
    this.line = new StoreLine();
    this.#running = undefined;
    this.#folder = this.#makeFolder();
    this.start();
  }

  endGhost(): void {
    this.#ghost?.process.crash();
    this.#ghostFolder?.crash("killed");
    this.#ghost = undefined;
  }

  /** It was a mistake: both processes end, and one starts on the disk of the first. */
  takeGhostBack(): void {
    assert(this.#ghost !== undefined && this.#ghostFolder !== undefined, "there is one to take back");
    this.crash();
    this.endGhost();
    this.#folder = this.#ghostFolder;
    this.start();
  }

  /** Asks the process to stop in order; then it ends. */
  stop(ended: () => void): void {
    const running = this.#running;
    const member = running?.member;
    assert(running !== undefined && member !== undefined && !running.stopping, "a member is stopped once");
    this.#cluster.world.note("stop", () => running.process.name);
    running.stopping = true;
    running.process.schedule(0, () => {
      member.stop().then(
        () => {
          if (running.process.alive) this.#end(running, undefined);
          ended();
        },
        (error: unknown) => this.#cluster.world.fail(error),
      );
    });
  }

  /** Asks the process to leave; it ends when it has. */
  leave(): void {
    const running = this.#running;
    assert(running?.started === true && !running.stopping, "a member that takes part can leave");
    this.#cluster.world.note("leave", () => running.process.name);
    running.stopping = true;
    running.process.schedule(0, () => running.member?.leave());
  }

  /** Its configuration names these hosts from now on; a process whose host it does not name leaves. */
  setNodes(ids: readonly string[]): void {
    this.#nodes = ids.map(addressOf);
    const running = this.#running;
    if (running === undefined) return;
    if (!ids.includes(this.id)) running.stopping = true;
    running.process.schedule(0, () => {
      running.member?.setNodes(this.#nodes);
      if (!ids.includes(this.id)) running.member?.leave();
    });
  }

  async #open(running: Running): Promise<void> {
    const { world, network, store, factory, hosted } = this.#cluster;
    const { process } = running;
    const log = new SimLog(world, process.name);
    const open = async (onFailed: () => void): Promise<Journal> => {
      const journal = await this.#folder.open(process, log, onFailed);
      running.folder = journal.folder;
      return journal;
    };
    const journal = hosted ? undefined : await open(() => this.#endSoon(running, "journal failed"));
    running.weight = this.weight;
    const parts = {
      host: {
        id: this.id,
        url: addressOf(this.id).url,
        weight: this.weight,
        ...(this.zone === undefined ? {} : { zone: this.zone }),
      },
      nodes: this.#nodes,
      settings: this.#settings,
      clock: process,
      random: process.random.fork("member"),
      connect: (identity: PeerIdentity) => network.connect(process, identity, this.#running === running),
      store: store.connect(process, this.line),
      log,
      onReplaced: () => this.#endSoon(running, "replaced"),
      onLeaveAsked: () => running.member?.leave(),
      onLeft: () => this.#endSoon(running, "left"),
    };
    const member = journal
      ? factory({ ...parts, journal })
      : (hosted as HostedFactory)({ ...parts, journals: journalsOf(process, open) });
    running.member = member;
    await member.start();
    running.started = true;
    world.note("started", () => process.name);
  }

  #startFailed(running: Running, error: unknown): void {
    const { world } = this.#cluster;
    if (!isOperatingError(error)) {
      world.fail(error);
      return;
    }
    // It ends when it has stopped.
    if (running.stopping && error.code === "shutting_down") return;
    world.note("start failed", () => `${running.process.name}: ${error.message}`);
    this.#endSoon(running, "start failed");
  }

  /** In an event of its own: what the process is doing now it does to the end. */
  #endSoon(running: Running, reason: EndReason): void {
    this.#cluster.world.schedule(0, () => {
      if (running.process.alive) this.#end(running, reason);
    });
  }

  #end(running: Running, reason: EndReason | undefined): void {
    if (this.#ghost === running) {
      this.endGhost();
      return;
    }
    assert(this.#running === running, "only what runs ends");
    this.crash();
    if (reason === undefined) return;
    this.#cluster.world.note("ended", () => `${running.process.name}: ${reason}`);
    this.#cluster.onEnd(this, reason, running.folder ?? "");
  }

  #makeFolder(): DataFolder {
    return this.#cluster.makeFolder(`${this.id}-${++this.#folders}`);
  }
}

/** Journals that say, in an event of their own, that they have failed. */
function journalsOf(process: SimProcess, open: (onFailed: () => void) => Promise<Journal>): Journals {
  return {
    open: (_failures, onFailed) =>
      open(() => process.schedule(0, () => onFailed(new OperatingError("disk_failed", "the journal has failed")))),
  };
}

function addressOf(id: string): PeerAddress {
  return { id, url: `http://${id}:7070` };
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
