/**
 * Tokens of uploads: the object's metadata `weir-upload`, by which weir recognizes the object. A token is made before
 * its write has a version. It bounds the age of that version: the write is assigned in the epoch in which the upload
 * was begun, or in a later one.
 */

import { formatVersion, noVersion, parseVersion, type Version } from "./version.ts";

/** @param chance 32 hexadecimal digits that no other upload has */
export function formatToken(clusterId: string, key: string, epoch: number, chance: string): string {
  return `${formatVersion(clusterId, key, { epoch, seq: 1 })}.${chance}`;
}

/** Before the chance of a token whose upload may be completed again, under another version (L16). */
const partedMark = "p";

/** The token of an upload whose client names its parts. */
export function formatPartedToken(clusterId: string, key: string, epoch: number, chance: string): string {
  return formatToken(clusterId, key, epoch, partedMark + chance);
}

/** Whether several writes may be of the upload with this token. */
export function isParted(token: string): boolean {
  return token.startsWith(partedMark, token.lastIndexOf(".") + 1);
}

/**
 * A version that is older than that of the object with this token. It is {@link noVersion} for a token that is not of
 * this cluster and key (L10).
 */
export function oldestVersionOf(clusterId: string, key: string, token: string): Version {
  const end = token.lastIndexOf(".");
  const { epoch } = end < 0 ? noVersion : parseVersion(clusterId, key, token.slice(0, end));
  return { epoch, seq: 0 };
}
