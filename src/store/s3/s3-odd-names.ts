/**
 * Kinds of names that some S3 servers refuse: Amazon S3 those that lead out of the bucket, MinIO all with a part `.` or
 * `..`, with an empty part, or with a part of more than 255 bytes. A value under such a name would be acknowledged, and
 * stay in the buffer for ever. So each kind is tried out when a node starts, and those that are refused fit no more.
 */

import { isOperatingError } from "../../base/errors.ts";
import { noHeaders } from "../../core/entry.ts";
import type { BlobStore, RequestOptions } from "../blob-store.ts";

export interface OddKind {
  /** What such a name has, for people. */
  readonly what: string;
  /** Whether an object's key, with the store's prefix, is of this kind. */
  readonly isOf: (key: string) => boolean;
  /** A name of this kind, which nobody uses: within this folder, if it can be. */
  readonly example: (folder: string, prefix: string) => string;
}

const maxPartBytes = 255;

const kinds: readonly OddKind[] = [
  { what: "a part that is .", isOf: (key) => hasPart(key, "."), example: (folder) => `${folder}/./x` },
  { what: "a part that is ..", isOf: (key) => hasPart(key, ".."), example: (folder) => `${folder}/../x` },
  {
    what: "more parts that are .. than others before them",
    isOf: leadsOut,
    example: (folder, prefix) => outOf(folder, prefix),
  },
  { what: "an empty part", isOf: (key) => hasPart(key.slice(0, -1), ""), example: (folder) => `${folder}//x` },
  { what: "a slash at its end", isOf: (key) => key.endsWith("/"), example: (folder) => `${folder}/x/` },
  {
    what: `a part of more than ${maxPartBytes} bytes`,
    isOf: (key) =>
      key.length > maxPartBytes / 4 && key.split("/").some((part) => Buffer.byteLength(part) > maxPartBytes),
    example: (folder) => `${folder}/${"x".repeat(maxPartBytes + 1)}`,
  },
];

/**
 * The kinds that the store refuses, or does not give back as they were written.
 *
 * @param folder A name that nobody uses, under `.weir/probe/`.
 * @param prefix The store's.
 * @throws OperatingError when the store is out of reach.
 */
export async function refusedKinds(
  store: BlobStore,
  folder: string,
  prefix: string,
  options: RequestOptions,
): Promise<readonly OddKind[]> {
  const isTaken = await Promise.all(kinds.map((kind) => isHeld(store, kind.example(folder, prefix), options)));
  return kinds.filter((_, index) => isTaken[index] === false);
}

async function isHeld(store: BlobStore, name: string, options: RequestOptions): Promise<boolean> {
  const body = Buffer.from(name);
  try {
    await store.write(name, { body, headers: noHeaders }, { kind: "always" }, options);
    const read = await store.read(name, body.length, options);
    await store.remove(name, { kind: "always" }, options);
    return read.kind === "found" && read.blob.body.equals(body);
  } catch (error) {
    if (!isOperatingError(error, "store_refused")) throw error;
    return false;
  }
}

function hasPart(key: string, part: string): boolean {
  if (part === "") return key.startsWith("/") || key.includes("//");
  return key.split("/").includes(part);
}

/** As a path, it would be outside of the bucket at some point. */
function leadsOut(key: string): boolean {
  let depth = 0;
  for (const part of key.split("/")) {
    depth += part === ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

function outOf(folder: string, prefix: string): string {
  const last = folder.slice(folder.lastIndexOf("/") + 1);
  // The first part may belong to the prefix.
  let up = prefix === "" || prefix.endsWith("/") ? "" : "/";
  while (!leadsOut(prefix + up)) up += "../";
  return `${up}.weir-probe-${last}`;
}
