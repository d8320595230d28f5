/**
 * The headers of an object in S3's words and in the node's own: metadata has another prefix, and `aws-chunked` is no
 * coding of the value.
 */

import { isOperatingError } from "../../base/errors.ts";
import { type ContentHeaders, isOwnHeader, noHeaders } from "../../core/entry.ts";
import {
  cachingNames,
  contentHeaders,
  isSendable,
  metadataPrefix,
  sandboxed,
} from "../../http/routes/content-headers.ts";
import type { HeaderList } from "../../http/server/exchange.ts";
import type { Checksum } from "../body/checksum.ts";
import { typeOf } from "../body/object-facts.ts";
import type { S3Call } from "../call.ts";
import { trimBlanks } from "../words/blanks.ts";
import { S3Error } from "../words/s3-error.ts";
import { element } from "../words/xml.ts";

const s3Prefix = "x-amz-meta-";

/**
 * The headers of a request that are kept with the value.
 *
 * @throws S3Error `InvalidArgument`, `MetadataTooLarge`.
 */
export function keptHeaders({ headers }: Pick<S3Call, "headers">, maxMetadataBytes: number): ContentHeaders {
  const raw: string[] = [];
  for (const name in headers) {
    // Nearly every request has this one, and it is none of those that are kept.
    if (name === "content-length") continue;
    const isMetadata = name.startsWith(s3Prefix);
    if (!isMetadata && !name.startsWith("c") && name !== "expires") continue;
    const value = headers[name];
    if (value === undefined) continue;
    if (name === "content-encoding") {
      const codings = value.split(",").filter((coding) => coding.trim().toLowerCase() !== "aws-chunked");
      raw.push(name, trimBlanks(codings.join(",")));
    } else if (isMetadata) {
      raw.push(metadataPrefix + name.slice(s3Prefix.length), value);
    } else {
      raw.push(name, value);
    }
  }
  if (raw.length === 0) return noHeaders;
  try {
    return contentHeaders(raw, maxMetadataBytes);
  } catch (error) {
    if (!isOperatingError(error, "header_invalid")) throw error;
    const detail = error.message.replaceAll(metadataPrefix, s3Prefix);
    throw new S3Error(/ take \d+ bytes/.test(detail) ? "MetadataTooLarge" : "InvalidArgument", detail);
  }
}

export function addChecksum(headers: HeaderList, checksum: Checksum | undefined): void {
  if (checksum === undefined) return;
  headers.push(`x-amz-checksum-${checksum.algorithm}`, checksum.value, "x-amz-checksum-type", typeOf(checksum));
}

/** The same in XML. */
export function checksumElement(checksum: Checksum | undefined): string {
  return checksum === undefined ? "" : element(`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value);
}

/** S3's own for objects without a type. */
const defaultType = "binary/octet-stream";

/** Adds the headers that are kept with a value, or those that the reader wants in their place. */
export function addKept(headers: HeaderList, kept: ContentHeaders, overrides: ContentHeaders): void {
  for (const name in kept) {
    const value = kept[name] as string;
    if (isOwnHeader(name) || overrides[name] !== undefined || !isSendable(value)) continue;
    headers.push(name.startsWith(metadataPrefix) ? s3Prefix + name.slice(metadataPrefix.length) : name, value);
  }
  for (const name in overrides) headers.push(name, overrides[name] as string);
  if (kept["content-type"] === undefined && overrides["content-type"] === undefined) {
    headers.push("Content-Type", defaultType);
  } else {
    headers.push(...sandboxed);
  }
}

const overridable = ["type", "language", "encoding", "disposition"].map((each) => `content-${each}`);
const overrideNames = [...overridable, ...cachingNames];

/**
 * Headers that the query wants in place of the value's own (`response-content-type` and so on).
 *
 * @throws S3Error `InvalidArgument` for one that HTTP cannot carry.
 */
export function overridesIn({ target }: Pick<S3Call, "target">): ContentHeaders {
  const { query } = target;
  if (query.all.length === 0) return noOverrides;
  const found: Record<string, string> = {};
  for (const name of overrideNames) {
    const text = query.get(`response-${name}`);
    if (text === undefined) continue;
    const value = Buffer.from(text).toString("latin1");
    if (!isSendable(value)) throw new S3Error("InvalidArgument", `response-${name} is no value of a header`);
    found[name] = value;
  }
  return found;
}

const noOverrides: ContentHeaders = Object.freeze({});
