/**
 * How a value's headers and metadata travel to a store over HTTP and back.
 *
 * Servers take printable ASCII only and drop empty values. Some sign or return trimmed values. They make up a content
 * type where there was none. So what they cannot hold is written in an escaped form. It is unescaped only for objects
 * that carry `weir-version` or `weir-upload`. Other objects are returned as they are.
 *
 * - `x-weir-meta-NAME` becomes `x-amz-meta-NAME`, or what the store's dialect has in its place.
 * - A NAME that begins with `weir-`, or that the store cannot hold, gets `weir-x-` before it. So it never meets weir's
 *   own. One with characters that the store cannot hold becomes `weir-hex-` and its bytes in hexadecimal digits.
 * - Some servers turn `_` in a name into a hyphen. Such names are listed in the metadata `weir-names`.
 * - Metadata percent-encodes `%` and the bytes that the wire cannot hold. A lone `%` is the empty value.
 * - A content header with such bytes goes out with them encoded, for other readers, and whole as metadata
 *   `weir-<header>`. One that the store does not keep is there as metadata alone.
 * - A value without a content type has the metadata `weir-content-type: none`. So the server's default is recognized.
 */

import type { IncomingHttpHeaders } from "node:http";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { type ContentHeaders, contentNames, noHeaders } from "../../core/entry.ts";
import type { BlobContent, BlobInfo } from "../blob-store.ts";
import { type ExchangeAnswer, header } from "./exchange.ts";

/** What a kind of store calls things. */
export interface HeaderDialect {
  /** The prefix of a metadata header. */
  readonly metaPrefix: string;
  /** The prefix of a content header that the store must keep. Answers have the header without it. */
  readonly contentPrefix: string;
  /** The content headers that the store keeps. */
  readonly contentNames: readonly string[];
  /** The store's form of a name of `[a-z0-9-]`. No two such names become the same. */
  readonly toName: (name: string) => string;
  /** The inverse, from a lower-case name. Undefined for a name that weir cannot have written. */
  readonly fromName: (name: string) => string | undefined;
  /** Names that the store cannot hold even in that form. */
  readonly unheldName: RegExp;
  /** Names with characters that the store cannot hold. */
  readonly unheldCharacter: RegExp;
  /** Some servers of this kind give back a hyphen for each `_` in a name. */
  readonly mayFold: boolean;
}

export interface WireHeaders {
  /** Sent unsigned: servers and proxies disagree on their canonical form. */
  readonly content: Record<string, string>;
  /** Must be signed where headers are signed. In no order. */
  readonly metadata: Record<string, string>;
}

const noType = "none";
const versionName = "weir-version";
const uploadName = "weir-upload";
const typeName = "weir-content-type";
const ownPrefix = "weir-";
const escapedPrefix = "weir-x-";
const hexPrefix = "weir-hex-";
const foldedNames = "weir-names";
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
    const folded = this.#dialect.mayFold ? foldable(content.headers) : [];
    if (folded.length > 0) wire.metadata[this.#metaHeader(foldedNames)] = folded.join(" ");
    for (const [name, value] of Object.entries(content.headers)) {
      if (name.startsWith(userPrefix)) {
        const own = name.slice(userPrefix.length);
        wire.metadata[this.#metaHeader(folded.includes(own) ? own : this.#heldName(own))] = escapeValue(value);
      } else {
        const isKept = this.#dialect.contentNames.includes(name);
        const isExact = isKept && isPlain(value);
        if (!isExact) wire.metadata[this.#metaHeader(ownPrefix + name)] = escapeValue(value);
        const shown = isExact ? value : value.replace(notPrintable, percent).trim();
        if (isKept && shown !== "") wire.content[this.#dialect.contentPrefix + name] = shown;
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
      const shown = this.#dialect.contentNames.includes(name) ? text(headers[name]) : undefined;
      const value = exact === undefined ? shown : exact === noType ? undefined : unescapeValue(exact);
      if (value !== undefined) result[name] = value;
    }
    const { metaPrefix } = this.#dialect;
    for (const name in headers) {
      if (!name.startsWith(metaPrefix)) continue;
      const own = this.#dialect.fromName(name.slice(metaPrefix.length));
      if (own === undefined) continue;
      const value = text(headers[name]) as string;
      if (!ours) result[userPrefix + own] = value;
      else {
        const name = userName(own);
        if (name !== undefined) result[userPrefix + name] = unescapeValue(value);
      }
    }
    if (ours) unfold(result, text(headers[this.#metaHeader(foldedNames)]));
    else delete result[userPrefix + typeName];
    return {
      headers: Object.keys(result).length === 0 ? noHeaders : result,
      version: version === undefined ? undefined : unescapeValue(version),
      upload: upload === undefined ? undefined : unescapeValue(upload),
    };
  }

  /**
   * What an answer tells about the blob.
   *
   * @param size - as the answer says, unless its body was read
   * @throws OperatingError `store_unavailable` for one that does not say it: a proxy has left it out
   */
  infoOf(answer: Pick<ExchangeAnswer, "headers">, size = sizeIn(answer)): BlobInfo {
    return {
      tag: readTag(answer),
      size,
      ...this.fromWire(answer.headers),
      modifiedMs: Date.parse(header(answer, "last-modified") ?? "") || 0,
    };
  }

  /** A user's name as the store can hold it. */
  #heldName(name: string): string {
    const { unheldName, unheldCharacter } = this.#dialect;
    if (unheldCharacter.test(name)) return hexPrefix + Buffer.from(name).toString("hex");
    return name.startsWith(ownPrefix) || unheldName.test(name) ? escapedPrefix + name : name;
  }

  #metaHeader(name: string): string {
    return this.#dialect.metaPrefix + this.#dialect.toName(name);
  }
}

function sizeIn(answer: Pick<ExchangeAnswer, "headers">): number {
  const size = header(answer, "content-length");
  if (size !== undefined) return Number(size);
  throw new OperatingError("store_unavailable", "the store's answer does not say how large the object is");
}

/** The users' names with `_` that go as they are: no server takes them for other ones, or for weir's own. */
function foldable(headers: ContentHeaders): readonly string[] {
  const names = Object.keys(headers).flatMap((name) =>
    name.startsWith(userPrefix) ? name.slice(userPrefix.length) : [],
  );
  return names.filter(
    (name) =>
      name.includes("_") &&
      !fold(name).startsWith(ownPrefix) &&
      names.every((other) => other === name || fold(other) !== fold(name)),
  );
}

function fold(name: string): string {
  return name.replaceAll("_", "-");
}

/** Gives the listed names back their underscores, where a server has taken them. */
function unfold(headers: Record<string, string>, list: string | undefined): void {
  for (const name of list?.split(" ") ?? []) {
    const value = headers[userPrefix + fold(name)];
    if (value === undefined) continue;
    delete headers[userPrefix + fold(name)];
    headers[userPrefix + name] = value;
  }
}

/** The user's name that was written so. Undefined for one of weir's own. */
function userName(held: string): string | undefined {
  if (!held.startsWith(ownPrefix)) return held;
  if (held.startsWith(escapedPrefix)) return held.slice(escapedPrefix.length);
  if (held.startsWith(hexPrefix)) return Buffer.from(held.slice(hexPrefix.length), "hex").toString();
  return undefined;
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
