/**
 * What a file's bytes don't say: headers, version, tag. It is kept in a file beside them, and the two must change as one, though
 * a file system renames one file at a time. So the metadata names the body that it is about, and while a body is being
 * replaced it is about both: first the metadata of the old and of the new body is put in place, then the new body is. That
 * second rename is the moment of the change; whichever body is found, before or after, its metadata is there.
 *
 * A body is known by its inode, size and time of modification; after the folder was copied elsewhere, by its MD5. A file that
 * nobody told us about, or that was changed since, matches nothing: it is served as found, without headers.
 */

import type { BigIntStats } from "node:fs";
import { z } from "zod";

const stateSchema = z.strictObject({
  tag: z.string(),
  headers: z.record(z.string(), z.string()),
  version: z.string().optional(),
  /** The token of the upload that it was. */
  upload: z.string().optional(),
  /** Of the body it is about. */
  size: z.number().int().min(0),
  md5: z.string(),
  inode: z.string(),
  modifiedNs: z.string(),
});

const metadataSchema = z.strictObject({
  format: z.literal(1),
  /** For people: the file's own name is a hash. */
  name: z.string(),
  /** The newest first; the second is of the body that was replaced, in case it was not. */
  states: z.array(stateSchema).min(1).max(2),
});

/** What the body with these stats is known by. */
export function identityOf({ ino, mtimeNs }: BigIntStats): Pick<FileState, "inode" | "modifiedNs"> {
  return { inode: ino.toString(), modifiedNs: mtimeNs.toString() };
}

export type FileState = Readonly<z.infer<typeof stateSchema>>;

export function formatMetadata(name: string, states: readonly FileState[]): Buffer {
  return Buffer.from(JSON.stringify({ format: 1, name, states: [...states] } satisfies z.input<typeof metadataSchema>));
}

/** The states in a metadata file; none in what is not one. */
export function parseMetadata(bytes: Buffer): readonly FileState[] {
  return parseFile(bytes)?.states ?? [];
}

/** The name in a metadata file; undefined in what is not one. */
export function parseName(bytes: Buffer): string | undefined {
  return parseFile(bytes)?.name;
}

/** Undefined for half of a file copied from elsewhere: we write whole ones only. */
function parseFile(bytes: Buffer): z.infer<typeof metadataSchema> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  return metadataSchema.safeParse(json).data;
}

/**
 * The state that is about the body with these stats.
 *
 * @param md5 Computes the body's, in hexadecimal digits; called only if the stats alone don't tell.
 */
export async function matchState(
  states: readonly FileState[],
  stats: BigIntStats,
  md5: () => Promise<string>,
): Promise<FileState | undefined> {
  const sized = states.filter((state) => BigInt(state.size) === stats.size);
  const { inode, modifiedNs } = identityOf(stats);
  const same = sized.find((state) => state.inode === inode && state.modifiedNs === modifiedNs);
  if (same !== undefined || sized.length === 0) return same;
  const found = await md5();
  return sized.find((state) => state.md5 === found);
}
