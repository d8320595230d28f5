/**
 * What is kept with a value for S3's clients alone: its checksum, and the sizes of the parts in which it came. Both are
 * metadata of the object itself, so they are never those of another value.
 *
 * A store may take no metadata when parts become an object (S3: it wants them when the upload begins). There the
 * object has neither.
 */

import { type ContentHeaders, checksumHeader, partsHeader, type ValueInfo } from "../../core/entry.ts";
import { maxParts } from "../../core/part-sizes.ts";
import { sizeProblem } from "../../http/routes/content-headers.ts";
import { type Checksum, isChecksum, isChecksumAlgorithm } from "./checksum.ts";

export interface ObjectFacts {
  readonly checksum: Checksum | undefined;
  /** Undefined for a value that came in one request. */
  readonly partSizes?: readonly number[] | undefined;
}

/** The same headers with what is kept, unless that would take too much room. */
export function withFacts(
  headers: ContentHeaders,
  { checksum, partSizes }: ObjectFacts,
  maxMetadataBytes: number,
): ContentHeaders {
  let all = headers;
  const add = (name: string, value: string): void => {
    const more = { ...all, [name]: value };
    if (sizeProblem(more, maxMetadataBytes) === undefined) all = more;
  };
  if (checksum !== undefined) add(checksumHeader, `${checksum.algorithm} ${checksum.value}`);
  if (partSizes !== undefined && !partSizes.includes(0)) add(partsHeader, formatSizes(partSizes));
  return all;
}

/** A copy has one part, so a checksum of several parts' checksums is not its own. */
export function copiedHeaders(headers: ContentHeaders): ContentHeaders {
  const checksum = checksumOf(headers);
  const isOfParts = checksum !== undefined && typeOf(checksum) === "COMPOSITE";
  if (headers[partsHeader] === undefined && !isOfParts) return headers;
  const { [partsHeader]: _sizes, [checksumHeader]: kept, ...others } = headers;
  return isOfParts || kept === undefined ? others : { ...others, [checksumHeader]: kept };
}

export function checksumOf(headers: ContentHeaders): Checksum | undefined {
  const [algorithm = "", value = ""] = headers[checksumHeader]?.split(" ") ?? [];
  if (!isChecksumAlgorithm(algorithm)) return undefined;
  const [, own = ""] = compositePattern.exec(value) ?? ["", value];
  return isChecksum(algorithm, own) ? { algorithm, value } : undefined;
}

/** A checksum of several parts' checksums has their number behind it. */
const compositePattern = /^([^-]*)-[1-9]\d{0,4}$/;

export function typeOf({ value }: Checksum): "COMPOSITE" | "FULL_OBJECT" {
  return value.includes("-") ? "COMPOSITE" : "FULL_OBJECT";
}

/** So many parts of one size, one after the other. */
interface Run {
  count: number;
  readonly bytes: number;
}

/** The parts of an object, numbered from 1 without a gap. */
export class ObjectParts {
  readonly count: number;
  readonly #runs: readonly Run[];

  constructor(runs: readonly Run[]) {
    this.#runs = runs;
    this.count = runs.reduce((sum, { count }) => sum + count, 0);
  }

  get size(): number {
    return this.#runs.reduce((sum, { count, bytes }) => sum + count * bytes, 0);
  }

  /** Which bytes of the object the part has; undefined if there is no such part. */
  spanOf(number: number): { readonly start: number; readonly end: number } | undefined {
    let start = 0;
    let before = number - 1;
    for (const { count, bytes } of this.#runs) {
      if (before < count) return { start: start + before * bytes, end: start + (before + 1) * bytes };
      before -= count;
      start += count * bytes;
    }
    return undefined;
  }
}

/** Undefined for a value whose parts are not known, or that came in one request. */
export function partsOf({ headers, size }: Pick<ValueInfo, "headers" | "size">): ObjectParts | undefined {
  const text = headers[partsHeader];
  if (text === undefined) return undefined;
  const runs: Run[] = [];
  for (const run of text.split(",")) {
    const [, count = "0", bytes = "0"] = runPattern.exec(run) ?? [];
    if (count === "0") return undefined;
    runs.push({ count: Number(count), bytes: Number(bytes) });
  }
  const parts = new ObjectParts(runs);
  // Somebody else may have written the object.
  return parts.size === size && parts.count <= maxParts ? parts : undefined;
}

const runPattern = /^([1-9]\d{0,4})\*([1-9]\d{0,14})$/;

/** Most clients' parts have one size, but for the last. */
function formatSizes(sizes: readonly number[]): string {
  const runs: Run[] = [];
  for (const bytes of sizes) {
    const last = runs.at(-1);
    if (last?.bytes === bytes) last.count++;
    else runs.push({ count: 1, bytes });
  }
  return runs.map(({ count, bytes }) => `${count}*${bytes}`).join(",");
}
