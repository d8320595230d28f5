/**
 * What the store may yet do with requests that got no answer. It may have kept such a request, and do it at any time
 * until L. But the request has a condition, and that fences it: it changes the object only if its condition holds then.
 * So the conditions are remembered until L, and no state is sent in which one of them holds (F24).
 *
 * The key's other owners know them, too (F25). They keep them for L longer: a primary that is lost may have sent its
 * last request, of which nobody knows, under a condition that was about to be forgotten (F26).
 */

import type { Instant } from "../base/clock.ts";
import { compareVersions, type Version, versionOf } from "./version.ts";

/** What the object must be for a request to change it. */
export type OpenCondition =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string }
  /** A removal by a store that ignores its condition. */
  | { readonly kind: "any_present" }
  | { readonly kind: "any" };

/** What the object is, or will be. */
export type ObjectState =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string }
  /** By an upload. Its tag may be that of its last part, or the one that S3 makes; undefined if that is not known. */
  | { readonly kind: "completed"; readonly partTag: string | undefined; readonly wholeTag: string | undefined };

/** A condition as members tell it to each other. */
export interface LateEffect {
  readonly key: string;
  readonly condition: OpenCondition;
  /** What the request would make of the object; undefined: several versions, or not known. */
  readonly version: Version | undefined;
  /** For how much longer a request under it may take effect, in milliseconds. */
  readonly leftMs: number;
}

/** All conditions of a key, as the journal keeps them; none when they are forgotten. */
export interface LateRecord {
  readonly kind: "late";
  readonly key: string;
  readonly conditions: readonly LateCondition[];
}

export type LateCondition = Pick<LateEffect, "condition" | "version">;

/** Where the conditions are kept over a restart; see `journal/journal.ts`. */
export interface LateLog {
  append(record: LateRecord): void;
}

/** A condition that may still come true for a request. */
interface LateRequest {
  /** What it would make of the object; undefined: several versions, or not known. */
  readonly version: Version | undefined;
  readonly condition: OpenCondition;
  readonly until: Instant;
  /** Until when the key's other owners remember it. */
  readonly toldUntil: Instant;
  /** When this member's first look at the object led to this; undefined for other conditions. */
  readonly lookedAt?: Instant | undefined;
}

/** Conditions that are remembered of a key, at most. With more of them, any state counts as one in which they hold. */
const maxConditions = 8;
/** Keys of which a member remembers conditions of its own requests, at most: some 30 MB. */
const maxKeys = 100_000;
/** The others are told a longer time than L by this part, so that repeated requests need not be told each time. */
const toldPart = 0.25;
/** Clocks may differ in their rate by 5 %: what is told counts for longer by this part. */
const ratePart = 0.1;

export class LateEffects {
  readonly #lateEffectMs: number;
  readonly #log: LateLog;
  /** By key, those that changed longest ago first. */
  readonly #keys = new Map<string, readonly LateRequest[]>();

  /** @param lateEffectMs - L */
  constructor(lateEffectMs: number, log: LateLog) {
    this.#lateEffectMs = lateEffectMs;
    this.#log = log;
  }

  /** Keys of which a request may still take effect. */
  count(now: Instant): number {
    let count = 0;
    for (const late of this.#keys.values()) if (late.some(({ until }) => until > now)) count++;
    return count;
  }

  /** Whether no more keys are to be remembered. Then nothing is to be sent for other keys while the store fails. */
  get isFull(): boolean {
    return this.#keys.size >= maxKeys;
  }

  /**
   * A request under this condition got no answer. Or one of a lost primary may have been sent under it.
   * @param version - what it would make of the object; undefined if that is not known
   */
  add(key: string, version: Version | undefined, condition: OpenCondition, now: Instant): void {
    const until = this.until(now);
    const request = { version: version && versionOf(version), condition, until, toldUntil: Number.NEGATIVE_INFINITY };
    if (until > now) this.#put(key, request);
  }

  /**
   * This member had its first look at the object of a key that it has gained. An unknown request may have been sent
   * under these conditions.
   */
  addLook(key: string, conditions: readonly OpenCondition[], now: Instant): void {
    const until = this.until(now);
    if (until <= now) return;
    const request = { version: undefined, until, toldUntil: Number.NEGATIVE_INFINITY, lookedAt: now };
    for (const condition of conditions) this.#put(key, { ...request, condition });
  }

  /** When that was last; undefined if it was not, or if that is forgotten. */
  lookedAt(key: string): Instant | undefined {
    const times = this.#keys.get(key)?.flatMap(({ lookedAt }) => lookedAt ?? []) ?? [];
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /**
   * A removal is about to be sent to a store that ignores its condition (F27).
   * @returns whether it is to be taken back by {@link answered}: not if an earlier one of this version is remembered
   */
  announce(key: string, version: Version, now: Instant): boolean {
    const isNew = !this.#keys.get(key)?.some((late) => isRemovalOf(late, version));
    this.add(key, version, { kind: "any_present" }, now);
    return isNew && this.mayChange(key, now);
  }

  /** The removal of this version that was announced has got its answer. */
  answered(key: string, version: Version): void {
    const before = this.#keys.get(key) ?? [];
    const late = before.filter((each) => !isRemovalOf(each, version));
    if (late.length === before.length) return;
    if (late.length > 0) this.#keys.set(key, late);
    else this.#keys.delete(key);
    this.#log.append(recordOf(key, late));
  }

  /**
   * It has got its answer, but not all other owners may have heard that. From now on it counts as a removal of any
   * version. So an owner that hears late forgets only what it was told before.
   */
  doubt(key: string, version: Version): void {
    const late = this.#keys.get(key) ?? [];
    const doubted = late.map((each) =>
      isRemovalOf(each, version) ? { ...each, version: undefined, toldUntil: Number.NEGATIVE_INFINITY } : each,
    );
    if (doubted.length > 0) this.#keys.set(key, doubted);
  }

  /** Until when a request that was sent before `now` may take effect. */
  until(now: Instant): Instant {
    return now + this.#lateEffectMs;
  }

  /** A request that was sent before this takes no effect any more. */
  since(now: Instant): Instant {
    return now - this.#lateEffectMs;
  }

  /** The same for a request of which another member says for how much longer, in milliseconds. */
  untilTold(leftMs: number, now: Instant): Instant {
    // What is handed on again and again does not grow.
    const most = this.#lateEffectMs * (1 + toldPart) * (1 + ratePart);
    return now + Math.min(most, leftMs + Math.abs(leftMs) * ratePart);
  }

  /** Another member remembers this. */
  learn({ key, condition, version, leftMs }: LateEffect, now: Instant): void {
    const until = this.untilTold(leftMs, now);
    const request = { version, condition, until, toldUntil: until };
    if (!this.#isForgotten(request, now)) this.#put(key, request);
  }

  /** An earlier process on this data folder remembered this: nobody knows since when. */
  recover({ key, conditions }: Omit<LateRecord, "kind">, now: Instant): void {
    const until = this.until(now);
    if (until <= now || conditions.length === 0) return;
    const late = conditions.map((each) => ({ ...each, until, toldUntil: until }));
    this.#keys.set(key, late);
  }

  /**
   * This member has gained the key. The last request of its predecessor may have been sent under any condition that is
   * remembered.
   * @param newest - the newest version that the predecessor can have sent: if a request for it was told, the last one
   *   was for it, too
   */
  extend(key: string, newest: Version | undefined, now: Instant): void {
    for (const { condition, version } of this.#keys.get(key) ?? []) {
      const isLast = version !== undefined && newest !== undefined && compareVersions(version, newest) === 0;
      this.add(key, isLast ? version : undefined, condition, now);
    }
  }

  /**
   * Until when a request for another version may change an object that is in this state; undefined if none can.
   */
  heldUntil(key: string, version: Version, state: ObjectState, now: Instant): Instant | undefined {
    let last: Instant | undefined;
    for (const each of this.#keys.get(key) ?? []) {
      if (each.until <= now || isOf(each, version) || !holdsIn(each.condition, state)) continue;
      last = Math.max(last ?? each.until, each.until);
    }
    return last;
  }

  /** Whether any request may still change the key's object, in whatever state. */
  mayChange(key: string, now: Instant): boolean {
    return this.#keys.get(key)?.some(({ until }) => until > now) ?? false;
  }

  /** What the key's other owners must know before its next request. */
  untold(key: string, now: Instant): LateEffect[] {
    const late = this.#keys.get(key) ?? [];
    if (late.every(({ until, toldUntil }) => until <= now || until <= toldUntil)) return [];
    const leastMs = this.#lateEffectMs * (1 + toldPart);
    return late
      .filter(({ until }) => until > now)
      .map(({ condition, version, until }) => ({ key, condition, version, leftMs: Math.max(leastMs, until - now) }));
  }

  /** The key's other owners have been told this, at `toldAt`. */
  told(effects: readonly LateEffect[], toldAt: Instant): void {
    for (const effect of effects) {
      const { key, leftMs } = effect;
      const late = this.#keys.get(key) ?? [];
      const told = late.map((each) => (isSame(each, effect) ? { ...each, toldUntil: toldAt + leftMs } : each));
      if (told.length > 0) this.#keys.set(key, told);
    }
  }

  /** All that is remembered, for a hand-off. */
  *effects(now: Instant): IterableIterator<LateEffect> {
    for (const [key, late] of this.#keys) {
      // What is kept for longer counts from a takeover on: its time is up meanwhile.
      for (const { condition, version, until } of late) yield { key, condition, version, leftMs: until - now };
    }
  }

  /** The same for the journal. */
  *records(): IterableIterator<LateRecord> {
    for (const [key, late] of this.#keys) yield recordOf(key, late);
  }

  /** Forgets what was over L ago. */
  forgetOver(now: Instant): void {
    for (const [key, late] of this.#keys) {
      if (late.some((each) => !this.#isForgotten(each, now))) break;
      this.#keys.delete(key);
      this.#log.append({ kind: "late", key, conditions: [] });
    }
  }

  #isForgotten({ until }: Pick<LateRequest, "until">, now: Instant): boolean {
    return until + this.#lateEffectMs <= now;
  }

  #put(key: string, request: LateRequest): void {
    const before = this.#keys.get(key) ?? [];
    const same = before.find((each) => isSame(each, request));
    let late: readonly LateRequest[] = [...before.filter((each) => each !== same), merged(same, request)];
    if (late.length > maxConditions) {
      const until = Math.max(...late.map((each) => each.until));
      const lookedAt = late.reduce((last, each) => latest(last, each.lookedAt), request.lookedAt);
      late = [{ version: undefined, condition: { kind: "any" }, until, toldUntil: Number.NEGATIVE_INFINITY, lookedAt }];
    }
    this.#keys.delete(key);
    this.#keys.set(key, late);
    if (!same) this.#log.append(recordOf(key, late));
  }
}

function recordOf(key: string, late: readonly LateRequest[]): LateRecord {
  return { kind: "late", key, conditions: late.map(({ condition, version }) => ({ condition, version })) };
}

function latest(one: Instant | undefined, other: Instant | undefined): Instant | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function merged(before: LateRequest | undefined, request: LateRequest): LateRequest {
  if (!before) return request;
  const { version, condition, until, toldUntil, lookedAt } = request;
  const isOne = version !== undefined && isOf(before, version);
  return {
    version: isOne ? version : undefined,
    condition,
    until: Math.max(before.until, until),
    toldUntil: Math.max(before.toldUntil, toldUntil),
    lookedAt: latest(before.lookedAt, lookedAt),
  };
}

/** Whether a request with this condition could change an object in this state. */
function holdsIn(condition: OpenCondition, state: ObjectState): boolean {
  switch (condition.kind) {
    case "any":
      return true;
    case "any_present":
      return state.kind !== "absent";
    case "absent":
      return state.kind === "absent";
    case "present":
      return mayHaveTag(state, condition.tag);
  }
}

/** Tags come back only where they are hashes of the content. Those of uploads end in the number of parts then. */
function mayHaveTag(state: ObjectState, tag: string): boolean {
  if (state.kind === "completed") return tag === state.partTag || tag === state.wholeTag || isOpaque(state, tag);
  return state.kind === "present" && state.tag === tag;
}

/** Whether the tag may be that of any upload, since it is not known what it is made of. */
function isOpaque({ wholeTag }: { readonly wholeTag: string | undefined }, tag: string): boolean {
  return wholeTag === undefined && /-\d+$/.test(tag);
}

/** Removals without a condition are told apart by their versions, since each ends by itself (F27). */
function isSame(a: LateCondition, b: LateCondition): boolean {
  if (a.condition.kind === "present") return b.condition.kind === "present" && a.condition.tag === b.condition.tag;
  if (a.condition.kind !== "any_present") return a.condition.kind === b.condition.kind;
  return b.condition.kind === "any_present" && (b.version ? isOf(a, b.version) : a.version === undefined);
}

/** Whether it is a removal of this version without a condition. */
function isRemovalOf(late: LateCondition, version: Version): boolean {
  return late.condition.kind === "any_present" && isOf(late, version);
}

function isOf(request: Pick<LateRequest, "version">, version: Version): boolean {
  return request.version !== undefined && compareVersions(request.version, version) === 0;
}
