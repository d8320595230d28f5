/**
 * Requests to the store whose outcome is unknown. Two times count for each:
 *
 * - Until F after it failed it is likely to take effect still. So other versions of its key are not sent (F3), and what
 *   was written meanwhile is not taken for granted.
 * - Until L it may take effect yet: the store, or what stands in front of it, may have kept it. But it has a condition,
 *   and that fences it. It changes the object only if its condition holds: the object has the tag that it names, or is
 *   absent. So conditions are remembered until L, and no state is sent in which one of them holds (F24).
 */

import type { Instant } from "../base/clock.ts";
import { compareVersions, type Version, versionOf } from "./version.ts";

/** What the object must be for a request to change it. */
export type OpenCondition =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string }
  /** A removal by a store that ignores its condition, or several conditions at once. */
  | { readonly kind: "any_present" }
  | { readonly kind: "any" };

/** What the object is, or will be. */
export type ObjectState =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly tag: string }
  /** By an upload. The store alone knows its tag, which may be that of its last part. */
  | { readonly kind: "completed"; readonly partTag: string | undefined };

export interface OpenUntil {
  /** F: after this other versions may be sent. */
  readonly until: Instant;
  /** L: after this it cannot take effect any more. */
  readonly lateUntil: Instant;
}

interface OpenRequest {
  /** Undefined: of several versions. */
  readonly version: Version | undefined;
  readonly until: Instant;
}

/** A condition that may still come true for a request. */
interface LateRequest {
  /** What it would make of the object; undefined: several versions. */
  readonly version: Version | undefined;
  readonly condition: OpenCondition;
  readonly until: Instant;
}

/** Conditions that are remembered of a key, at most. With more of them, any state counts as one in which they hold. */
const maxConditions = 8;
/** Keys of which conditions are remembered, at most: some 30 MB. */
const maxLateKeys = 100_000;

export class OpenRequests {
  /** By key, also of keys that were flushed since. */
  readonly #open = new Map<string, OpenRequest>();
  /** By key, those whose last request failed longest ago first. */
  readonly #late = new Map<string, readonly LateRequest[]>();

  /** Keys whose requests block other versions. */
  get size(): number {
    return this.#open.size;
  }

  /** Keys of which conditions are remembered. */
  get lateSize(): number {
    return this.#late.size;
  }

  /** Whether no more keys are to be remembered. Then nothing is to be sent for other keys while the store fails. */
  get isFull(): boolean {
    return this.#late.size >= maxLateKeys;
  }

  keys(): IterableIterator<string> {
    return this.#open.keys();
  }

  /**
   * A request for this version may take effect, if its condition holds then.
   * @param condition - undefined for one that does not change the object
   */
  add(
    key: string,
    version: Version,
    condition: OpenCondition | undefined,
    { until, lateUntil }: OpenUntil,
    now: Instant,
  ): void {
    const before = this.#open.get(key);
    const isSame = !before || before.until <= now || isOf(before, version);
    this.#open.delete(key);
    // Of several versions under way any may be the last to land.
    this.#open.set(key, { version: isSame ? versionOf(version) : undefined, until });
    if (condition) this.#addLate(key, { version: versionOf(version), condition, until: lateUntil }, now);
  }

  /**
   * Until when a request for another version blocks (any version, if none is given); undefined if none does.
   */
  otherUntil(key: string, version: Version | undefined, now: Instant): Instant | undefined {
    const open = this.#open.get(key);
    if (!open || open.until <= now || (version !== undefined && isOf(open, version))) return undefined;
    return open.until;
  }

  /**
   * Until when a request for another version may change an object that is in this state; undefined if none can.
   */
  lateUntil(key: string, version: Version, state: ObjectState, now: Instant): Instant | undefined {
    let last: Instant | undefined;
    for (const each of this.#late.get(key) ?? []) {
      if (each.until <= now || isOf(each, version) || !holdsIn(each.condition, state)) continue;
      last = Math.max(last ?? each.until, each.until);
    }
    return last;
  }

  /** Whether any request may still change the key's object, in whatever state. */
  mayChange(key: string, now: Instant): boolean {
    return this.#late.get(key)?.some(({ until }) => until > now) ?? false;
  }

  /** Forgets those that cannot take effect any more. */
  forgetClosed(now: Instant): void {
    // Both in order of time, since each is open for the same time.
    for (const [key, { until }] of this.#open) {
      if (until > now) break;
      this.#open.delete(key);
    }
    for (const [key, late] of this.#late) {
      if (late.some(({ until }) => until > now)) break;
      this.#late.delete(key);
    }
  }

  #addLate(key: string, request: LateRequest, now: Instant): void {
    const before = (this.#late.get(key) ?? []).filter(({ until }) => until > now);
    const same = before.find(({ condition }) => isSame(condition, request.condition));
    const version = same && !isOf(same, request.version as Version) ? undefined : request.version;
    const late = [...before.filter((each) => each !== same), { ...request, version }];
    this.#late.delete(key);
    const any: LateRequest = { version: undefined, condition: { kind: "any" }, until: request.until };
    this.#late.set(key, late.length > maxConditions ? [any] : late);
  }
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
  if (state.kind === "completed") return tag === state.partTag || /-\d+$/.test(tag);
  return state.kind === "present" && state.tag === tag;
}

function isSame(a: OpenCondition, b: OpenCondition): boolean {
  return a.kind === b.kind && (a.kind !== "present" || b.kind !== "present" || a.tag === b.tag);
}

function isOf(open: Pick<OpenRequest, "version">, version: Version): boolean {
  return open.version !== undefined && compareVersions(open.version, version) === 0;
}
