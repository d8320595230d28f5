/**
 * A bounded amount of something that many holders take of at a time. One that asks alone may have all of it. When there
 * is no room for more, what was taken last is given up, of the holder that has most: never of one that has less than
 * who asks. So with n holders each can have an nth, whatever the others do (max-min fairness: Bertsekas and Gallager,
 * Data Networks, 6.5.2).
 *
 * Where not all can be given up, a holder may only have a multiple of what is left free. So a part stays free for
 * others (dynamic thresholds: Choudhury and Hahne, 1998). One share alone may be as large as it must.
 */

import { assert } from "./assert.ts";
import { type Linked, LinkedList } from "./linked-list.ts";

/**
 * Ends what the share was taken for, and releases it. False when it cannot end early: then nothing has happened.
 *
 * @param isUrgent - nothing else of the holder's could end. Before that, only what nobody misses ends.
 */
export type GiveUp = (isUrgent: boolean) => boolean;

/** Where a part stays free, a holder has this many times what is left, at most: alone four fifths. */
const timesFree = 4;

/** Of holders so many are remembered while they have nothing: most ask again soon. */
const maxRemembered = 1_000;

function newHolder(name: string): Holder {
  return { name, amount: 0, count: 0, yielding: new LinkedList() };
}

export interface SharesOptions {
  /** Whether a part stays free, since not all can be given up. */
  readonly keepsRoom?: boolean;
  /** Told of a holder that was refused something. */
  readonly onRefused?: (holder: string) => void;
  /** Told of a holder that had to give up something. */
  readonly onGivenUp?: (holder: string) => void;
}

interface Holder {
  readonly name: string;
  amount: number;
  /** How many shares it has. */
  count: number;
  /** Those of them that may end early, those taken first first. */
  readonly yielding: LinkedList<Share>;
}

export class Shares {
  readonly capacity: number;
  #used = 0;
  readonly #holders = new Map<string, Holder>();
  readonly #options: SharesOptions;

  constructor(capacity: number, options: SharesOptions = {}) {
    assert(capacity > 0, "there is something to share");
    this.capacity = capacity;
    this.#options = options;
  }

  get used(): number {
    return this.#used;
  }

  /** How many holders are known, those among them that have nothing. */
  get known(): number {
    return this.#holders.size;
  }

  /** How much each holder has; those that have nothing are left out. */
  *holders(): IterableIterator<readonly [name: string, amount: number]> {
    for (const { name, amount, count } of this.#holders.values()) if (count > 0) yield [name, amount];
  }

  amountOf(holder: string): number {
    return this.#holders.get(holder)?.amount ?? 0;
  }

  /**
   * Takes a share, which may be of nothing at first. Undefined if there is no room.
   *
   * @param giveUp - if it can end early
   */
  take(name: string, amount: number, giveUp?: GiveUp): Share | undefined {
    const known = this.#holders.get(name);
    const holder = known ?? newHolder(name);
    const share = new Share(this, holder, giveUp);
    if (!this.grow(share, amount)) return undefined;
    if (!known) this.#holders.set(name, holder);
    holder.count++;
    share.isTaken = true;
    if (giveUp) holder.yielding.add(share);
    return share;
  }

  /** Whether a share of so much would be taken at once, and nobody had to give up one for it. */
  hasRoomFor(name: string, amount: number): boolean {
    const holder = this.#holders.get(name) ?? newHolder(name);
    return this.#hasRoom(new Share(this, holder, undefined), amount);
  }

  /** See {@link Share.grow}. */
  grow(share: Share, amount: number): boolean {
    const { holder } = share;
    if (!this.#makeRoom(share, amount)) {
      this.#options.onRefused?.(holder.name);
      return false;
    }
    this.#used += amount;
    holder.amount += amount;
    share.amount += amount;
    return true;
  }

  /** See {@link Share.release}. */
  release(share: Share): void {
    const { holder, amount } = share;
    if (!share.isTaken) return;
    share.isTaken = false;
    holder.yielding.remove(share);
    holder.count--;
    share.amount = 0;
    this.#used -= amount;
    holder.amount -= amount;
    assert(this.#used >= 0 && holder.amount >= 0, "no more is released than was taken");
    if (holder.count === 0 && this.#holders.size > maxRemembered) this.#holders.delete(holder.name);
  }

  #hasRoom({ holder, amount: before }: Share, amount: number): boolean {
    const free = this.capacity - this.#used - amount;
    if (free < 0) return false;
    const isOnly = before === holder.amount;
    return this.#options.keepsRoom !== true || isOnly || holder.amount + amount <= timesFree * free;
  }

  #makeRoom(share: Share, amount: number): boolean {
    const { holder } = share;
    if (amount > this.capacity) return false;
    while (!this.#hasRoom(share, amount)) {
      const others = [...this.#holders.values()].filter((each) => each.amount > holder.amount + amount);
      others.sort((a, b) => b.amount - a.amount);
      const hasYielded = others.some((other) => this.#yields(other, undefined)) || this.#yields(holder, share);
      if (!hasYielded) return false;
    }
    return true;
  }

  /** Has the holder give up what it took last, of those that can end; nothing that it took before `before`. */
  #yields(holder: Holder, before: Share | undefined): boolean {
    // A share that is being taken is the last one.
    if (before && !holder.yielding.has(before)) return false;
    const all = [...holder.yielding];
    const later = all.slice(before ? all.indexOf(before) + 1 : 0).reverse();
    for (const isUrgent of [false, true]) {
      for (const share of later) {
        if (share.amount === 0 || share.giveUp?.(isUrgent) !== true) continue;
        assert(share.amount === 0, "what is given up is released");
        this.#options.onGivenUp?.(holder.name);
        return true;
      }
    }
    return false;
  }
}

/** What was taken for one purpose. */
export class Share implements Linked<Share> {
  readonly #shares: Shares;
  readonly holder: Holder;
  readonly giveUp: GiveUp | undefined;
  before: Share | undefined = undefined;
  after: Share | undefined = undefined;
  amount = 0;
  /** Between its taking and its release. */
  isTaken = false;

  constructor(shares: Shares, holder: Holder, giveUp: GiveUp | undefined) {
    this.#shares = shares;
    this.holder = holder;
    this.giveUp = giveUp;
  }

  /** Takes more for the same purpose; false, and nothing taken, if there is no room. */
  grow(amount: number): boolean {
    return this.#shares.grow(this, amount);
  }

  /** Gives all of it back. It may be called again. */
  release(): void {
    this.#shares.release(this);
  }
}
