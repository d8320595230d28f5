/**
 * A few hosts over one store that may refuse some objects: for a course of events that is told step by step, as an
 * operator's day is, and not drawn by chance.
 */

import { assert } from "../../src/base/assert.ts";
import { isOperatingError, type OperatingError } from "../../src/base/errors.ts";
import type { FlushProgress } from "../../src/core/administration.ts";
import { parseView, viewName } from "../../src/core/view.ts";
import type { JournalSettings } from "../../src/journal/file-journal.ts";
import { Participant } from "../../src/member/participant.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import type { BlobStore, CompletedUpload, CompleteResult, WriteResult } from "../../src/store/blob-store.ts";
import { putOf } from "../harness/write-operations.ts";
import { planFor } from "./scenario-plan.ts";
import { type MemberParts, type RunningMember, SimHost } from "./sim-cluster.ts";
import { diskFolder, memoryFolder } from "./sim-folder.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { worldDateMs } from "./sim-process.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { healthyStore } from "./store-faults.ts";

/** A read waits for whatever is under way no longer than this, in virtual milliseconds. */
const readMs = 15_000;
const journal = { segmentBytes: 1_000_000, liveLimitBytes: 100_000_000 } as const satisfies JournalSettings;

export interface Staging {
  /** How long a write waits for later ones of its key before it is flushed; a second unless told. */
  readonly delayMs?: number;
  readonly replicas?: number;
  /** L, in virtual milliseconds. */
  readonly lateEffectMs?: number;
  /** Of the store. */
  readonly ignoresRemoveConditions?: boolean;
  readonly ignoresCompleteConditions?: boolean;
  /** A larger value is not buffered. */
  readonly maxValueBytes?: number;
  /** Otherwise folders are in memory: whoever ends has lost its disk, too. */
  readonly hasDisks?: boolean;
  /** Of the journals; 1 MB unless told. */
  readonly segmentBytes?: number;
  /** How many keys are gone through in one turn of a member. */
  readonly sliceItems?: number;
  /** What runs at this host, if that is not a participant over the host's folder. */
  readonly runningAt?: (parts: MemberParts) => RunningMember | undefined;
}

/** An operation that a client asked for: neither is there while it waits. */
export interface Asked<T> {
  answer?: T;
  error?: OperatingError;
}

export class StagedCluster {
  readonly world = new SimWorld({ seed: 1 });
  readonly network = new SimNetwork(this.world, defaultNetworkSettings);
  readonly store: SimStore;
  readonly hosts: readonly SimHost[];
  /** Objects that the store does not take, and why. */
  readonly refused = new Map<string, OperatingError>();
  /** Objects of which the store's answer to a write comes only then. */
  readonly answered = new Map<string, Promise<void>>();
  /** Answers a request to write an object in the store's place, and may send it later. Undefined: it goes its way. */
  intercept: (...request: Parameters<BlobStore["write"]>) => Promise<WriteResult> | undefined = () => undefined;
  /** The same for a removal. */
  interceptRemoval: (name: string) => Promise<WriteResult> | undefined = () => undefined;
  /** The same for a completion. */
  interceptCompletion: (name: string, upload: CompletedUpload) => Promise<CompleteResult> | undefined = () => undefined;
  readonly #participants = new Map<string, Participant>();
  /** The weights in each view, in the order of the hosts. */
  readonly views: string[] = [];

  constructor(ids: readonly string[], staging: Staging = {}) {
    const { delayMs = 1_000, replicas = 2, hasDisks = false, segmentBytes = journal.segmentBytes } = staging;
    const { ignoresRemoveConditions = false, ignoresCompleteConditions = false } = staging;
    const { world } = this;
    this.store = new SimStore({
      modes: { tags: "md5", ignoresRemoveConditions, ignoresCompleteConditions },
      faults: healthyStore,
      random: world.random("store"),
      scheduler: world,
      dateMs: () => worldDateMs + Math.floor(world.now),
    });
    this.store.watch((name, _before, after) => {
      if (name !== viewName || !after) return;
      const { settled, members } = parseView(after.body);
      if (!settled) this.views.push(members.map(({ weight }) => weight).join());
    });
    const cluster = {
      world,
      network: this.network,
      store: this.store,
      clocks: { maxRateError: 0.01, maxTimerDelayMs: 1 },
      factory: (parts: MemberParts) => {
        const other = staging.runningAt?.(parts);
        if (other) return other;
        const participant = new Participant({ ...parts, store: this.#refusing(parts.store) });
        this.#participants.set(parts.host.id, participant);
        return participant;
      },
      makeFolder: (name: string) =>
        hasDisks ? diskFolder(name, world.random(name), { ...journal, segmentBytes }) : memoryFolder(name),
      onEnd: () => undefined,
    };
    const { settings: drawn } = planFor(1, "healthy").hosts[0] as { settings: MemberSettings };
    const { maxValueBytes = drawn.maxValueBytes, lateEffectMs = drawn.lateEffectMs } = staging;
    const { sliceItems: items = drawn.slices.items } = staging;
    const slices = { ...drawn.slices, items };
    const settings = { ...drawn, slices, replicas, maxValueBytes, lateEffectMs, flush: { ...drawn.flush, delayMs } };
    this.hosts = ids.map((id) => new SimHost(cluster, { id, startMs: 0, weight: 1, zone: undefined, settings }, ids));
    for (const host of this.hosts) host.start();
  }

  /** Clients write, all the time, such keys at the hosts that serve them. */
  writeAt(hosts: readonly SimHost[]): void {
    for (const host of hosts) {
      for (let number = 0; number < 5; number++) this.write(host, this.keyOf(host, `k${number}-`));
    }
    this.world.schedule(1_000, () => this.writeAt(hosts));
  }

  write(host: SimHost, key: string, text = `value of ${this.world.now}`): void {
    this.ask(host, (member) => member.operations.write(putOf(key, Buffer.from(text))));
  }

  /** A client asks this host for something. */
  ask<T>(host: SimHost, operation: (member: RunningMember) => T | Promise<T>): Asked<T> {
    const asked: Asked<T> = {};
    const begin = async (): Promise<void> => {
      const { member } = host;
      assert(member !== undefined, "a client asks who is there");
      asked.answer = await operation(member);
    };
    host.process?.schedule(0, () => {
      begin().catch((error: unknown) => {
        if (isOperatingError(error)) asked.error = error;
        else this.world.fail(error);
      });
    });
    return asked;
  }

  /** What a client of this host reads; undefined when there is no value. */
  async read(host: SimHost, key: string): Promise<string | undefined> {
    const asked = this.ask(host, (member) => member.operations.read(key, true));
    await this.world.run(this.world.now + readMs, () => asked.answer !== undefined || asked.error !== undefined);
    assert(asked.answer !== undefined, "a read is answered");
    return asked.answer.kind === "value" ? asked.answer.value?.toString() : undefined;
  }

  /** A key that the host serves; any, while it serves none. */
  keyOf(host: SimHost, prefix: string): string {
    for (let number = 0; number < 100; number++) {
      const key = `${prefix}${number}`;
      if (host.member?.servesNow?.(key) === true) return key;
    }
    return prefix;
  }

  /** What `weir flush` is told by this host, up to the end of it or of the time. */
  async flush(host: SimHost, ms: number): Promise<FlushProgress[]> {
    const told: FlushProgress[] = [];
    const abort = new AbortController();
    const ask = async (): Promise<void> => {
      const participant = this.#participants.get(host.id) as Participant;
      for await (const progress of participant.operations.flush(abort.signal)) told.push(progress);
    };
    host.process?.schedule(0, () => {
      ask().catch((error: unknown) => {
        if (!abort.signal.aborted) this.world.fail(error);
      });
    });
    await this.world.run(this.world.now + ms, () => told.at(-1)?.outcome !== undefined);
    abort.abort();
    return told;
  }

  #refusing(store: BlobStore): BlobStore {
    const write: BlobStore["write"] = async (name, ...rest) => {
      const error = this.refused.get(name);
      if (error) throw error;
      const outcome = await (this.intercept(name, ...rest) ?? store.write(name, ...rest));
      await this.answered.get(name);
      return outcome;
    };
    const remove: BlobStore["remove"] = (name, ...rest) => this.interceptRemoval(name) ?? store.remove(name, ...rest);
    const completeUpload: BlobStore["completeUpload"] = (name, upload, ...rest) =>
      this.interceptCompletion(name, upload) ?? store.completeUpload(name, upload, ...rest);
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "write") return write;
        if (name === "remove") return remove;
        if (name === "completeUpload") return completeUpload;
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}
