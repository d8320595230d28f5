/**
 * What may be lost without anything promised being lost: kept here, so that the faults stay within it, and a run that
 * stays within it must end well.
 *
 * A data folder is *lost* when nothing will ever start on it again: an empty disk took its place, or the process had no
 * journal. Of each view that matters (the one in the store, those of its lineage, those with keys in doubt) fewer
 * folders may be lost than a key has owners, and no more than half: beyond that an operator would have to decide. A
 * view that was settled without the folder does not count it any more. And while a process leaves, or the view is being
 * changed in the store, nothing is lost at all: it would count in a view that is not known yet.
 */

import { type PastMember, type PastView, parseView, type View, viewName, votersOf } from "../../src/core/view.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

export class LossBudget {
  readonly #world: SimWorld;
  readonly #store: SimStore;
  readonly #ghosts: () => readonly (string | undefined)[];
  readonly #lost = new Set<string>();
  /** Processes that are leaving. */
  #leaving = 0;
  #isExceeded = false;
  /** The view's record, while it is removed. */
  #removed: Blob | undefined;
  /** What was read last: it is asked for at each of many events, and changes rarely. */
  #read: { readonly body: Uint8Array; readonly view: View } | undefined;

  /** @param ghosts - folders that are lost although a process still runs on them: it may join once more */
  constructor(world: SimWorld, store: SimStore, ghosts: () => readonly (string | undefined)[]) {
    this.#world = world;
    this.#store = store;
    this.#ghosts = ghosts;
    store.watch((name, before, after) => {
      if (name === viewName) this.#removed = after === undefined ? before : undefined;
    });
  }

  /** Folders lost so far. */
  get losses(): number {
    return this.#lost.size;
  }

  /** The view in the store, or the one that was removed from it. */
  get view(): View | undefined {
    const blob = this.#store.peek(viewName) ?? this.#removed;
    if (blob === undefined) return undefined;
    if (this.#read?.body !== blob.body) this.#read = { body: blob.body, view: parseView(blob.body) };
    return this.#read.view;
  }

  /** Whether what the folder holds does not matter any more: no view names it, but perhaps as one that has left. */
  isDone(folder: string): boolean {
    return this.#viewsNaming(folder).length === 0;
  }

  /**
   * Whether the folder may be lost now: undefined is one that was never named, because its process has not come so far.
   */
  allows(folder: string | undefined): boolean {
    if (folder === undefined) return true;
    if (this.#store.isChanging(viewName) || (this.#leaving > 0 && !this.isDone(folder))) return false;
    return this.#isWithin(folder, this.#viewsNaming(folder));
  }

  /** Whether it may be lost although its process still runs: if no view names it, one that is not known yet may. */
  allowsTwin(folder: string | undefined): boolean {
    return this.allows(folder) && (folder === undefined || !this.isDone(folder) || this.allowsLeaving);
  }

  /** Whether it might be lost now if the newest view were not. */
  allowsBut(view: View, folder: string): boolean {
    return this.#isWithin(
      folder,
      this.#viewsNaming(folder).filter(({ epoch }) => epoch !== view.epoch),
    );
  }

  /** Whether no more is lost than may be in these views when this folder is, too. */
  #isWithin(folder: string, views: readonly Pick<View, "epoch" | "members">[]): boolean {
    const replicas = this.view?.parameters.replicas ?? 1;
    const newest = this.view?.epoch;
    return views.every(({ epoch, members }) => {
      const owners = members.filter((member) => member.weight > 0).length;
      const named = members.filter((member) => member.folder === folder || this.#lost.has(member.folder)).length;
      const lost = named + (epoch === newest ? this.#ghostsBeside(members, folder) : 0);
      return lost <= Math.min(replicas, owners) - 1 && lost <= Math.floor(owners / 2);
    });
  }

  /** How many ghosts may come into a view with these members. */
  #ghostsBeside(members: View["members"], folder: string): number {
    const isBeside = (ghost: string | undefined): boolean =>
      ghost !== undefined && ghost !== folder && !members.some((member) => member.folder === ghost);
    return this.#ghosts().filter(isBeside).length;
  }

  /**
   * A member of the view that is lost, together with more than half of that view or of one that it follows, so that the
   * others may not replace it.
   */
  get blocking(): string | undefined {
    const { view } = this;
    if (view === undefined || view.settled) return undefined;
    const isGone = ({ folder, off }: PastMember): boolean => this.#lost.has(folder) && off !== true;
    const isBlocked = [view, ...view.lineage].some(
      (past) => 2 * votersOf(past).filter(isGone).length > votersOf(past).length,
    );
    return isBlocked ? view.members.find(({ folder }) => this.#lost.has(folder))?.id : undefined;
  }

  /** Notes that it is lost. */
  lose(folder: string | undefined): void {
    if (folder !== undefined) this.#lost.add(folder);
  }

  /** It was not lost after all. */
  regain(folder: string | undefined): void {
    if (folder !== undefined) this.#lost.delete(folder);
  }

  /**
   * The folder is lost because its process has ended by itself: without a journal that may be more than may be lost.
   */
  loseAnyway(folder: string): void {
    if (this.isDone(folder)) return;
    if (!this.#isWithin(folder, this.#viewsNaming(folder))) {
      this.#world.note("FAULT", () => "more is lost than may be");
      this.#isExceeded = true;
    }
    this.lose(folder);
  }

  /** More was lost than may be: nothing is promised any more. */
  get isExceeded(): boolean {
    return this.#isExceeded;
  }

  /** Whether a process may begin to leave: no folder of a view that matters is lost. */
  get allowsLeaving(): boolean {
    if (this.#store.isChanging(viewName)) return false;
    return [...this.#lost].every((folder) => this.isDone(folder));
  }

  /** Whether some process is leaving. */
  get hasLeaving(): boolean {
    return this.#leaving > 0;
  }

  beginLeaving(): void {
    this.#leaving++;
  }

  endLeaving(): void {
    this.#leaving--;
  }

  /** The views that matter and name the folder as one that may hold something. */
  #viewsNaming(folder: string): readonly Pick<View, "epoch" | "members">[] {
    const view = this.view;
    if (view === undefined) return [];
    // Who owned nothing in a view holds nothing of it, and what it held before is of an earlier one, as long as that
    // matters.
    return [view, ...view.lineage, ...view.lost].filter(({ members }: Pick<PastView, "members">) =>
      members.some((member) => member.folder === folder && member.weight > 0 && !hasLeft(member)),
    );
  }
}

/** What it held is given up, or others have it. */
function hasLeft(member: PastMember): boolean {
  return member.forgotten === true || member.handedOff === true;
}
