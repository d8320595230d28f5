/**
 * How a value's headers and metadata travel to S3 and back. Servers take printable ASCII only, drop empty values, sign trimmed
 * ones, and make up a content type where there was none; what they can't hold is written in an escaped form, and undone
 * for objects that carry `weir-version` or `weir-upload` (others are given as they are found).
 *
 * - `x-weir-meta-NAME` is `x-amz-meta-NAME`. A NAME that begins with `weir-` gets `weir-x-` before it, to keep clear of weir's own.
 * - Bytes that the wire can't hold, and `%`, are percent-encoded in metadata; a lone `%` is the empty value.
 * - A content header with such bytes goes out with these encoded, for other readers, and whole as metadata `weir-<header>`.
 * - A value without content type has the metadata `weir-content-type: none`, so that the server's default is known for what it is.
 */

import type { IncomingHttpHeaders } from "node:http";
import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { noHeaders } from "../core/entry.ts";
import type { BlobContent, BlobInfo } from "./blob-store.ts";

const contentNames = ["cache-control", "content-disposition", "content-encoding", "content-type"] as const;

const metaPrefix = "x-amz-meta-";
const versionHeader = "x-amz-meta-weir-version";
const uploadHeader = "x-amz-meta-weir-upload";
const noTypeHeader = "x-amz-meta-weir-content-type";
const noType = "none";
const ownPrefix = "weir-";
const escapedPrefix = "weir-x-";
const userPrefix = "x-weir-meta-";

export interface WireHeaders {
  /** Sent unsigned: servers and proxies disagree on their canonical form. */
  readonly content: Record<string, string>;
  /** `x-amz-meta-…`, which must be signed; in no order. */
  readonly metadata: Record<string, string>;
}

/** `upload` is kept as the metadata `weir-upload`. */
export function toWire(content: Pick<BlobContent, "headers" | "version"> & { readonly upload?: string }): WireHeaders {
  const wire: WireHeaders = { content: {}, metadata: {} };
  if (content.version !== undefined) wire.metadata[versionHeader] = escapeValue(content.version);
  if (content.upload !== undefined) wire.metadata[uploadHeader] = escapeValue(content.upload);
  if (content.headers["content-type"] === undefined) wire.metadata[noTypeHeader] = noType;
  for (const [name, value] of Object.entries(content.headers)) {
    if (name.startsWith(userPrefix)) {
      const own = name.slice(userPrefix.length);
      wire.metadata[metaPrefix + (own.startsWith(ownPrefix) ? escapedPrefix + own : own)] = escapeValue(value);
    } else if (isPlain(value)) wire.content[name] = value;
    else {
      wire.metadata[`${metaPrefix}${ownPrefix}${name}`] = escapeValue(value);
      if (value.trim() !== "") wire.content[name] = value.replace(notPrintable, percent).trim();
    }
  }
  return wire;
}

export function fromWire(headers: IncomingHttpHeaders): Pick<BlobInfo, "headers" | "version" | "upload"> {
  const version = text(headers[versionHeader]);
  const upload = text(headers[uploadHeader]);
  const ours = version !== undefined || upload !== undefined;
  const result: Record<string, string> = {};
  for (const name of contentNames) {
    const exact = ours || name === "content-type" ? text(headers[`${metaPrefix}${ownPrefix}${name}`]) : undefined;
    const value = exact === undefined ? text(headers[name]) : exact === noType ? undefined : unescapeValue(exact);
    if (value !== undefined) result[name] = value;
  }
  for (const name in headers) {
    if (!name.startsWith(metaPrefix)) continue;
    const own = name.slice(metaPrefix.length);
    const value = text(headers[name]) as string;
    if (!ours) result[userPrefix + own] = value;
    else if (!own.startsWith(ownPrefix)) result[userPrefix + own] = unescapeValue(value);
    else if (own.startsWith(escapedPrefix)) result[userPrefix + own.slice(escapedPrefix.length)] = unescapeValue(value);
  }
  if (!ours) delete result[userPrefix + noTypeHeader.slice(metaPrefix.length)];
  return {
    headers: Object.keys(result).length === 0 ? noHeaders : result,
    version: version === undefined ? undefined : unescapeValue(version),
    upload: upload === undefined ? undefined : unescapeValue(upload),
  };
}

/** The opaque tag in an ETag. */
export function unquoted(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, "$1");
}

/** The ETag of an answer, without its quotes. */
export function readTag(answer: { readonly headers: IncomingHttpHeaders }): string {
  const tag = text(answer.headers["etag"]);
  if (tag === undefined) throw new OperatingError("store_unavailable", "the store's answer has no ETag");
  return unquoted(tag);
}

const notPrintable = /[^ -~]/g;

/** Whether every server gives it back as it is. */
function isPlain(value: string): boolean {
  return /^[!-~]([ -~]*[!-~])?$/.test(value);
}

function percent(character: string): string {
  assert(character.charCodeAt(0) <= 0xff, "a header's characters are bytes");
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

/** Each character of `value` is a byte. Spaces at either end or in a row are encoded too: the signature trims them. */
function escapeValue(value: string): string {
  if (value === "") return "%";
  return value.replace(/[^ -~]|%|^ | $| (?= )/g, percent);
}

/** What does not look escaped is left as it is: a person may have edited the metadata. */
function unescapeValue(value: string): string {
  if (value === "%") return "";
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_whole, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}
