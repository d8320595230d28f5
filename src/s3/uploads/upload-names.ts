/**
 * The ids of multipart uploads, and the names of the values in which the cluster keeps them:
 *
 * - `.weir/s3-uploads/ID`: the upload
 * - `.weir/s3-parts/ID/NUMBER`: a part of it
 * - `.weir/s3-done/ID`: that it was completed
 *
 * An id says in whose share the upload counts and when it was begun, so a listing of names is enough to count and to
 * sweep. The rest of it cannot be guessed. It is still no secret: whoever knows it needs the right to the key as well.
 */

import { hash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { reservedPrefix } from "../../core/keys.ts";
import { maxParts } from "../../core/part-sizes.ts";

export const uploadsPrefix = `${reservedPrefix}s3-uploads/`;
export const partsPrefix = `${reservedPrefix}s3-parts/`;
export const donePrefix = `${reservedPrefix}s3-done/`;

const ownerDigits = 8;
const timeDigits = 12;
const idPattern = new RegExp(`^[0-9a-f]{${ownerDigits + timeDigits + 32}}$`);
const numberDigits = 5;

/** Stands in an id for the holder of a share. */
export function ownerOf(holder: string): string {
  return hash("sha256", holder).slice(0, ownerDigits);
}

/**
 * @param beganMs Milliseconds since 1970.
 * @param chance 32 hexadecimal digits that no other upload has.
 */
export function formatId(owner: string, beganMs: number, chance: string): string {
  const id = owner + beganMs.toString(16).padStart(timeDigits, "0") + chance;
  assert(isId(id), "the id of an upload has three parts of fixed length");
  return id;
}

/** Whether a client's text has the form of an id. Any other text must not become part of a name. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

/** Milliseconds since 1970, by the clock of the node that began the upload. */
export function beganMsOf(id: string): number {
  return Number.parseInt(id.slice(ownerDigits, ownerDigits + timeDigits), 16);
}

export function uploadName(id: string): string {
  return uploadsPrefix + id;
}

export function doneName(id: string): string {
  return donePrefix + id;
}

/** What the names of an upload's parts begin with. */
export function partsOf(id: string): string {
  return `${partsPrefix}${id}/`;
}

/** In the order of their names, parts are in the order of their numbers. */
export function partName(id: string, number: number): string {
  assert(number >= 1 && number <= maxParts, "a part has a number of S3's");
  return partsOf(id) + String(number).padStart(numberDigits, "0");
}

/** The number in the name of a part. */
export function numberIn(name: string): number {
  return Number(name.slice(-numberDigits));
}
