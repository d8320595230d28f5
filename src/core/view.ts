/**
 * The view: the agreed membership, numbered by epoch. It is kept as one JSON object in the store and changed only by
 * compare-and-swap. This file knows its shape. `view-changes.ts` knows how each kind of change derives the next view
 * from the last.
 */

import { z } from "zod";
import { OperatingError } from "../base/errors.ts";
import { maxWeight, Ring, ringName } from "./ring.ts";

/** Name of the view's object in the store. */
export const viewName = ".weir/view.json";

// Unknown fields are kept: a later release adds some, and members of both releases take part in a view during a rolling
// upgrade. A field that an earlier release would misunderstand raises `format`.
const memberSchema = z.looseObject({
  id: z.string(),
  /**
   * Names the data folder (with no journal: the process), so that an empty disk does not count as the data. To tell who
   * holds what, or who survived, compare folders, never ids (V4).
   */
  folder: z.string(),
  incarnation: z.string(),
  url: z.string(),
  /** Share of the ring relative to others; 0 owns nothing. */
  weight: z.number().min(0).max(maxWeight),
  zone: z.string().optional(),
});

const pastMemberSchema = memberSchema.extend({
  /** An operator has had forgotten what only this folder holds (`weir forget`). */
  forgotten: z.boolean().optional(),
  /** Its process confirms nothing any more: an operator vouches that it is off. */
  off: z.boolean().optional(),
  /**
   * It was there when a later view was settled. Others hold what it held of this view since then, and its own copies do
   * not count any more.
   */
  handedOff: z.boolean().optional(),
});

function unique<T extends { id: string }>(members: readonly T[]): boolean {
  return new Set(members.map(({ id }) => id)).size === members.length;
}

const membersSchema = z.array(memberSchema).refine(unique, "two members have the same id");

/**
 * What a view fixes for all of its members, whatever their own configuration says. It is the same in all views of a
 * cluster (V3).
 */
const parametersSchema = z.looseObject({
  /** Drawn with the first view. It is part of every version kept in the store. */
  clusterId: z.string().regex(/^[^.]+$/, "must not have a dot in it"),
  /** The store's name in the first member's configuration, unless that may differ between hosts (V63). */
  store: z.string().optional(),
  /** R: how many members hold a dirty entry. */
  replicas: z.number().int().min(1),
  /** T: for how long a lease may be held after it was confirmed; see `lease.ts`. */
  leaseMs: z.number().int().min(1),
  /** F: a request to the store takes effect within this time of being sent, or never. */
  flushDeadlineMs: z.number().int().min(1),
  /** How keys map to members; see `ring.ts`. */
  ringVersion: z.literal(1),
});

const pastViewSchema = z.looseObject({
  epoch: z.number().int().min(1),
  members: z.array(pastMemberSchema).refine(unique, "two members have the same id"),
  /** Whether this view removed a folder that is not known to have stopped. */
  dropped: z.boolean(),
  /** Requests of those of its members that were forgotten take no effect any more (V69). */
  silent: z.boolean().optional(),
});

const viewSchema = z.looseObject({
  /** The record's own format. */
  format: z.literal(2),
  epoch: z.number().int().min(1),
  members: membersSchema,
  dropped: z.boolean(),
  /** Whether every owner holds every dirty entry, and nobody can serve an older view. */
  settled: z.boolean(),
  /** The last settled view and every later one before this one, oldest first. */
  lineage: z.array(pastViewSchema),
  /**
   * Earlier views that still matter. A whole preference list of theirs is gone, and with it, perhaps, the only copies
   * of what its members held.
   */
  lost: z.array(pastViewSchema),
  /** Earlier views with owners that were forgotten, whose requests may still take effect (V69). */
  forgotten: z.array(pastViewSchema).optional(),
  /** A random id that makes each record's bytes, so its ETag, unique (V2). */
  proposal: z.string(),
  parameters: parametersSchema,
});

export type ViewMember = Readonly<z.infer<typeof memberSchema>>;
export type PastMember = Readonly<z.infer<typeof pastMemberSchema>>;
export type PastView = Readonly<z.infer<typeof pastViewSchema>>;
export type ViewParameters = Readonly<z.infer<typeof parametersSchema>>;
export type View = Readonly<z.infer<typeof viewSchema>>;

/**
 * Reads a view record.
 * @throws OperatingError `store_refused` when it is not one that this program understands.
 */
export function parseView(bytes: Uint8Array): View {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new OperatingError("store_refused", `${viewName} in the store is not JSON`, { cause });
  }
  const result = viewSchema.safeParse(json);
  if (!result.success) {
    throw new OperatingError(
      "store_refused",
      `${viewName} in the store is not a view that this version of weir understands: ${z.prettifyError(result.error)}`,
    );
  }
  return result.data;
}

export function formatView(view: View): Buffer {
  return Buffer.from(JSON.stringify(view));
}

/** Whether the view lists this very process (V5). */
export function listsProcess(
  view: Pick<View, "members">,
  process: { readonly id: string; readonly incarnation: string },
): boolean {
  return view.members.some((member) => member.id === process.id && member.incarnation === process.incarnation);
}

/**
 * Whether two views of one epoch are the same, or one is the other, settled. If an earlier state of the record was put
 * back, there may be two with different members.
 */
export function hasSameMembers(one: Pick<View, "members">, other: Pick<View, "members">): boolean {
  if (one.members.length !== other.members.length) return false;
  return one.members.every(({ id, incarnation, folder, weight }, index) => {
    const same = other.members[index];
    return same?.id === id && same.incarnation === incarnation && same.folder === folder && same.weight === weight;
  });
}

/** The members that own something. They confirm leases, and they count when half of a view has to be kept (V9, V17). */
export function votersOf<T extends ViewMember>({ members }: { readonly members: readonly T[] }): readonly T[] {
  return members.filter((member) => member.weight > 0);
}

/**
 * The rings that were asked for last, by what they are made of. An adoption asks for those of a whole lineage, which
 * differ little from those of the adoption before; one takes milliseconds.
 */
const lastRings = new Map<string, Ring>();
const maxLastRings = 4;

/** Which keys belong to whom under these members. Those of weight 0 own nothing, so they make no difference. */
export function ringOf(members: readonly ViewMember[], { replicas }: ViewParameters): Ring {
  const owners = members.filter(({ weight }) => weight > 0);
  const name = ringName(owners, replicas);
  const ring = lastRings.get(name) ?? new Ring(owners, replicas);
  lastRings.delete(name);
  lastRings.set(name, ring);
  if (lastRings.size > maxLastRings) lastRings.delete(lastRings.keys().next().value as string);
  return ring;
}
