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

/**
 * A version that is older than that of the object with this token. It is {@link noVersion} for a token that is not of
 * this cluster and key (L10).
 */
export function oldestVersionOf(clusterId: string, key: string, token: string): Version {
  const end = token.lastIndexOf(".");
  const { epoch } = end < 0 ? noVersion : parseVersion(clusterId, key, token.slice(0, end));
  return { epoch, seq: 0 };
}
