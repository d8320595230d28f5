/**
 * What may be lost without anything promised being lost: kept here, so that the faults stay within it, and a run that stays within it must end well.
 *
 * A data folder is *lost* when nothing will ever start on it again: an empty disk took its place, or the process had no journal. Of each view that matters (the one
 * in the store, those of its lineage, those with keys in doubt) fewer folders may be lost than a key has owners, and no more than half: beyond that
 * an operator would have to decide. A view that was settled without the folder does not count it any more. And while a process leaves, or the view is being changed in the
 * store, nothing is lost at all: it would count in a view that is not known yet.
 */

import { type PastView, parseView, type View, viewName } from "../../src/core/view.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";

export class LossBudget {
  readonly #world: SimWorld;
  readonly #store: SimStore;
  readonly #lost = new Set<string>();
  /** Processes that are leaving. */
  #leaving = 0;
  #overdrawn: string | undefined;

  constructor(world: SimWorld, store: SimStore) {
    this.#world = world;
    this.#store = store;
  }

  /** Folders lost so far. */
  get losses(): number {
    return this.#lost.size;
  }

  /** The view in the store. */
  get view(): View | undefined {
    const blob = this.#store.peek(viewName);
    return blob === undefined ? undefined : parseView(blob.body);
  }

  /** Whether what the folder holds does not matter any more: no view names it, but perhaps as one that has left. */
  isDone(folder: string): boolean {
    return this.#viewsNaming(folder).length === 0;
  }

  /** Whether the folder may be lost now: undefined is one that was never named, because its process has not come so far. */
  allows(folder: string | undefined): boolean {
    if (folder === undefined) return true;
    if (this.#store.isChanging(viewName)) return false;
    const view = this.view;
    const naming = this.#viewsNaming(folder);
    if (view === undefined || naming.length === 0) return true;
    if (this.#leaving > 0) return false;
    return naming.every(({ members }) => {
      const owners = members.filter((member) => member.weight > 0).length;
      const most = Math.min(view.parameters.replicas, owners) - 1;
      const lost = members.filter((member) => member.folder === folder || this.#lost.has(member.folder)).length;
      return lost <= Math.min(most, Math.floor(owners / 2));
    });
  }

  /** Notes that it is lost. */
  lose(folder: string | undefined): void {
    if (folder !== undefined) this.#lost.add(folder);
  }

  /** More was lost than may be, and not by a fault of ours. */
  overdraw(how: string): void {
    this.#world.note("FAULT", () => `overdrawn: ${how}`);
    this.#overdrawn ??= how;
  }

  /** How more was lost than may be; undefined when it was not. */
  get overdrawn(): string | undefined {
    return this.#overdrawn;
  }

  /** Whether a process may begin to leave: no folder of a view that matters is lost. */
  get allowsLeaving(): boolean {
    if (this.#store.isChanging(viewName)) return false;
    return [...this.#lost].every((folder) => this.isDone(folder));
  }

  beginLeaving(): void {
    this.#leaving++;
  }

  endLeaving(): void {
    this.#leaving--;
  }

  /** The views that matter and name the folder as one that may hold something. */
  #viewsNaming(folder: string): readonly Pick<View, "members">[] {
    const view = this.view;
    if (view === undefined) return [];
    const names = ({ members }: PastView): boolean =>
      members.some((member) => member.folder === folder && member.forgotten !== true);
    // The first view of a lineage is a settled one: whoever had no weight in it had handed everything over.
    const lineage = view.lineage.filter((past, index) => {
      return names(past) && (index > 0 || past.members.some((each) => each.folder === folder && each.weight > 0));
    });
    return [...[view, ...view.lost].filter(names), ...lineage];
  }
}
