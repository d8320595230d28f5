/**
 * What this member knows of the cluster: the view it has adopted, who owns which key under it, how far every other
 * member has come, and whether it holds the lease. Two moments of a view's life follow from that:
 *
 * - The view is *activated* here once everyone has delivered what it held to the new primaries. If a member was
 *   dropped, T has to pass as well.
 * - The view can be *settled* once everyone has handed off to every owner.
 */

import { assert } from "../base/assert.ts";
import type { Clock, Instant } from "../base/clock.ts";
import { claimsOf } from "./claims.ts";
import { Doubt } from "./doubt.ts";
import { ForgottenOwners } from "./forgotten-owners.ts";
import { Lease, peersNeeded, type SentAt } from "./lease.ts";
import type { MemberState, PeerIdentity, Progress } from "./message.ts";
import type { Ring } from "./ring.ts";
import { Tenure } from "./tenure.ts";
import { listsProcess, type PastMember, ringOf, type View, type ViewMember, votersOf } from "./view.ts";
import { hasDrop, type RememberedViews } from "./view-changes.ts";

/** Who this process is. */
export interface SelfIdentity extends PeerIdentity {
  /** Its data folder; see `ViewMember.folder`. */
  readonly folder: string;
}

interface Heard {
  readonly incarnation: string;
  readonly state: MemberState;
}

const noOwners: readonly string[] = Object.freeze([]);

export class Membership {
  readonly self: SelfIdentity;
  readonly lease: Lease;
  readonly #clock: Clock;
  readonly #tenure: Tenure;
  /** The newest state heard of each process, by id. */
  readonly #heard = new Map<string, Heard>();
  /** The processes that have answered a ping of this one. */
  readonly #answered = new Set<string>();
  #isVouchedFor = false;
  #isBroughtBack = false;
  /** Epochs that this data folder has adopted and that the lineage or the lost views may still name. */
  #adoptedEpochs: ReadonlySet<number>;
  /** See {@link cluster}. */
  readonly #cluster: string | undefined;
  #view: View | undefined;
  #ring: Ring | undefined;
  #doubt: Doubt | undefined;
  readonly #forgotten = new ForgottenOwners();
  #lastKey: string | undefined;
  #lastOwners = noOwners;
  #settled = false;
  #progress: Progress = "adopting";
  #isSwept = false;
  /** When this member learned that everyone had adopted the view. */
  #allAdoptedAt: Instant | undefined;

  /**
   * @param adoptedEpochs - the epochs that earlier processes on the same data folder adopted
   * @param cluster - the id of the cluster that these epochs are of, if that is known
   */
  constructor(self: SelfIdentity, clock: Clock, adoptedEpochs: readonly number[], cluster?: string) {
    this.self = self;
    this.lease = new Lease(clock);
    this.#clock = clock;
    this.#tenure = new Tenure(self.id);
    this.#adoptedEpochs = new Set(adoptedEpochs);
    this.#cluster = cluster;
  }

  /** The adopted view. Valid only after the first adoption. */
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

  /** Whether what was held has been gone through under the adopted view. Until then nothing is taken (V64). */
  get isSwept(): boolean {
    return this.#isSwept;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The epochs that this data folder has adopted and that still matter, ascending. */
  get adoptedEpochs(): readonly number[] {
    return [...this.#adoptedEpochs].toSorted((a, b) => a - b);
  }

  /** The id of the cluster that this data folder's views are of. Undefined if the folder has none, or does not say. */
  get cluster(): string | undefined {
    return this.#view?.parameters.clusterId ?? this.#cluster;
  }

  /** The members of the adopted view other than this one. */
  get peers(): readonly ViewMember[] {
    return this.#view?.members.filter((member) => member.id !== this.self.id) ?? [];
  }

  /** This member's entry in the adopted view. */
  get entry(): ViewMember {
    const entry = this.view.members.find((member) => member.id === this.self.id);
    assert(entry !== undefined, "the adopted view lists this process");
    return entry;
  }

  /**
   * The earlier views that matter beyond this one.
   * @param lateSince - a request that was sent before this can take no effect any more
   */
  remembered(lateSince: Instant): RememberedViews {
    return { lost: this.#doubt?.views ?? [], forgotten: this.#forgotten.viewsSince(lateSince) };
  }

  /** The nodes whose data would end the doubt of some keys. */
  get awaited(): readonly string[] {
    return this.#doubt?.awaited ?? [];
  }

  /** Takes on a newer view that lists this process. The caller works out what follows from it for each key (V5, V7). */
  adopt(view: View): void {
    assert(view.epoch > this.epoch, "epochs only grow");
    assert(listsProcess(view, this.self), "a member adopts only views that list its own process");
    const isAnew = this.#view && ownedByReturned(this.#view, view);
    this.#view = view;
    this.#ring = ringOf(view.members, view.parameters);
    this.#doubt = new Doubt(view);
    this.#forgotten.adopt(view);
    this.#lastKey = undefined;
    this.#settled = view.settled;
    this.#progress = "adopting";
    this.#isSwept = false;
    this.#allAdoptedAt = undefined;
    // These are the view's, never the member's own (V3).
    const { replicas, leaseMs } = view.parameters;
    const voters = votersOf(view);
    const isVoter = voters.some((voter) => voter.id === this.self.id);
    this.lease.reset(peersNeeded(voters.length, isVoter, replicas), leaseMs);
    // Tenure goes by the rings of this view and the one before (V33, V34).
    this.#tenure.adopt(this.#ring, this.#doubt, this.#clock.now(), isAnew);
  }

  /** What does not count any more is held no more. Only now this data folder has adopted the view (V36, V65). */
  swept(): void {
    assert(!this.#isSwept, "what is held is gone through once for each view");
    const { epoch, lineage, lost } = this.view;
    const named = new Set([...lineage, ...lost].map((past) => past.epoch));
    this.#adoptedEpochs = new Set([...this.#adoptedEpochs].filter((each) => named.has(each)).concat(epoch));
    this.#isSwept = true;
  }

  /** The key's owners under the adopted view, primary first; empty before the first view. */
  ownersOf(key: string): readonly string[] {
    // One operation asks several times in a row: for the same string again, no hash is needed.
    if (key !== this.#lastKey) {
      this.#lastOwners = this.#ring?.ownersOf(key) ?? noOwners;
      this.#lastKey = key;
    }
    return this.#lastOwners;
  }

  /**
   * Whether a key with these owners has fewer than R of them. Then the store must have its writes before they
   * commit (W5).
   */
  isShort(owners: readonly string[]): boolean {
    return owners.length < this.view.parameters.replicas;
  }

  /** The share of all keys whose primary the member is, 0 to 1; 0 before the first view. */
  share(id: string): number {
    return this.#ring?.share(id) ?? 0;
  }

  /**
   * Whether this member is the active primary of `key`, whose owners are `owners`: it has tenure. To answer, it needs
   * the lease, too.
   */
  serves(key: string, owners: readonly string[]): boolean {
    return this.#tenure.has(key, owners[0]);
  }

  /** Whether this member may, at this moment, answer for `key`, and commit and flush what it holds of it (V8). */
  mayAnswer(key: string): boolean {
    return this.serves(key, this.ownersOf(key)) && this.mayAnswerForAny;
  }

  /** Whether there may be a key that it may do so for. It may not without a lease, nor while it adopts a view. */
  get mayAnswerForAny(): boolean {
    return this.#progress !== "adopting" && this.lease.held();
  }

  /** Whether it may do so for every key whose primary it is, whichever keys those are. */
  mayAnswerForAll(): boolean {
    return this.activated && this.#doubt?.any === false && this.mayAnswerForAny;
  }

  /** See {@link Doubt.has}. */
  inDoubt(key: string): boolean {
    return this.#doubt?.has(key) ?? false;
  }

  /** Whether the store may be newer than what the key's holders have; see {@link Doubt.wasForgotten}. */
  wasForgotten(key: string): boolean {
    return this.#doubt?.wasForgotten(key) ?? false;
  }

  /** See {@link ForgottenOwners.maySendSince}. */
  mayForgottenSendSince(key: string, since: Instant): boolean {
    return this.#forgotten.maySendSince(key, since);
  }

  /** See {@link Doubt.hasForgotten}. */
  get hasForgotten(): boolean {
    return this.#doubt?.hasForgotten ?? false;
  }

  /** See {@link Tenure.flushFrom}. */
  flushFrom(key: string): Instant | undefined {
    return this.#tenure.flushFrom(key);
  }

  /** Tells whether what this data folder holds of a key still counts (V36); see {@link claimsOf}. */
  countsFor(): (key: string) => boolean {
    return claimsOf(this.view, this.self.folder, this.#adoptedEpochs);
  }

  /**
   * Whether this member still waits before it flushes keys that it gained: a lost predecessor may have a request to the
   * store under way.
   */
  waitsToFlush(now: Instant): boolean {
    return this.#tenure.waits(now);
  }

  /** Whether any member owns keys under the adopted view. If none does, nothing is served. */
  get isOwned(): boolean {
    return votersOf(this.view).length > 0;
  }

  /** Whether `peer` is a member of the adopted view (V5). */
  lists(peer: PeerIdentity): boolean {
    return this.#view !== undefined && listsProcess(this.#view, peer);
  }

  /**
   * Takes note of a peer's state. The answer to a ping may be read after a notice that was sent later, so an older
   * state is ignored.
   */
  hear(from: PeerIdentity, state: MemberState): void {
    const last = this.#heard.get(from.id);
    if (last?.incarnation === from.incarnation && rankOf(state) < rankOf(last.state)) return;
    this.#heard.set(from.id, { incarnation: from.incarnation, state });
    if (state.settled && state.epoch === this.epoch && this.lists(from)) this.#settled = true;
  }

  /**
   * A peer answered with this state a ping that was sent at `sentAt`. If the peer has adopted the same view, that
   * confirms the lease (V14).
   */
  confirm(from: PeerIdentity, state: MemberState, sentAt: SentAt): void {
    assert(sentAt.now <= this.#clock.now(), "an answer comes after its request");
    this.#answered.add(from.incarnation);
    if (state.epoch !== this.epoch || state.progress === "adopting" || !this.#isVoter(from)) return;
    this.lease.confirm(from.id, sentAt);
  }

  /**
   * Whether every member of a view that this process was in has answered it, so that one which knows more of its data
   * folder than the process does has had the occasion to say so (V62).
   */
  get isVouchedFor(): boolean {
    this.#isVouchedFor ||= this.peers.every(({ incarnation }) => this.#answered.has(incarnation));
    return this.#isVouchedFor && !this.#isBroughtBack;
  }

  /** Whether a peer knows more of this data folder than this process does: it is an earlier state of itself. */
  get isBroughtBack(): boolean {
    return this.#isBroughtBack;
  }

  markBroughtBack(): void {
    this.#isBroughtBack = true;
  }

  #isVoter(peer: PeerIdentity): boolean {
    return votersOf(this.view).some((each) => each.id === peer.id && each.incarnation === peer.incarnation);
  }

  /** The state last heard of this process of a peer. */
  stateOf(peer: PeerIdentity): MemberState | undefined {
    const heard = this.#heard.get(peer.id);
    return heard?.incarnation === peer.incarnation ? heard.state : undefined;
  }

  /**
   * The ids of members that say they have adopted a newer view than this member. The adopted view may not list them
   * yet (V6).
   */
  get ahead(): readonly string[] {
    return [...this.#heard].flatMap(([id, { state }]) => (state.epoch > this.epoch ? id : []));
  }

  /** This member has come further with the adopted view. */
  advance(progress: Progress): void {
    assert(this.#view !== undefined, "a view is adopted before there is progress under it");
    assert(ranks[progress] > ranks[this.#progress], "progress under a view only goes forward");
    assert(this.#isSwept, "a view is adopted when what is held has been gone through");
    this.#progress = progress;
  }

  markSettled(): void {
    assert(this.#progress === "handed_off", "a view settles after every hand-off");
    this.#settled = true;
  }

  /** Whether every member has come at least this far with the adopted view. */
  everyoneHas(progress: Progress): boolean {
    const rank = ranks[progress];
    if (ranks[this.#progress] < rank) return false;
    if (this.#settled) return true;
    return this.peers.every((peer) => {
      const state = this.stateOf(peer);
      return state?.epoch === this.epoch && ranks[state.progress] >= rank;
    });
  }

  /**
   * The instant from which no lease on an older view can be held any more. Undefined while that is not known.
   *
   * - Where no member was dropped, every member that could hold such a lease has adopted this view.
   * - Otherwise T has to pass since this member *learned* that everyone had adopted it. A member that lagged may have
   *   confirmed an old lease until then (V43).
   */
  safeFrom(): Instant | undefined {
    if (this.#settled || !hasDrop(this.view)) return Number.NEGATIVE_INFINITY;
    if (this.#allAdoptedAt === undefined && this.everyoneHas("adopted")) this.#allAdoptedAt = this.#clock.now();
    return this.#allAdoptedAt === undefined ? undefined : this.#allAdoptedAt + this.view.parameters.leaseMs;
  }

  /**
   * Whether a new primary under this view may serve: all that was held has been delivered, and no older view is
   * served (V42, V43).
   */
  mayActivate(): boolean {
    const safeFrom = this.safeFrom();
    return safeFrom !== undefined && safeFrom <= this.#clock.now() && this.everyoneHas("delivered");
  }

  /** Whether the adopted view can be settled, or is settled (V47, V49). */
  maySettle(): boolean {
    return (this.isOwned || !this.#mayBeHeld()) && this.everyoneHas("handed_off");
  }

  /**
   * Whether some member may hold what has to be handed to an owner. It may hold entries of a view that was never
   * settled. Or it holds entries of a lost view, and was gone when a later view was settled (V49).
   */
  #mayBeHeld(): boolean {
    const { lineage, lost, members } = this.view;
    const here = new Set(members.map(({ folder }) => folder));
    const isBack = ({ folder, handedOff }: PastMember): boolean => here.has(folder) && handedOff !== true;
    return (
      lineage.some((past) => votersOf(past).length > 0) ||
      lost.some((past) => votersOf(past).some((each) => isBack(each)))
    );
  }

  /**
   * Gains tenure of every key whose primary this member is and that is not in doubt. Call it once, when
   * {@link mayActivate} says so.
   *
   * @param quiet - what this member says of itself in {@link MemberState.quiet}
   */
  activate(quiet: boolean): void {
    assert(this.mayActivate(), "a view is activated after every delivery");
    const now = this.#clock.now();
    const { lineage, lost, parameters } = this.view;
    // This member may flush the keys that it gains now at once if no earlier process has a request under way for them.
    // So all that owned something since the last settled view must be here, and say that they have none (F5, F6).
    const here = new Set(this.view.members.map((member) => member.incarnation));
    const earlier = [...lost.flatMap((past) => past.members), ...lineage.flatMap(votersOf)];
    const allHere = earlier.every((each) => here.has(each.incarnation));
    const allQuiet =
      quiet &&
      !this.waitsToFlush(now) &&
      this.peers.every((peer) => {
        const state = this.stateOf(peer);
        return state?.epoch === this.epoch && state.quiet;
      });
    this.#forgotten.activate(now);
    this.#tenure.activate(allHere && allQuiet ? Number.NEGATIVE_INFINITY : now + parameters.flushDeadlineMs);
  }
}

const ranks: Readonly<Record<Progress, number>> = { adopting: 0, adopted: 1, delivered: 2, handed_off: 3 };

/**
 * A number that only grows as a process goes on: by its epoch, and within one epoch by its progress and by settling.
 */
function rankOf({ epoch, progress, settled }: MemberState): number {
  return epoch * 8 + (settled ? 4 : 0) + ranks[progress];
}

/**
 * The keys that a returning folder owned in a view that still matters, although the view before went without that
 * folder. Undefined if no folder returns so. What the folder holds of these keys may be newer than what was served
 * meanwhile. It has to be handed over first, as to a new owner.
 *
 * When the view before is settled, nothing of it counts any more, except for keys in doubt, and nobody serves
 * those (V34).
 */
function ownedByReturned(before: View, view: View): ((key: string) => boolean) | undefined {
  if (view.lineage.length < 2) return undefined;
  const kept = new Set(before.members.map((member) => member.folder));
  const back = new Set(view.members.map((member) => member.folder).filter((folder) => !kept.has(folder)));
  const rings = [...view.lineage, ...view.lost].flatMap((past) => {
    const ids = past.members.filter((member) => back.has(member.folder)).map((member) => member.id);
    return ids.length === 0 ? [] : [{ ring: ringOf(past.members, view.parameters), ids }];
  });
  if (rings.length === 0) return undefined;
  return (key) => rings.some(({ ring, ids }) => ids.some((id) => ring.ownersOf(key).includes(id)));
}
