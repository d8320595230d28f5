/**
 * Listings, on any member (R7): the lister asks every primary what it holds that the store may lack, then the store.
 * Where they differ the primaries' word counts. Why each acknowledged write is in a listing: docs/internals/writes.md,
 * 6.
 *
 * All primaries are asked in one epoch, so each key's primary is among them. If one has adopted another view, or does
 * not serve all of its keys, all are asked again until the deadline: the client sees a pause. What was found before
 * stays found.
 *
 * A page consists of rounds. Each goes from the end of the last one to the end of the primaries' answers or of the
 * store's page, if that comes first. The page ends with the limit, or with half of the deadline: what it lists is whole
 * up to `next`.
 */

import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import { maxKeyBytes, reservedPrefix } from "../../core/keys.ts";
import { isCommonPrefix, isOwn, type ListQuery, maxListLimit } from "../../core/listing.ts";
import type { HeldAnswer, HeldEntry, ListRequest } from "../../core/message.ts";
import type { ListedKey, ListOutcome } from "../../core/operation.ts";
import { votersOf } from "../../core/view.ts";
import type { BlobStore, ListedBlob } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";
import type { HeldKeys } from "../keys/held-keys.ts";
import type { MemberSettings } from "../settings.ts";
import type { OperationDeadlines } from "./operation-deadlines.ts";
import type { Router } from "./router.ts";

type ListerContext = ContextOf<"clock" | "membership"> & {
  readonly settings: Pick<MemberSettings, "operationMs">;
  readonly store: Pick<BlobStore, "list">;
};

/** Entries that are asked for at a time, at least: a page of few entries may have to pass over many deleted ones. */
const minAsked = 100;

/** Common prefixes that one round looks into, at most. */
const doubtsAtOnce = 32;

/** Behind everything that is weir's own. A key of weir's own that still follows is left out all the same. */
const reservedEnd = `${reservedPrefix}\u{10FFFF}`;

/** One page as it fills up. */
interface Page {
  readonly query: ListQuery;
  readonly keys: ListedKey[];
  readonly prefixes: string[];
  /** All entries up to this one have been dealt with; undefined at the end of all. */
  position: string | undefined;
}

/** What there is of one entry. */
interface Found {
  held?: HeldEntry;
  stored?: ListedBlob | "prefix";
}

export class Lister {
  readonly #context: ListerContext;
  readonly #router: Pick<Router, "persist" | "ask" | "requireView">;
  readonly #heldKeys: Pick<HeldKeys, "answer">;
  readonly #deadlines: Pick<OperationDeadlines, "within">;

  constructor(
    context: ListerContext,
    router: Pick<Router, "persist" | "ask" | "requireView">,
    heldKeys: Pick<HeldKeys, "answer">,
    deadlines: Pick<OperationDeadlines, "within">,
  ) {
    this.#context = context;
    this.#router = router;
    this.#heldKeys = heldKeys;
    this.#deadlines = deadlines;
  }

  /** @throws OperatingError (rejects with one), as a read does. */
  async list(query: ListQuery): Promise<ListOutcome> {
    const { clock, settings } = this.#context;
    const page: Page = { query, keys: [], prefixes: [], position: query.after };
    const shortAt = clock.now() + settings.operationMs / 2;
    await this.#router.persist((deadlineMs) => this.#fill(page, shortAt, clock.now() + deadlineMs));
    return { keys: page.keys, prefixes: page.prefixes, next: page.position };
  }

  /** Goes on with the page until it is full, or half of the deadline is over. */
  async #fill(page: Page, shortAt: Instant, deadline: Instant): Promise<void> {
    while (page.position !== undefined && !isFull(page)) {
      if (this.#context.clock.now() >= shortAt && page.position !== page.query.after) return;
      await this.#round(page, deadline);
    }
  }

  async #round(page: Page, deadline: Instant): Promise<void> {
    const { store, clock, membership } = this.#context;
    const after = page.position as string;
    const query = { ...page.query, after, limit: Math.max(page.query.limit, minAsked) };
    const held = await this.#ask(query, deadline);
    const { flushDeadlineMs } = membership.view.parameters;
    const deadlineMs = Math.min(deadline - clock.now(), flushDeadlineMs);
    if (deadlineMs <= 0) throw new OperatingError("deadline_exceeded", "listing took too long");
    const stored = await store.list(query, { deadlineMs });
    const end = earliest([...held.map((answer) => answer.end), stored.next]);
    const found = new Map<string, Found>();
    const at = (name: string): Found => {
      const known = found.get(name);
      if (known) return known;
      const fresh: Found = {};
      found.set(name, fresh);
      return fresh;
    };
    for (const blob of stored.blobs) at(blob.name).stored = blob;
    for (const name of stored.prefixes) at(name).stored = "prefix";
    for (const entry of held.flatMap((answer) => answer.entries)) {
      const known = at(entry.name);
      // Several members may hold keys with one common prefix.
      if (!known.held || known.held.kind === "deleted") known.held = entry;
    }
    await this.#add(page, found, end, deadline);
  }

  /** Adds to the page what was found, as far as nothing is missing. */
  async #add(page: Page, found: ReadonlyMap<string, Found>, end: string | undefined, deadline: Instant): Promise<void> {
    const names = [...found.keys()].filter((name) => end === undefined || compareText(name, end) <= 0);
    names.sort(compareText);
    const doubtful = names
      .filter((name) => isDoubtful(page.query, name, found.get(name) as Found))
      .slice(0, doubtsAtOnce);
    const verdicts = new Map(
      await Promise.all(doubtful.map(async (name) => [name, await this.#isAlive(name, deadline)] as const)),
    );
    for (const name of names) {
      if (isFull(page)) return;
      const each = found.get(name) as Found;
      if (isDoubtful(page.query, name, each)) {
        const isAlive = verdicts.get(name);
        if (isAlive === undefined) return; // the next round's
        if (isAlive) page.prefixes.push(name);
      } else {
        show(page, name, each);
      }
      page.position = name;
    }
    const isReserved = end?.startsWith(reservedPrefix) && compareText(end, reservedEnd) < 0;
    page.position = isReserved && !isOwn(page.query) ? reservedEnd : end;
    assert(page.keys.length + page.prefixes.length <= page.query.limit, "a page has no more than it may");
  }

  /** Whether any key begins with `prefix`. */
  async #isAlive(prefix: string, deadline: Instant): Promise<boolean> {
    const query = { prefix, after: "", delimiter: "", limit: maxListLimit };
    const page: Page = { query, keys: [], prefixes: [], position: "" };
    while (page.position !== undefined && page.keys.length === 0) await this.#round(page, deadline);
    return page.keys.length > 0;
  }

  /** What the primaries of all keys hold. */
  async #ask(query: ListQuery, deadline: Instant): Promise<HeldAnswer[]> {
    const { membership, clock } = this.#context;
    const deadlineMs = deadline - clock.now();
    this.#router.requireView(deadlineMs);
    const request: ListRequest = { kind: "list", epoch: membership.epoch, query, deadlineMs };
    const owners = votersOf(membership.view);
    if (owners.length === 0) throw new OperatingError("not_ready", "no node owns any key at the moment");
    return await Promise.all(owners.map(({ id }) => this.#askOne(id, request)));
  }

  async #askOne(id: string, request: ListRequest): Promise<HeldAnswer> {
    if (id === this.#context.membership.self.id)
      return await this.#deadlines.within(this.#heldKeys.answer(request), request.deadlineMs);
    const answer = await this.#router.ask(id, request, request.deadlineMs);
    if (answer.kind === "held") return answer;
    throw new OperatingError("internal", `a peer answered ${answer.kind}`);
  }
}

function isFull({ query, keys, prefixes }: Page): boolean {
  return keys.length + prefixes.length >= query.limit;
}

function earliest(ends: readonly (string | undefined)[]): string | undefined {
  const known = ends.filter((end) => end !== undefined);
  return known.sort(compareText)[0];
}

/**
 * Whether the store has a common prefix, and must be asked whether any key is left under it: all keys that are held
 * there are deleted, or all may be weir's own.
 */
function isDoubtful(query: ListQuery, name: string, { held, stored }: Found): boolean {
  if (stored !== "prefix" || (name.startsWith(reservedPrefix) && !isOwn(query))) return false;
  return held === undefined ? reservedPrefix.startsWith(name) : held.kind === "deleted";
}

/** Adds an entry to the page, if clients are to see it: others may have put anything into the store. */
function show({ query, keys, prefixes }: Page, name: string, { held, stored }: Found): void {
  if (held?.kind === "deleted" || (name.startsWith(reservedPrefix) && !isOwn(query))) return;
  if (isCommonPrefix(name, query)) {
    prefixes.push(name);
  } else if (held?.kind === "value") {
    keys.push({ key: name, size: held.size, etag: held.md5, modifiedMs: held.modifiedMs });
  } else if (typeof stored === "object" && Buffer.byteLength(name) <= maxKeyBytes) {
    keys.push({ key: name, size: stored.size, etag: stored.md5 ?? stored.tag, modifiedMs: stored.modifiedMs });
  }
}
