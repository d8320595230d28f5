/**
 * Hand-off: after a view change what is held goes to the owners under the new view, in two stages.
 *
 * 1. Every member *delivers* what it holds to the primary of each key (V38).
 * 2. When every member has, each primary has the newest of all its keys. It brings that to the other owners: then it
 *    has *handed off* (V39).
 *
 * Outcomes of recent requests go the same way. Lists of keys and versions go first, and only what the receiver lacks
 * follows. What fails is sent again for as long as the view stands.
 */

import { assert } from "../../base/assert.ts";
import { sleep } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import { PartedList } from "../../base/parted-list.ts";
import type { Lane } from "../../base/slices.ts";
import type { Entry } from "../../core/entry.ts";
import type { KeyState } from "../../core/key-state.ts";
import type { LateEffect } from "../../core/late-effects.ts";
import type { KeyVersion, PeerAnswer, PeerRequest, RequestOutcome, UnknownRequest } from "../../core/message.ts";
import { compareVersions, type Version, versionOf } from "../../core/version.ts";
import type { ContextOf } from "../context.ts";
import type { Inheritance } from "../keys/inheritance.ts";
import type { Eviction } from "./eviction.ts";

type HandOffContext = ContextOf<
  "membership" | "buffer" | "requests" | "network" | "clock" | "complaints" | "late" | "slices"
>;

/** At most so many entries are under way to one owner, keys in a list, and outcomes in a message. */
const entriesUnderWay = 16;
const keysPerList = 500;
const outcomesPerMessage = 1_000;
/** Pause after a failure, in milliseconds. */
const retryMs = 50;

/** What one member is to get. */
interface Parcel {
  readonly keys: PartedList<string>;
  readonly outcomes: PartedList<RequestOutcome>;
  readonly effects: PartedList<LateEffect>;
  readonly unknown: PartedList<UnknownRequest>;
}

type ReceiversOf = (owners: readonly string[]) => readonly string[];
type OnHas = (key: string, version: Version, peer: string) => void;

export class HandOff {
  readonly #context: HandOffContext;
  readonly #inheritance: Pick<Inheritance, "acknowledged">;
  readonly #eviction: Pick<Eviction, "stuck">;
  readonly #deadlineMs: number;
  readonly #lane: Lane;
  /** Names the run of the adopted view; an earlier run notices that it is not this one, and ends. */
  #run: object = {};

  /** @param deadlineMs - one request may take so long, in milliseconds: a peer that needs longer counts as silent */
  constructor(
    context: HandOffContext,
    inheritance: Pick<Inheritance, "acknowledged">,
    eviction: Pick<Eviction, "stuck">,
    deadlineMs: number,
  ) {
    this.#context = context;
    this.#inheritance = inheritance;
    this.#eviction = eviction;
    this.#deadlineMs = deadlineMs;
    this.#lane = context.slices.lane();
  }

  /**
   * First stage, for the view just adopted. `onDone` runs when the primary of every key has all that this member holds.
   */
  deliver(onDone: () => void): void {
    const self = this.#context.membership.self.id;
    this.#run = {};
    this.#sendAll(
      (owners) => (owners[0] === undefined || owners[0] === self ? [] : [owners[0]]),
      () => undefined,
      onDone,
    );
  }

  /** Second stage: every member has delivered. `onDone` runs when every owner has everything. */
  handOff(onDone: () => void): void {
    const self = this.#context.membership.self.id;
    this.#sendAll(
      (owners) => (owners[0] === self ? owners.slice(1) : []),
      (key, version, peer) => this.#inheritance.acknowledged(key, version, peer),
      onDone,
    );
  }

  stop(): void {
    this.#run = {};
    this.#lane.stop();
  }

  /** Sends what is held, and outcomes, to the receivers of each key. */
  #sendAll(receiversOf: ReceiversOf, onHas: OnHas, onDone: () => void): void {
    const { membership } = this.#context;
    const { epoch } = membership;
    const run = this.#run;
    this.#pack(receiversOf, (parcels) => {
      assert(!parcels.has(membership.self.id), "nothing is handed off to its holder");
      const sent = Promise.all([...parcels].map(([peer, parcel]) => this.#deliver(run, peer, parcel, onHas)));
      void sent.then(() => {
        if (run !== this.#run) return;
        assert(epoch === membership.epoch, "a run ends under the view that it began under");
        onDone();
      });
    });
  }

  /**
   * Packs the outcomes first, and the entries that they belong to after them. So the entry of each outcome is among the
   * keys, whatever comes between two slices (W12).
   */
  #pack(receiversOf: ReceiversOf, onPacked: (parcels: ReadonlyMap<string, Parcel>) => void): void {
    const { membership, buffer, requests, clock, late } = this.#context;
    const keys = new Map<string, PartedList<string>>();
    const outcomes = new Map<string, PartedList<RequestOutcome>>();
    const effects = new Map<string, PartedList<LateEffect>>();
    const unknown = new Map<string, PartedList<UnknownRequest>>();
    const now = clock.now();
    const packOutcome = (outcome: RequestOutcome): void => {
      if (this.#isPending(outcome)) return;
      for (const peer of receiversOf(membership.ownersOf(outcome.key))) pack(outcomes, peer, outcome);
    };
    const packKey = ({ key, unknownUntil }: KeyState): void => {
      for (const peer of receiversOf(membership.ownersOf(key))) {
        pack(keys, peer, key);
        if (unknownUntil > now) pack(unknown, peer, { key, leftMs: unknownUntil - now });
      }
    };
    // Also of keys that are clean: what the store may yet do concerns their next state (F25).
    const packEffect = (effect: LateEffect): void => {
      for (const peer of receiversOf(membership.ownersOf(effect.key))) pack(effects, peer, effect);
    };
    const parcelFor = (peer: string): [string, Parcel] => [
      peer,
      {
        keys: keys.get(peer) ?? new PartedList(),
        outcomes: outcomes.get(peer) ?? new PartedList(),
        effects: effects.get(peer) ?? new PartedList(),
        unknown: unknown.get(peer) ?? new PartedList(),
      },
    ];
    this.#lane.over(requests.outcomes(), packOutcome, () => {
      this.#lane.over(buffer.records(), packKey, () => {
        this.#lane.over(late.effects(clock.now()), packEffect, () => {
          onPacked(new Map([...new Set([...keys.keys(), ...outcomes.keys(), ...effects.keys()])].map(parcelFor)));
        });
      });
    });
  }

  /**
   * The outcome of a pending write goes with its entry (W13): without that no member could keep what the outcome
   * promises.
   */
  #isPending({ key, version }: RequestOutcome): boolean {
    const pending = this.#context.buffer.get(key)?.pending ?? [];
    return pending.some((write) => !write.inherited && compareVersions(write.entry, version) === 0);
  }

  async #deliver(run: object, peer: string, { keys, outcomes, effects, unknown }: Parcel, onHas: OnHas): Promise<void> {
    const { epoch } = this.#context.membership;
    for (let start = 0; start < keys.length; start += keysPerList) {
      const items = this.#itemsOf(keys.slice(start, start + keysPerList));
      const answer = await this.#send(run, peer, { kind: "hand_off_list", epoch, items });
      if (answer?.kind !== "wanted") return;
      const wanted = new Set(answer.wanted);
      for (const [index, { key, version }] of items.entries()) if (!wanted.has(index)) onHas(key, version, peer);
      const queue = wanted[Symbol.iterator]();
      const worker = async (): Promise<void> => {
        for (const index of queue) {
          const key = items[index]?.key;
          // The newest held entry serves as well as the listed one. What this member has written meanwhile it
          // replicates.
          const entry = key === undefined ? undefined : this.#heldOf(key);
          if (entry) {
            if (!(await this.#send(run, peer, { kind: "hand_off", epoch, entry }))) return;
            onHas(entry.key, entry, peer);
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(entriesUnderWay, wanted.size) }, worker));
      if (run !== this.#run) return;
    }
    // After the entries: a member that knows that a request was done must have its entry (W12).
    for (let start = 0; start < outcomes.length; start += outcomesPerMessage) {
      const some = outcomes.slice(start, start + outcomesPerMessage);
      await this.#send(run, peer, { kind: "hand_off_outcomes", epoch, outcomes: some });
    }
    for (let start = 0; start < effects.length; start += outcomesPerMessage) {
      await this.#send(run, peer, { kind: "late", epoch, effects: effects.slice(start, start + outcomesPerMessage) });
    }
    // After the entries: the receiver notes it with what it holds of the key.
    for (let start = 0; start < unknown.length; start += outcomesPerMessage) {
      const some = unknown.slice(start, start + outcomesPerMessage);
      await this.#send(run, peer, { kind: "hand_off_unknown", epoch, unknown: some });
    }
  }

  #itemsOf(keys: readonly string[]): KeyVersion[] {
    const items: KeyVersion[] = [];
    for (const key of keys) {
      const entry = this.#heldOf(key);
      if (entry) items.push({ key, version: versionOf(entry) });
    }
    return items;
  }

  /** What is held of the key, visible or inherited. */
  #heldOf(key: string): Entry | undefined {
    const record = this.#context.buffer.get(key);
    const first = record?.pending[0];
    return record?.entry ?? (first?.inherited ? first.entry : undefined);
  }

  /** Sends until it is acknowledged; undefined when the run ends before that (V40). */
  async #send(run: object, peer: string, request: PeerRequest): Promise<PeerAnswer | undefined> {
    const { membership, network, clock, complaints } = this.#context;
    while (run === this.#run) {
      try {
        const answer = await network.request(peer, request, this.#deadlineMs);
        if (run !== this.#run) return undefined;
        if (answer.kind === "ack" || answer.kind === "wanted") return answer;
        // Some have not adopted the same view yet, or have gone on to the next: that is part of every change.
        const isChanging = answer.kind === "refused" && answer.code === "not_ready";
        if (!isChanging && (answer.kind !== "refused" || answer.epoch === membership.epoch)) {
          const reason = answer.kind === "refused" ? answer.detail : answer.kind;
          complaints.warn(`hand-off ${peer}`, "a hand-off is refused and will be tried again", { peer, reason });
        }
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        if (isOperatingError(error, "deadline_exceeded") && run === this.#run) this.#eviction.stuck(peer);
        complaints.warn(`hand-off ${peer}`, "a hand-off fails and will be tried again", { peer, error });
      }
      await sleep(clock, retryMs);
    }
    return undefined;
  }
}

function pack<T>(parcels: Map<string, PartedList<T>>, peer: string, item: T): void {
  let parcel = parcels.get(peer);
  if (parcel === undefined) {
    parcel = new PartedList();
    parcels.set(peer, parcel);
  }
  parcel.push(item);
}
