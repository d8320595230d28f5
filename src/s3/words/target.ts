/**
 * From a request's target to a bucket, a key and a query. The path is taken as it came, like that of the native routes:
 * `a//b` and `a/../b` are keys like any other, and `%2F` is the same byte as `/`. In a query `+` is a space.
 */

import { decodePercent } from "../../http/server/percent.ts";
import { S3Error } from "./s3-error.ts";

export interface S3Target {
  /** Undefined: the request is for all buckets. */
  readonly bucket: string | undefined;
  /** Undefined: the request is for the bucket. */
  readonly key: string | undefined;
  /** The bucket, if the host's name has it. Then the path is the key. */
  readonly bucketOfHost: string | undefined;
  /** As it came, without the query. */
  readonly path: string;
  readonly query: Query;
}

const noParameters: readonly (readonly [string, string])[] = [];

/** The parameters of a query, decoded. */
export class Query {
  /** In the order in which they came. */
  readonly all: readonly (readonly [name: string, value: string])[];

  constructor(all: readonly (readonly [name: string, value: string])[]) {
    this.all = all;
  }

  /** @throws S3Error `InvalidURI`. */
  static parse(text: string): Query {
    if (text === "") return noQuery;
    const parts = text.split("&").filter((part) => part !== "");
    return new Query(
      parts.map((part) => {
        const at = part.indexOf("=");
        return at === -1 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
      }),
    );
  }

  has(name: string): boolean {
    for (const [each] of this.all) if (each === name) return true;
    return false;
  }

  /**
   * The value of a parameter. Undefined without it.
   *
   * @throws S3Error `InvalidArgument` if it is there twice: two parties could take different ones.
   */
  get(name: string): string | undefined {
    let found: string | undefined;
    for (const [each, value] of this.all) {
      if (each !== name) continue;
      if (found !== undefined) throw new S3Error("InvalidArgument", `the parameter ${name} occurs more than once`);
      found = value;
    }
    return found;
  }
}

const noQuery = new Query(noParameters);

/**
 * @param target In the origin form.
 * @param bucketOfHost The bucket that the host's name has in it, if any. Then the path is the key.
 * @throws S3Error `InvalidURI`.
 */
export function parseTarget(target: string, bucketOfHost: string | undefined): S3Target {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!path.startsWith("/")) throw new S3Error("InvalidURI", "the request's target is no path");
  if (target.includes("#")) throw new S3Error("InvalidURI", "a hash sign is written %23");
  const query = mark === -1 ? noQuery : Query.parse(target.slice(mark + 1));
  if (bucketOfHost !== undefined) return { bucket: bucketOfHost, key: keyOf(path.slice(1)), bucketOfHost, path, query };
  const slash = path.indexOf("/", 1);
  const bucket = decodePath(slash === -1 ? path.slice(1) : path.slice(1, slash));
  const key = slash === -1 ? undefined : keyOf(path.slice(slash + 1));
  if (bucket === "" && key !== undefined) throw new S3Error("InvalidURI", "the path has a key and no bucket");
  return { bucket: bucket === "" ? undefined : bucket, key, bucketOfHost, path, query };
}

function keyOf(encoded: string): string | undefined {
  return encoded === "" ? undefined : decodePath(encoded);
}

function decodePath(encoded: string): string {
  return encoded.includes("%") ? decodePercent(encoded, invalid) : encoded;
}

function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", "%20") : text;
  return spaced.includes("%") ? decodePercent(spaced, invalid) : spaced;
}

function invalid(detail: string): S3Error {
  return new S3Error("InvalidURI", detail);
}
