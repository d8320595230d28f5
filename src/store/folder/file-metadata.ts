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

export interface FileState {
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly version?: string | undefined;
  /** The token of the upload that wrote the body. */
  readonly upload?: string | undefined;
  /** This and the following fields are of the body that the state is about. */
  readonly size: number;
  readonly md5: string;
  readonly inode: string;
  readonly modifiedNs: string;
}

interface Metadata {
  readonly format: 1;
  /** For people: the file's own name is a hash. */
  readonly name: string;
  /** The newest first. The second is of the body that was to be replaced, in case it was not. */
  readonly states: readonly FileState[];
}

/** What recognizes the body with these stats. */
export function identityOf({ ino, mtimeNs }: BigIntStats): Pick<FileState, "inode" | "modifiedNs"> {
  return { inode: ino.toString(), modifiedNs: mtimeNs.toString() };
}

export function formatMetadata(name: string, states: readonly FileState[]): Buffer {
  return Buffer.from(JSON.stringify({ format: 1, name, states } satisfies Metadata));
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
function parseFile(bytes: Buffer): Metadata | undefined {
  try {
    const json: unknown = JSON.parse(bytes.toString());
    return isMetadata(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** By hand: the thread that makes the changes starts in half the time without a library for it. */
function isMetadata(json: unknown): json is Metadata {
  if (!isRecord(json) || json["format"] !== 1 || typeof json["name"] !== "string") return false;
  const { states } = json;
  return Array.isArray(states) && (states.length === 1 || states.length === 2) && states.every(isState);
}

const optionalTexts = ["version", "upload"];
const texts = ["tag", "md5", "inode", "modifiedNs"];

function isState(json: unknown): json is FileState {
  if (!isRecord(json)) return false;
  const { headers, size } = json;
  return (
    texts.every((key) => typeof json[key] === "string") &&
    optionalTexts.every((key) => json[key] === undefined || typeof json[key] === "string") &&
    isRecord(headers) &&
    Object.values(headers).every((value) => typeof value === "string") &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0
  );
}

function isRecord(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/**
 * The state that is about the body with these stats.
 *
 * @param md5 Computes the body's MD5 in hexadecimal digits. Called only if the stats alone do not tell.
 */
export async function matchState(
  states: readonly FileState[],
  stats: BigIntStats,
  md5: () => string | Promise<string>,
): Promise<FileState | undefined> {
  const sized = states.filter((state) => BigInt(state.size) === stats.size);
  const { inode, modifiedNs } = identityOf(stats);
  const same = sized.find((state) => state.inode === inode && state.modifiedNs === modifiedNs);
  if (same !== undefined || sized.length === 0) return same;
  const found = await md5();
  return sized.find((state) => state.md5 === found);
}
