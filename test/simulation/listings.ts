/**
 * Listings in a simulated world: now and then one of all keys, page by page, through a member of its own choice, and
 * what each answer must have been, judged by what clients saw. A listing shows each key as it was at some moment of the
 * call, or already with a write that nobody has been told of; so for each key there must be a write that it may have
 * shown: one that was called before the listing ended, and that no other write had certainly replaced before it began.
 */

import { isOperatingError } from "../../src/base/errors.ts";
import type { ListOutcome } from "../../src/core/operation.ts";
import type { History, RegisterOperation } from "../harness/history.ts";
import { effectsOf } from "../harness/linearizability.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { Caller, Contents } from "./sim-client.ts";
import type { SimWorld } from "./sim-world.ts";

export interface ListingsParts {
  readonly world: SimWorld;
  readonly history: History;
  readonly contents: Contents;
  readonly keys: readonly string[];
  readonly random: SimRandom;
  readonly meanMs: number;
  readonly pickCaller: () => Caller | undefined;
}

/** One that was answered whole, by the history's positions. */
interface Listing {
  readonly calledAt: number;
  readonly answeredAt: number;
  readonly label: string;
  /** Entity tags, by key. */
  readonly found: ReadonlyMap<string, string>;
}

/** So few that a listing of the few keys has several pages. */
const pageKeys = 2;

export class Listings {
  readonly #parts: ListingsParts;
  readonly #listings: Listing[] = [];
  readonly #violations: string[] = [];
  #stopped = false;

  constructor(parts: ListingsParts) {
    this.#parts = parts;
  }

  /** Listings that were answered. */
  get answered(): number {
    return this.#listings.length;
  }

  start(): void {
    const { world, random, meanMs } = this.#parts;
    world.schedule(random.exponential(meanMs), () => {
      if (this.#stopped) return;
      this.#list().then(
        () => this.start(),
        (error: unknown) => {
          // Whatever a cluster with troubles may refuse: the listing says nothing then.
          if (!isOperatingError(error)) world.fail(error);
          this.start();
        },
      );
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  async #list(): Promise<void> {
    const { history, pickCaller, world } = this.#parts;
    const running = pickCaller()?.running;
    if (running?.process.alive !== true || !running.member) return;
    const label = `listing at ${running.process.name}`;
    const calledAt = history.moment();
    const found = new Map<string, string>();
    for (let after: string | undefined = ""; after !== undefined; ) {
      const query = { prefix: "", after, delimiter: "", limit: pageKeys };
      const page: ListOutcome = await running.member.operations.list(query);
      for (const { key, etag } of page.keys) {
        if (found.has(key)) this.#violations.push(`${label} has ${key} twice`);
        found.set(key, etag);
      }
      if (page.next !== undefined && page.next <= after) world.fail(new Error(`${label} does not get on`));
      after = page.next;
    }
    this.#listings.push({ calledAt, answeredAt: history.moment(), label, found });
  }

  /** @param initial - by key: what was there before the first operation */
  violations(initial: ReadonlyMap<string, string>): string[] {
    const { keys, history, contents } = this.#parts;
    const found = [...this.#violations];
    for (const key of keys) {
      const writes = history.operations(key).filter((each) => each.action.kind !== "get");
      for (const listing of this.#listings) {
        const etag = listing.found.get(key);
        const shown = etag === undefined ? undefined : (contents.withMd5(etag)?.name ?? `unknown ${etag}`);
        if (mayShow(listing, shown, writes, initial.get(key))) continue;
        const { calledAt, answeredAt, label } = listing;
        found.push(`[${calledAt}..${answeredAt}] ${label} shows ${shown ?? "nothing"} for ${key}, which it may not`);
      }
    }
    return found;
  }
}

function mayShow(
  { calledAt, answeredAt }: Listing,
  shown: string | undefined,
  writes: readonly RegisterOperation[],
  initial: string | undefined,
): boolean {
  const done = writes.filter((each) => each.outcome.kind === "written" && each.answeredAt < calledAt);
  const isReplaced = (at: number): boolean => done.some((each) => each.calledAt > at);
  if (shown === initial && !isReplaced(-1)) return true;
  return writes.some(
    (each) =>
      each.outcome.kind !== "condition_failed" &&
      each.calledAt < answeredAt &&
      each.action.kind !== "get" &&
      effectsOf(each.action).includes(shown) &&
      !isReplaced(each.answeredAt),
  );
}
