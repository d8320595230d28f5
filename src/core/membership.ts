/**
 * What this member knows of the cluster: the view it has adopted, who owns which key under it, and where every other member stands.
 * From that follow the two moments of a view's life: it is *activated* here once every member has handed off what it held, and
 * it can be *settled* then.
 */

import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { MemberState, PeerIdentity } from "./message.ts";
import { Ring } from "./ring.ts";
import { Tenure } from "./tenure.ts";
import type { View, ViewMember } from "./view.ts";

interface Heard {
  readonly incarnation: string;
  readonly state: MemberState;
}

const noOwners: readonly string[] = Object.freeze([]);

export class Membership {
  readonly self: PeerIdentity;
  readonly #tenure: Tenure;
  /** The newest state heard of each process, by id. */
  readonly #heard = new Map<string, Heard>();
  /** Epochs that this process has adopted, of those that a lineage may still name. */
  readonly #adoptedEpochs = new Set<number>();
  #view: View | undefined;
  #ring: Ring | undefined;
  #lastKey: string | undefined;
  #lastOwners = noOwners;
  #settled = false;
  #handedOff = false;

  constructor(self: PeerIdentity) {
    this.self = self;
    this.#tenure = new Tenure(self.id);
  }

  /** The adopted view. Only valid after the first adoption. */
  get view(): View {
    assert(this.#view !== undefined, "a view is adopted before it is used");
    return this.#view;
  }

  /** The adopted epoch; 0 before the first. */
  get epoch(): number {
    return this.#view?.epoch ?? 0;
  }

  get settled(): boolean {
    return this.#settled;
  }

  get activated(): boolean {
    return this.#tenure.activated;
  }

  get handedOff(): boolean {
    return this.#handedOff;
  }

  /** The members of the adopted view other than this one. */
  get peers(): readonly ViewMember[] {
    return this.#view?.members.filter((member) => member.id !== this.self.id) ?? [];
  }

  /** Takes on a newer view that lists this process. What follows from it for each key is the caller's work. */
  adopt(view: View, now: Instant): void {
    assert(view.epoch > this.epoch, "epochs only grow");
    assert(
      view.members.some((each) => each.id === this.self.id && each.incarnation === this.self.incarnation),
      "a member adopts only views that list its own process",
    );
    this.#view = view;
    this.#ring = ringOf(view);
    this.#lastKey = undefined;
    this.#settled = view.settled;
    this.#handedOff = false;
    this.#tenure.adopt(this.#ring, now);
    for (const epoch of this.#adoptedEpochs) {
      if (!view.lineage.some((past) => past.epoch === epoch)) this.#adoptedEpochs.delete(epoch);
    }
    this.#adoptedEpochs.add(view.epoch);
  }

  /** The key's owners under the adopted view, primary first; empty before the first view. */
  ownersOf(key: string): readonly string[] {
    // One operation asks several times in a row: the same string again needs no hash.
    if (key !== this.#lastKey) {
      this.#lastOwners = this.#ring?.ownersOf(key) ?? noOwners;
      this.#lastKey = key;
    }
    return this.#lastOwners;
  }

  share(id: string): number {
    return this.#ring?.share(id) ?? 0;
  }

  /** Whether this member serves `key`, whose owners are `owners`. */
  serves(key: string, owners: readonly string[]): boolean {
    return this.#tenure.has(key, owners[0]);
  }

  flushFrom(key: string): Instant | undefined {
    return this.#tenure.flushFrom(key);
  }

  /**
   * Tells of which keys this process was an owner under a view that it had itself adopted and that the lineage still names: what it
   * holds of any other key has been handed over long ago, and must not count any more even if it owns the key again now.
   */
  ownedBefore(): (key: string) => boolean {
    const rings = this.view.lineage
      .filter((past) => this.#adoptedEpochs.has(past.epoch))
      .map((past) => ringOf({ members: past.members, parameters: this.view.parameters }));
    return (key) => rings.some((ring) => ring.ownersOf(key).includes(this.self.id));
  }

  /** Whether this member still waits before it flushes keys that it gained: a lost predecessor may have a request under way. */
  waitsToFlush(now: Instant): boolean {
    return this.#tenure.waits(now);
  }

  /** Whether `peer` is a member of the adopted view. */
  lists(peer: PeerIdentity): boolean {
    return this.#view?.members.some((each) => each.id === peer.id && each.incarnation === peer.incarnation) ?? false;
  }

  /** Takes note of a peer's state. The answer to a ping may be read after a notice that was sent later: what is older is ignored. */
  hear(from: PeerIdentity, state: MemberState): void {
    const last = this.#heard.get(from.id);
    if (last?.incarnation === from.incarnation && progressOf(state) < progressOf(last.state)) return;
    this.#heard.set(from.id, { incarnation: from.incarnation, state });
    if (state.settled && state.epoch === this.epoch && this.lists(from)) this.#settled = true;
  }

  /** The state last heard of a peer's listed process. */
  stateOf(peer: ViewMember): MemberState | undefined {
    const heard = this.#heard.get(peer.id);
    return heard?.incarnation === peer.incarnation ? heard.state : undefined;
  }

  markHandedOff(): void {
    this.#handedOff = true;
  }

  markSettled(): void {
    assert(this.#handedOff, "a view settles after every hand-off");
    this.#settled = true;
  }

  /** Whether every member has adopted this view and handed off to every owner under it. */
  everyoneHandedOff(): boolean {
    if (this.#settled) return true;
    if (!this.#handedOff) return false;
    return this.peers.every((peer) => {
      const state = this.stateOf(peer);
      return state?.epoch === this.epoch && state.handedOff;
    });
  }

  /**
   * Gains tenure of every key whose primary this member is; true if that is new. Call when {@link everyoneHandedOff}.
   *
   * @param quiet - what this member says of itself in {@link MemberState.quiet}
   */
  activate(now: Instant, quiet: boolean): boolean {
    if (this.activated) return false;
    assert(this.everyoneHandedOff(), "a view is activated after every hand-off");
    const { lineage, parameters } = this.view;
    // Whoever might have a request to the store under way for a key that this member gains now is here and says that it has none.
    const here = new Set(this.view.members.map((member) => member.incarnation));
    const allHere = lineage.every((past) => past.members.every((member) => here.has(member.incarnation)));
    const allQuiet =
      quiet &&
      !this.waitsToFlush(now) &&
      this.peers.every((peer) => {
        const state = this.stateOf(peer);
        return state?.epoch === this.epoch && state.quiet;
      });
    this.#tenure.activate(allHere && allQuiet ? Number.NEGATIVE_INFINITY : now + parameters.flushDeadlineMs);
    return true;
  }
}

/** A number that only grows as a process goes on: epochs, and within one hand-off and settling. */
function progressOf({ epoch, handedOff, settled }: MemberState): number {
  return epoch * 4 + (settled ? 2 : 0) + (handedOff ? 1 : 0);
}

function ringOf(view: Pick<View, "members" | "parameters">): Ring {
  return new Ring(
    view.members.map(({ id, weight, zone }) => (zone === undefined ? { id, weight } : { id, weight, zone })),
    view.parameters.replicas,
  );
}
