/**
 * The headers that are kept with a value: six of HTTP's own and the user's metadata. What the store would refuse later
 * is refused here, while the client still waits for the answer.
 */

import { OperatingError } from "../../base/errors.ts";
import { type ContentHeaders, isOwnHeader, noHeaders } from "../../core/entry.ts";
import type { HeaderList } from "../server/exchange.ts";

/** The header of metadata NAME is this and NAME. */
export const metadataPrefix = "x-weir-meta-";

/**
 * What weir's own metadata takes in the store.
 * - the name weir-upload: 11
 * - its value: the cluster's id (32), the key's tag (8), epoch (16 digits at most), seq (1), 32 random digits, four
 *   dots. This is more than weir-version takes.
 * - the name weir-content-type (17) and `none`, for a value without a content type
 */
const ownBytes = 11 + 32 + 8 + 16 + 1 + 32 + 4 + 17 + 4;

/** The name weir-names and a space, or less. */
const twiceBytes = 11;

const space = 0x20;
const expiresLength = "expires".length;

const metadataName = /^[a-z0-9._-]+$/;

/**
 * The headers of a request that are kept. `rawHeaders` has names and values in turn.
 *
 * @throws OperatingError `header_invalid`.
 */
export function contentHeaders(rawHeaders: readonly string[], maxMetadataBytes: number): ContentHeaders {
  let kept: Record<string, string> | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const rawName = rawHeaders[i] as string;
    // They begin with c, x or e. All but `expires` are longer. Most headers go no further than this.
    if (rawName.length < 12 && rawName.length !== expiresLength) continue;
    const initial = rawName.charCodeAt(0) | 0x20;
    if (initial !== 0x63 && initial !== 0x78 && initial !== 0x65) continue;
    const name = rawName.toLowerCase();
    const value = rawHeaders[i + 1] as string;
    const rule = ruleOf(name);
    if (rule === undefined || (value === "" && rule !== "metadata")) continue;
    kept ??= {};
    const earlier = kept[name];
    if (earlier !== undefined && rule !== "list") throw invalid(`${rawName} occurs more than once`);
    kept[name] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  if (kept === undefined) return noHeaders;
  const tooLong = sizeProblem(kept, maxMetadataBytes);
  if (tooLong !== undefined) throw invalid(tooLong);
  return kept;
}

/**
 * A value may be a page with scripts, and its writer may have the right to one key only. In a browser it would be of
 * the same site as the dashboard, and could do whatever its reader may. `sandbox` makes it a site of its own. As part
 * of another page (an image, a style, a script) it works as before.
 */
export const sandboxed = ["Content-Security-Policy", "sandbox", "X-Content-Type-Options", "nosniff"] as const;

/** The headers by which a value's writer says how it may be cached. */
export const cachingNames: readonly string[] = ["cache-control", "expires"];

/**
 * Adds that caches must ask first, unless the value's writer says how it may be cached, or the reader's `overrides` do.
 * With only `Last-Modified` to go by, a cache may answer for days without asking, and a read would not see the last
 * write (R1).
 */
export function addCaching(headers: HeaderList, kept: ContentHeaders, overrides = noHeaders): void {
  const isSaid = cachingNames.some(
    (name) => overrides[name] !== undefined || (kept[name] !== undefined && isSendable(kept[name])),
  );
  if (!isSaid) headers.push("Cache-Control", "no-cache");
}

const unsendable = /[^\t\x20-\x7e\x80-\xff]/;

/** What was sendable last: most values have the same content type. */
let lastSendable = "";

/** Whether HTTP can carry it as a header's value. */
export function isSendable(value: string): boolean {
  if (value === lastSendable) return true;
  if (unsendable.test(value)) return false;
  lastSendable = value;
  return true;
}

/** Why the store would not take the headers. Undefined if it would. */
export function sizeProblem(headers: ContentHeaders, maxMetadataBytes: number): string | undefined {
  let metadata = ownBytes;
  let content = 0;
  for (const name in headers) {
    const value = headers[name] as string;
    const stored = storedLength(value);
    if (name.startsWith(metadataPrefix)) {
      const length = name.length - metadataPrefix.length;
      metadata += length + stored;
      // It is written twice: as it is and in a list, or in hexadecimal digits.
      if (name.includes("_")) metadata += length + twiceBytes;
    } else {
      content += name.length + stored;
      // A header that the store cannot hold as it is, is also kept whole in the metadata, as `weir-<name>`.
      if (stored !== value.length) metadata += 5 + name.length + stored;
    }
  }
  if (metadata > maxMetadataBytes) {
    return `${metadataPrefix}* headers take ${metadata} bytes as they are stored (weir's own ${ownBytes} included), more than ${maxMetadataBytes}`;
  }
  if (content > maxMetadataBytes) return `the content headers take ${content} bytes, more than ${maxMetadataBytes}`;
  return undefined;
}

type Rule = "single" | "list" | "metadata";

function ruleOf(name: string): Rule | undefined {
  switch (name) {
    case "content-type":
    case "content-disposition":
    case "expires":
      return "single";
    case "content-encoding":
    case "content-language":
    case "cache-control":
      return "list";
  }
  if (!name.startsWith(metadataPrefix)) return undefined;
  const ownName = name.slice(metadataPrefix.length);
  if (!metadataName.test(ownName))
    throw invalid(`${name}: a metadata name has letters, digits, hyphens, dots and underscores only`);
  if (ownName.startsWith("weir-")) throw invalid(`${name}: metadata names that begin with weir- are weir's own`);
  if (isOwnHeader(name)) throw invalid(`${name}: this metadata name is weir's own`);
  return "metadata";
}

/**
 * The value's bytes in the store. Percent signs, characters other than printable ASCII, and spaces at an end or in a
 * row are percent-encoded there.
 */
function storedLength(value: string): number {
  if (value === "") return 1;
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const atEdge = i === 0 || i === value.length - 1 || value.charCodeAt(i + 1) === space;
    if (code < space || code > 0x7e || code === 0x25 || (code === space && atEdge)) length += 2;
  }
  return length;
}

function invalid(detail: string): OperatingError {
  return new OperatingError("header_invalid", detail);
}
