/**
 * The operator of a simulated cluster: gives up, by hand, what is lost for good where the members may not decide by
 * themselves. When the only owner of all keys is lost with its disk, more than half of the view is: `weir forget` is
 * needed then. What it acknowledged is in the store; what others acknowledged before must be there, too, or they must
 * still have it. And of no more than may be lost, most of a view may consist after all: when a view drops one who is
 * silent just after that. Then those who are lost are given up in the end.
 */

import { formatView, type View, viewName, votersOf } from "../../src/core/view.ts";
import { forgottenView } from "../../src/core/view-changes.ts";
import type { FaultField } from "./fault-field.ts";
import type { SimHost } from "./sim-cluster.ts";

const lookMs = 50;
/** Nobody is called before the members have had this long to help themselves. */
const calledAfterMs = 10_000;
/** The operator comes within this. */
const maxAbsenceMs = 3_000;

export class Operator {
  readonly #field: FaultField;
  /** The epoch of a view in which its only owner has had everything in the store. */
  #cleanEpoch = 0;

  constructor(field: FaultField) {
    this.#field = field;
  }

  start(): void {
    const { world } = this.#field;
    if (this.#field.isHealed) return;
    const status = this.#loneOwner()?.member?.status();
    const own = status?.members.find((each) => each.id === status.self);
    if (status?.settled === true && own?.dirtyBytes === 0) this.#cleanEpoch = status.epoch;
    world.schedule(lookMs, () => this.start());
  }

  /** When nothing goes wrong any more: gives up those without whom the others cannot go on. */
  help(): void {
    const { budget, world } = this.#field;
    world.schedule(calledAfterMs, () => {
      if (budget.view?.settled !== false) return;
      if (budget.blocking !== undefined) this.#forget(budget.blocking);
      this.help();
    });
  }

  /** The only owner is lost, with its disk; somebody gives it up, and it starts anew on an empty one. */
  loseLoneOwner(): void {
    const { budget, plan, random, store } = this.#field;
    const host = this.#loneOwner();
    const running = host?.running;
    const view = budget.view;
    // An older request may come over a newer state for a while, unless no condition can hold again that once did not;
    // see `StoreWatch`.
    const isSure = plan.uniqueTags && plan.deleteShare === 0 && !store.isChanging(viewName);
    if (host === undefined || view === undefined || running?.folder === undefined || budget.hasLeaving) return;
    const { folder } = running;
    if (!isSure || !(view.epoch === this.#cleanEpoch || this.#isHeldByOthers(view, folder))) return;
    this.#field.note("lone owner lost", () => running.process.name);
    budget.lose(folder);
    host.crash();
    if (plan.journal) host.loseFolder();
    this.#field.undoLater(random.between(0, maxAbsenceMs), () => this.#forget(host.id));
    this.#field.restartLater(host, random.between(0, maxAbsenceMs));
  }

  #forget(id: string): void {
    const { budget, store, random } = this.#field;
    const view = budget.view;
    const next = view === undefined ? undefined : forgottenView(view, id, true, random.id());
    if (next === undefined || next === "refused") return;
    this.#field.note("forget", () => id);
    store.write(viewName, { body: formatView(next), headers: {} }, { kind: "always" });
  }

  /**
   * Whether whatever was acknowledged in views with enough owners, since the last settled one and before, is held by
   * somebody else.
   */
  #isHeldByOthers(view: View, folder: string): boolean {
    const { budget } = this.#field;
    const isEnough = (past: Pick<View, "members">): boolean => votersOf(past).length >= view.parameters.replicas;
    return !view.settled && view.lineage.every(isEnough) && budget.allowsBut(view, folder);
  }

  /** The host that owns all keys alone, although there should be more owners. */
  #loneOwner(): SimHost | undefined {
    const { budget, hosts } = this.#field;
    const view = budget.view;
    if (view === undefined || view.parameters.replicas < 2) return undefined;
    const owners = votersOf(view);
    const [owner] = owners;
    if (owner === undefined || owners.length > 1) return undefined;
    return hosts.find((host) => host.id === owner.id && host.running?.folder === owner.folder);
  }
}
