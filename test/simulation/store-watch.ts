/**
 * Watches every change of a client's object in the store for invariant P3: the object never goes back to an older state
 * of its key. What was written is known by the `weir-version` that it carries. A removal carries none, so what it stood
 * for is judged at the end: some deletion must have been asked for that may be newer than what it removed.
 *
 * With fewer owners of a key than there should be, writes go through to the store without waiting for older requests
 * whose outcome is unknown; one of those may then come over a newer state, if its condition does not stop it, until the
 * member looks and writes it again. So such a time, and the deadline after it, is exempt, unless conditions always stop
 * it: what counts then is the store's content at the end. What a client was told to be in the store is never exempt.
 */

import { compareVersions, noVersion, type Version } from "../../src/core/version.ts";
import type { View } from "../../src/core/view.ts";
import type { Blob } from "../../src/store/blob-store.ts";

/** A deletion that a client asked for. */
export interface Deletion {
  readonly key: string;
  readonly calledMs: number;
  /** Undefined while its outcome is unknown: it may have any version, or never have happened. */
  version: Version | undefined;
}

interface Removal {
  readonly key: string;
  readonly atMs: number;
  readonly removed: Version;
}

interface KeyState {
  /** The newest version that the object ever had. */
  newest: Version;
  /** Whether the object was removed since it had that. */
  removed: boolean;
  /** The newest version that a client was told to be in the store: nothing older may ever be there again. */
  promised: Version;
}

export class StoreWatch {
  readonly #keys = new Map<string, KeyState>();
  readonly #removals: Removal[] = [];
  readonly #violations: string[] = [];
  readonly #conditionsHold: boolean;
  #exemptUntilMs = Number.NEGATIVE_INFINITY;

  /** Whatever an older request was conditional on cannot come back: not as the same tag, and not as absence. */
  constructor(modes: { readonly uniqueTags: boolean; readonly deleteShare: number }) {
    this.#conditionsHold = modes.uniqueTags && modes.deleteShare === 0;
  }

  /** The view in the store is this one now. */
  viewChanged(view: View, atMs: number): void {
    const { replicas, flushDeadlineMs } = view.parameters;
    const isShort = [view, ...view.lineage].some(
      ({ members }) => members.filter((member) => member.weight > 0).length < replicas,
    );
    if (isShort && !this.#conditionsHold) this.#exemptUntilMs = Number.POSITIVE_INFINITY;
    else if (this.#exemptUntilMs === Number.POSITIVE_INFINITY) this.#exemptUntilMs = atMs + flushDeadlineMs;
  }

  /** A change of the object `key` at `atMs`. */
  changed(key: string, atMs: number, before: Blob | undefined, after: Blob | undefined): void {
    let state = this.#keys.get(key);
    if (state === undefined) {
      state = { newest: versionOf(before), removed: before === undefined, promised: noVersion };
      this.#keys.set(key, state);
    }
    const exempt = atMs <= this.#exemptUntilMs;
    if (after === undefined) {
      if (before === undefined) return;
      if (!exempt) this.#removals.push({ key, atMs, removed: versionOf(before) });
      // One by an older request is put right after the exemption: the same state again, not an older one.
      state.removed = !exempt;
      return;
    }
    if (after.upload !== undefined) {
      // Its version is known to those who hold its reference only. What it may not come over, or what may not come over
      // it, shows in what is read at the end.
      state.removed = false;
      return;
    }
    const version = versionOf(after);
    if (compareVersions(version, state.promised) < 0) {
      this.#violations.push(
        `P2: at ${atMs.toFixed(1)} ms ${key} went back to ${show(version)}, after ${show(state.promised)} was answered as stored`,
      );
    }
    const order = compareVersions(version, state.newest);
    if (exempt) {
      // What is there at the end of such a time is what nothing may go back behind.
      state.newest = version;
      state.removed = false;
      return;
    }
    if (version === noVersion) {
      this.#violations.push(`P3: at ${atMs.toFixed(1)} ms ${key} was written without a version`);
    } else if (order < 0 || (order === 0 && state.removed)) {
      const removed = state.removed ? ", and was removed since" : "";
      this.#violations.push(
        `P3: at ${atMs.toFixed(1)} ms ${key} went back to ${show(version)}; it had ${show(state.newest)}${removed}`,
      );
    }
    if (order >= 0) {
      state.newest = version;
      state.removed = false;
    }
  }

  /** A client was told that the store has this version of the key. */
  promised(key: string, version: Version): void {
    const state = this.#keys.get(key);
    if (state !== undefined && compareVersions(version, state.promised) > 0) state.promised = version;
  }

  /** What was wrong, once it is known how all deletions ended. */
  violations(deletions: readonly Deletion[]): string[] {
    const result = [...this.#violations];
    for (const { key, atMs, removed } of this.#removals) {
      const justified = deletions.some(
        (each) =>
          each.key === key &&
          each.calledMs <= atMs &&
          (each.version === undefined || compareVersions(each.version, removed) > 0),
      );
      if (!justified)
        result.push(
          `P3: at ${atMs.toFixed(1)} ms ${key} was removed at ${show(removed)}, which no deletion is newer than`,
        );
    }
    return result;
  }
}

/** The cluster's id and the key's tag in front are the member's business; here the two numbers do. */
export function versionOf(blob: Blob | undefined): Version {
  const parts = blob?.version?.split(".") ?? [];
  const [epoch, seq] = parts.slice(-2).map(Number);
  return parts.length === 4 && epoch !== undefined && seq !== undefined ? { epoch, seq } : noVersion;
}

function show(version: Version): string {
  return `(${version.epoch}, ${version.seq})`;
}
