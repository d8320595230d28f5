/**
 * What can be seen of a node that leaves, through it and through the other nodes, and what that means. In order:
 *
 * 1. The node's weight becomes 0.
 * 2. The node hands over.
 * 3. The view no longer lists it.
 * 4. Its process ends. A supervisor may start it again at once, which is not what the user wanted.
 */

import type { ClusterStatus } from "../../core/status.ts";

export type Departure =
  | { readonly kind: "under way"; readonly stage: string; readonly dirtyKeys: number; readonly dirtyBytes: number }
  /** `remaining` are the nodes that go on. */
  | { readonly kind: "left"; readonly epoch: number; readonly remaining: readonly string[] }
  /** It was the only node, and does not answer any more. */
  | { readonly kind: "ended" }
  /** It is gone without having handed over everything. Other nodes wait for its data folder. */
  | { readonly kind: "lost" }
  /** It has left, and has joined again. */
  | { readonly kind: "returned" };

/**
 * Looks in a row without an answer. After `goneLooks` the node counts as ended. After `endedLooks` an only node counts
 * as done. A node that is busy once counts as neither.
 */
const goneLooks = 3;
const endedLooks = 20;

export class DepartureWatch {
  readonly #id: string;
  #others: readonly string[] = [];
  #hadNoWeight = false;
  #wasGone = false;
  /** Looks in a row at which the node has not answered. */
  #silentLooks = 0;
  #last: Departure | undefined;

  /** @param status The leaving node's status before it was asked to leave. */
  constructor(status: ClusterStatus) {
    this.#id = status.self;
    this.#learn(status);
  }

  /** URLs of the other nodes, as last seen. */
  get others(): readonly string[] {
    return this.#others;
  }

  /**
   * Judges one look.
   *
   * @param own The node's own answer. Undefined without one.
   * @param other The answer of another node. Undefined without one.
   */
  judge(own: ClusterStatus | undefined, other: ClusterStatus | undefined): Departure {
    const isOwn = own?.self === this.#id;
    this.#silentLooks = isOwn ? 0 : this.#silentLooks + 1;
    if (other !== undefined && other.epoch > 0 && !other.members.some(({ id }) => id === this.#id)) {
      // It still runs. Perhaps the others dropped it, and it joins again to hand over.
      if (isOwn) return this.#underWay(`${this.#id} is no longer in the view, and has not ended yet`, 0, 0);
      if (other.awaited.includes(this.#id)) return { kind: "lost" };
      return { kind: "left", epoch: other.epoch, remaining: other.members.map(({ id }) => id) };
    }
    if (!isOwn) {
      if (this.#silentLooks >= goneLooks) this.#wasGone = true;
      if (this.#others.length === 0 && this.#silentLooks >= endedLooks) return { kind: "ended" };
    } else if (this.#wasGone && own.epoch > 0) {
      return { kind: "returned" };
    }
    const seen = other ?? (isOwn ? own : undefined);
    const member = seen?.members.find(({ id }) => id === this.#id);
    if (seen === undefined || member === undefined) return this.#last ?? this.#underWay("waiting for an answer", 0, 0);
    this.#learn(seen);
    const isAlone = seen.members.every(({ id, weight }) => id === this.#id || weight === 0);
    if (member.weight === 0) this.#hadNoWeight = true;
    else if (this.#hadNoWeight && !isAlone) return { kind: "returned" };
    const { dirtyKeys, dirtyBytes } = member;
    this.#last = this.#underWay(stageOf(this.#id, seen, member.weight, isAlone), dirtyKeys, dirtyBytes);
    return this.#last;
  }

  #learn({ members }: ClusterStatus): void {
    this.#others = members.filter(({ id }) => id !== this.#id).map(({ url }) => url);
  }

  #underWay(stage: string, dirtyKeys: number, dirtyBytes: number): Departure {
    return { kind: "under way", stage, dirtyKeys, dirtyBytes };
  }
}

function stageOf(id: string, { settled, epoch }: ClusterStatus, weight: number, isAlone: boolean): string {
  if (isAlone) return `${id} is the last node: it sends everything to the store`;
  if (weight > 0) return `${id} was asked to leave`;
  return settled ? `${id} has handed over, and leaves view ${epoch}` : `${id} hands over what it holds`;
}
