/**
 * The view: the agreed membership, numbered by epoch, kept as one JSON object in the store and changed only by
 * compare-and-swap. This file knows its shape and how each kind of change derives the next view from the last; who may make
 * a change, and when, is decided elsewhere.
 */

import { z } from "zod";
import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { maxWeight } from "./ring.ts";

/** Name of the view's object in the store. */
export const viewName = ".weir/view.json";

// Unknown fields are kept: a later release adds some, and members of both take part in a view while it is rolled out. What an earlier one
// would misunderstand raises `format`.
const memberSchema = z.looseObject({
  id: z.string(),
  /** Names the data folder (with no journal: the process), so that an empty disk does not count as the data. */
  folder: z.string(),
  incarnation: z.string(),
  url: z.string(),
  /** Share of the ring relative to others; 0 owns nothing. */
  weight: z.number().min(0).max(maxWeight),
  zone: z.string().optional(),
});

const membersSchema = z
  .array(memberSchema)
  .refine((members) => new Set(members.map(({ id }) => id)).size === members.length, "two members have the same id");

/** What a view fixes for all of its members, whatever their own configuration says. */
const parametersSchema = z.looseObject({
  /** Drawn with the first view; part of every version kept in the store. */
  clusterId: z.string().regex(/^[^.]+$/, "must not have a dot in it"),
  /** R: how many members hold a dirty entry. */
  replicas: z.number().int().min(1),
  /** F: a request to the store takes effect within this time of being sent, or never. */
  flushDeadlineMs: z.number().int().min(1),
  /** How keys map to members; see `ring.ts`. */
  ringVersion: z.literal(1),
});

const pastViewSchema = z.looseObject({
  epoch: z.number().int().min(1),
  members: membersSchema,
  /** Whether it removed a folder that is not known to have stopped. */
  dropped: z.boolean(),
});

const viewSchema = z.looseObject({
  /** The record's own format. */
  format: z.literal(1),
  epoch: z.number().int().min(1),
  members: membersSchema,
  dropped: z.boolean(),
  /** Whether every owner holds every dirty entry, and no older view can be served by anyone. */
  settled: z.boolean(),
  /** The last settled view and every one since, before this one, oldest first. */
  lineage: z.array(pastViewSchema),
  /** A random id that makes each record's bytes, so its ETag, unique. */
  proposal: z.string(),
  parameters: parametersSchema,
});

export type ViewMember = Readonly<z.infer<typeof memberSchema>>;
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

/** The view of a new cluster, whose only member is `member`. */
export function firstView(member: ViewMember, parameters: ViewParameters, proposal: string): View {
  return { format: 1, epoch: 1, members: [member], dropped: false, settled: false, lineage: [], proposal, parameters };
}

/**
 * The next view, with `member` in it: added, or in place of an earlier process of the same id. Replacing another folder
 * drops that one.
 */
export function joinedView(view: View, member: ViewMember, proposal: string): View {
  const earlier = view.members.find((each) => each.id === member.id);
  assert(earlier?.incarnation !== member.incarnation, "a process joins a view once");
  const others = view.members.filter((each) => each.id !== member.id);
  return {
    ...view,
    epoch: view.epoch + 1,
    members: [...others, member].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    dropped: earlier !== undefined && earlier.folder !== member.folder,
    settled: false,
    lineage: [
      ...(view.settled ? [] : view.lineage),
      { epoch: view.epoch, members: view.members, dropped: view.dropped },
    ],
    proposal,
  };
}

/** The same view, settled. */
export function settledView(view: View, proposal: string): View {
  return { ...view, settled: true, lineage: [], proposal };
}
