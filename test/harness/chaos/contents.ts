/**
 * The values that clients write: the bytes follow from the value's name, so that none have to be kept, and no two are
 * alike.
 */

import { hash } from "node:crypto";

/**
 * Sizes in bytes with the share of the values that have up to so many: mostly small, some that a link carries in
 * fragments.
 */
const sizes = [
  { share: 0.75, bytes: 500 },
  { share: 0.97, bytes: 8_000 },
  { share: 1, bytes: 100_000 },
] as const;

/** A name that ends in `@BYTES` has so many. */
export function contentOf(name: string): Buffer {
  const wanted = /@(\d+)$/.exec(name)?.[1];
  if (wanted !== undefined) return Buffer.alloc(Number(wanted), `${name} `);
  const luck = hash("md5", name, "buffer");
  const share = luck.readUInt16LE(0) / 2 ** 16;
  const most = sizes.find((each) => share < each.share)?.bytes ?? sizes[0].bytes;
  const size = Math.floor((luck.readUInt16LE(2) / 2 ** 16) * most);
  const beginning = `${name} `;
  return Buffer.alloc(Math.max(beginning.length, size), beginning);
}

/** The name of a value; undefined if these are not the bytes of any. */
export function nameOf(body: Buffer): string | undefined {
  const end = body.indexOf(" ");
  if (end < 0) return undefined;
  const name = body.subarray(0, end).toString("latin1");
  return contentOf(name).equals(body) ? name : undefined;
}

/** The entity tag of the value of that name. */
export function tagOf(name: string): string {
  return `"${hash("md5", contentOf(name))}"`;
}
