/**
 * The part of a blob that its file's bytes do not tell: headers, version, tag. It lies in a second file. The two must
 * change as one, but a file system renames one file at a time.
 *
 * So the metadata names the body that it is about. While a body is being replaced, the metadata is about both bodies:
 *
 * 1. The metadata of the old and of the new body is put in place.
 * 2. The new body is renamed into place. This is the moment of the change.
 *
 * A reader finds the old or the new body, and the metadata has its state in both cases.
 *
 * A body is recognized by its inode, size and time of modification. After the folder was copied, it is recognized by
 * its MD5. A file that others made or changed matches no state. It is served as found, without headers.
 */

import type { BigIntStats } from "node:fs";
import { z } from "zod";

const stateSchema = z.strictObject({
  tag: z.string(),
  headers: z.record(z.string(), z.string()),
  version: z.string().optional(),
  /** The token of the upload that wrote the body. */
  upload: z.string().optional(),
  /** This and the following fields are of the body that the state is about. */
  size: z.number().int().min(0),
  md5: z.string(),
  inode: z.string(),
  modifiedNs: z.string(),
});

const metadataSchema = z.strictObject({
  format: z.literal(1),
  /** For people: the file's own name is a hash. */
  name: z.string(),
  /** The newest first. The second is of the body that was to be replaced, in case it was not. */
  states: z.array(stateSchema).min(1).max(2),
});

/** What recognizes the body with these stats. */
export function identityOf({ ino, mtimeNs }: BigIntStats): Pick<FileState, "inode" | "modifiedNs"> {
  return { inode: ino.toString(), modifiedNs: mtimeNs.toString() };
}

export type FileState = Readonly<z.infer<typeof stateSchema>>;

export function formatMetadata(name: string, states: readonly FileState[]): Buffer {
  return Buffer.from(JSON.stringify({ format: 1, name, states: [...states] } satisfies z.input<typeof metadataSchema>));
}

/** The states in a metadata file. Empty if the file is not one. */
export function parseMetadata(bytes: Buffer): readonly FileState[] {
  return parseFile(bytes)?.states ?? [];
}

/** The name in a metadata file. Undefined if the file is not one. */
export function parseName(bytes: Buffer): string | undefined {
  return parseFile(bytes)?.name;
}

/** Undefined for a file that was half copied from elsewhere. The store itself writes whole files only. */
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
 * @param md5 Computes the body's MD5 in hexadecimal digits. Called only if the stats alone do not tell.
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
