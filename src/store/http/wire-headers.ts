/**
 * How a value's headers and metadata travel to a store over HTTP and back.
 *
 * Servers take printable ASCII only and drop empty values. Some sign or return trimmed values. They make up a content
 * type where there was none. So what they cannot hold is written in an escaped form. It is unescaped only for objects
 * that carry `weir-version` or `weir-upload`. Other objects are returned as they are.
 *
 * - `x-weir-meta-NAME` becomes `x-amz-meta-NAME`, or what the store's dialect has in its place.
 * - A NAME that begins with `weir-`, or that the store cannot hold, gets `weir-x-` before it. So it never meets weir's
 *   own.
 * - Metadata percent-encodes `%` and the bytes that the wire cannot hold. A lone `%` is the empty value.
 * - A content header with such bytes goes out with them encoded, for other readers, and whole as metadata
 *   `weir-<header>`.
 * - A value without a content type has the metadata `weir-content-type: none`. So the server's default is recognized.
 */

import type { IncomingHttpHeaders } from "node:http";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { noHeaders } from "../../core/entry.ts";
import type { BlobContent, BlobInfo } from "../blob-store.ts";
import { type ExchangeAnswer, header } from "./exchange.ts";

/** What a kind of store calls things. */
export interface HeaderDialect {
  /** The prefix of a metadata header. */
  readonly metaPrefix: string;
  /** The prefix of a content header that the store must keep. Answers have the header without it. */
  readonly contentPrefix: string;
  /** The store's form of a name of `[a-z0-9-]`. No two names become the same. */
  readonly toName: (name: string) => string;
  /** The inverse, from a lower-case name. Undefined for a name that weir cannot have written. */
  readonly fromName: (name: string) => string | undefined;
  /** Names that the store cannot hold even in that form. */
  readonly unheldName: RegExp;
}

export interface WireHeaders {
  /** Sent unsigned: servers and proxies disagree on their canonical form. */
  readonly content: Record<string, string>;
  /** Must be signed where headers are signed. In no order. */
  readonly metadata: Record<string, string>;
}

const contentNames = ["cache-control", "content-disposition", "content-encoding", "content-type"] as const;

const noType = "none";
const versionName = "weir-version";
const uploadName = "weir-upload";
const typeName = "weir-content-type";
const ownPrefix = "weir-";
const escapedPrefix = "weir-x-";
const userPrefix = "x-weir-meta-";

export class HeaderCodec {
  readonly #dialect: HeaderDialect;
  readonly #versionHeader: string;
  readonly #uploadHeader: string;
  readonly #typeHeader: string;

  constructor(dialect: HeaderDialect) {
    this.#dialect = dialect;
    this.#versionHeader = this.#metaHeader(versionName);
    this.#uploadHeader = this.#metaHeader(uploadName);
    this.#typeHeader = this.#metaHeader(typeName);
  }

  /** `upload` is kept as the metadata `weir-upload`. */
  toWire(content: Pick<BlobContent, "headers" | "version"> & { readonly upload?: string }): WireHeaders {
    const wire: WireHeaders = { content: {}, metadata: {} };
    if (content.version !== undefined) wire.metadata[this.#versionHeader] = escapeValue(content.version);
    if (content.upload !== undefined) wire.metadata[this.#uploadHeader] = escapeValue(content.upload);
    if (content.headers["content-type"] === undefined) wire.metadata[this.#typeHeader] = noType;
    for (const [name, value] of Object.entries(content.headers)) {
      if (name.startsWith(userPrefix)) {
        const own = name.slice(userPrefix.length);
        const isEscaped = own.startsWith(ownPrefix) || this.#dialect.unheldName.test(own);
        wire.metadata[this.#metaHeader(isEscaped ? escapedPrefix + own : own)] = escapeValue(value);
      } else {
        const isExact = isPlain(value);
        if (!isExact) wire.metadata[this.#metaHeader(ownPrefix + name)] = escapeValue(value);
        const shown = isExact ? value : value.replace(notPrintable, percent).trim();
        if (shown !== "") wire.content[this.#dialect.contentPrefix + name] = shown;
      }
    }
    return wire;
  }

  fromWire(headers: IncomingHttpHeaders): Pick<BlobInfo, "headers" | "version" | "upload"> {
    const version = text(headers[this.#versionHeader]);
    const upload = text(headers[this.#uploadHeader]);
    const ours = version !== undefined || upload !== undefined;
    const result: Record<string, string> = {};
    for (const name of contentNames) {
      const exact =
        ours || name === "content-type" ? text(headers[this.#metaHeader(`${ownPrefix}${name}`)]) : undefined;
      const value = exact === undefined ? text(headers[name]) : exact === noType ? undefined : unescapeValue(exact);
      if (value !== undefined) result[name] = value;
    }
    const { metaPrefix } = this.#dialect;
    for (const name in headers) {
      if (!name.startsWith(metaPrefix)) continue;
      const own = this.#dialect.fromName(name.slice(metaPrefix.length));
      if (own === undefined) continue;
      const value = text(headers[name]) as string;
      if (!ours) result[userPrefix + own] = value;
      else if (!own.startsWith(ownPrefix)) result[userPrefix + own] = unescapeValue(value);
      else if (own.startsWith(escapedPrefix))
        result[userPrefix + own.slice(escapedPrefix.length)] = unescapeValue(value);
    }
    if (!ours) delete result[userPrefix + typeName];
    return {
      headers: Object.keys(result).length === 0 ? noHeaders : result,
      version: version === undefined ? undefined : unescapeValue(version),
      upload: upload === undefined ? undefined : unescapeValue(upload),
    };
  }

  /** What an answer tells about the blob, without its body. */
  infoOf(answer: Pick<ExchangeAnswer, "headers">): BlobInfo {
    return {
      tag: readTag(answer),
      size: Number(header(answer, "content-length") ?? 0),
      ...this.fromWire(answer.headers),
      modifiedMs: Date.parse(header(answer, "last-modified") ?? "") || 0,
    };
  }

  #metaHeader(name: string): string {
    return this.#dialect.metaPrefix + this.#dialect.toName(name);
  }
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

/** Whether every server returns the value as it is. */
function isPlain(value: string): boolean {
  return /^[!-~]([ -~]*[!-~])?$/.test(value);
}

function percent(character: string): string {
  assert(character.charCodeAt(0) <= 0xff, "a header's characters are bytes");
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

/**
 * Each character of `value` is a byte. Spaces at either end or in a row are encoded too, because the signature trims
 * them.
 */
function escapeValue(value: string): string {
  if (value === "") return "%";
  return value.replace(/[^ -~]|%|^ | $| (?= )/g, percent);
}

/** Text that does not look escaped stays as it is: a person may have edited the metadata. */
function unescapeValue(value: string): string {
  if (value === "%") return "";
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_whole, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}
