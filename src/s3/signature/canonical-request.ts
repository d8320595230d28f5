/**
 * The canonical form of a request, whose hash is signed (AWS, "Create a signed AWS API request"). It is made from the
 * raw target and the raw headers: whatever is not the same as what was signed leads to another form.
 */

import { decodePercent } from "../../http/server/percent.ts";
import { collapseBlanks } from "../words/blanks.ts";
import { S3Error } from "../words/s3-error.ts";
import type { S3Target } from "../words/target.ts";
import { encodeUri, encodeUriPath } from "../words/uri-encoding.ts";
import type { SignedHeaders } from "./authorization.ts";

export interface SignedRequest {
  readonly method: string;
  readonly target: Pick<S3Target, "bucketOfHost" | "path" | "query">;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Characters are bytes, as in `rawHeaders`. */
export function canonicalRequest(
  { method, target, rawHeaders }: SignedRequest,
  signedHeaders: SignedHeaders,
  payloadHash: string,
): string {
  const headers = canonicalHeaders(rawHeaders, signedHeaders);
  const { path, query } = target;
  return `${method}\n${canonicalPath(path)}\n${canonicalQuery(query.all)}${headers}${signedHeaders.ending}${payloadHash}`;
}

/** S3 encodes a path once, and normalises nothing. */
function canonicalPath(path: string): string {
  const fail = (detail: string): S3Error => new S3Error("InvalidURI", detail);
  return encodeUriPath(path.includes("%") ? decodePercent(path, fail) : path);
}

/** All parameters but the signature itself, ascending. */
function canonicalQuery(parameters: readonly (readonly [string, string])[]): string {
  if (parameters.length === 0) return "";
  return parameters
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * A line for each signed header. The values of one that is there several times are joined, so that each of them counts.
 *
 * @throws S3Error `AccessDenied` where a signed header is not there, or one that must be signed is not.
 */
function canonicalHeaders(rawHeaders: readonly string[], signedHeaders: SignedHeaders): string {
  const { names, beginnings } = signedHeaders;
  const values: (string | undefined)[] = names.map(() => undefined);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    const place = signedHeaders.placeOf(given, i / 2);
    if (place === undefined) {
      const name = given.toLowerCase();
      if (name === "host" || name.startsWith("x-amz-")) {
        throw new S3Error("AccessDenied", `the header ${name} is not signed, and must be`);
      }
      continue;
    }
    const earlier = values[place];
    const value = collapseBlanks(rawHeaders[i + 1] as string);
    values[place] = earlier === undefined ? value : `${earlier},${value}`;
  }
  let lines = "";
  for (let place = 0; place < names.length; place++) {
    const value = values[place];
    if (value === undefined) {
      throw new S3Error("AccessDenied", `the header ${names[place]} was signed, and is not there`);
    }
    lines += beginnings[place] as string;
    lines += value;
  }
  return lines;
}
