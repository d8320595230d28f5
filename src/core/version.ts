/**
 * Versions order the states of a key: `(epoch, seq)`, compared in that order. The primary of a key gives the next
 * version to each write. An object in the store carries its version as metadata, tied to the cluster and to the key.
 */

import { xxh32 } from "./hash.ts";

export interface Version {
  /** The epoch of the view in which the write was assigned; a whole number from 1. */
  readonly epoch: number;
  /** Grows within a process and epoch; a whole number from 1. */
  readonly seq: number;
}

/** The version of an object that this cluster did not write; lower than any other. */
export const noVersion: Version = Object.freeze({ epoch: 0, seq: 0 });

/** Negative when `a` is older than `b`, positive when it is newer, 0 when they are the same (W1). */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

/** Whether `version` is newer than `than`; it is newer than nothing. */
export function isNewer(version: Version, than: Version | undefined): boolean {
  return than === undefined || compareVersions(version, than) > 0;
}

/** A copy of the version alone. Who keeps it does not keep the entry's value in memory. */
export function versionOf({ epoch, seq }: Version): Version {
  return { epoch, seq };
}

/** The text of the object metadata `weir-version`. `clusterId` has no dot in it (F16). */
export function formatVersion(clusterId: string, key: string, version: Version): string {
  return `${clusterId}.${keyTag(key)}.${version.epoch}.${version.seq}`;
}

/**
 * Reads what {@link formatVersion} wrote. Any other text is {@link noVersion}: that of another cluster or another key
 * (a copied object), malformed text, and no text at all (F16).
 */
export function parseVersion(clusterId: string, key: string, text: string | undefined): Version {
  const parts = text?.split(".");
  if (parts?.length !== 4 || parts[0] !== clusterId || parts[1] !== keyTag(key)) return noVersion;
  const epoch = parseCount(parts[2]);
  const seq = parseCount(parts[3]);
  return epoch === undefined || seq === undefined ? noVersion : { epoch, seq };
}

/** Reads a whole number from 1 in its only spelling. */
function parseCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^[1-9][0-9]{0,15}$/.test(text)) return undefined;
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : undefined;
}

function keyTag(key: string): string {
  return xxh32(key).toString(16).padStart(8, "0");
}
