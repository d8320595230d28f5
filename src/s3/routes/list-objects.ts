/**
 * ListObjects and ListObjectsV2 over the listings of the cluster: unflushed writes are in them. A listing of the
 * cluster may have a page that is shorter than its limit, even empty. Clients of S3 do not expect that, so pages are
 * filled up.
 */

import type { ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { maxKeyBytes } from "../../core/keys.ts";
import { isOwn } from "../../core/listing.ts";
import type { ListedKey, Operations } from "../../core/operation.ts";
import type { NodeShares } from "../../http/server/node-shares.ts";
import type { OwnTurns, Turns } from "../../http/server/turns.ts";
import type { Bucket } from "../buckets.ts";
import { answerCall, type S3Call } from "../call.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import type { Query } from "../words/target.ts";
import { encodeUriPath } from "../words/uri-encoding.ts";
import { element, xmlDocument } from "../words/xml.ts";

interface Listing {
  readonly prefix: string;
  readonly delimiter: string;
  /** Without the bucket's prefix. */
  readonly after: string;
  readonly maxKeys: number;
  /** Writes a key into the answer. */
  readonly encode: (text: string) => string;
  readonly isEncoded: boolean;
}

/** Where a page begins, as each version of the request says it. */
interface Position {
  readonly token: string | undefined;
  readonly startAfter: string;
  readonly marker: string;
  /** Of ListObjectsV2. */
  readonly isSecond: boolean;
}

interface Page {
  readonly keys: readonly ListedKey[];
  readonly prefixes: readonly string[];
  /** Without the bucket's prefix. Undefined at the end. */
  readonly next: string | undefined;
}

/** For so long, short pages of the cluster are put together. Then the answer is a short page, too. */
const maxPageMs = 5_000;

/** Entries that are written in a turn of the event loop. */
const pieceEntries = 128;

/** There are no accounts. All objects have one owner. */
export const ownerXml = (name: string): string => `<${name}><ID>weir</ID><DisplayName>weir</DisplayName></${name}>`;

export class ObjectListings {
  readonly #operations: () => Operations;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #shares: NodeShares;
  readonly #maxListKeys: number;

  /** @param maxListKeys The most entries in a page. */
  constructor(operations: () => Operations, clock: Clock, turns: Turns, shares: NodeShares, maxListKeys: number) {
    this.#operations = operations;
    this.#clock = clock;
    this.#turns = turns;
    this.#shares = shares;
    this.#maxListKeys = maxListKeys;
  }

  async list(call: S3Call, bucket: Bucket): Promise<void> {
    const { query } = call.target;
    const startAfter = query.get("start-after") ?? "";
    const marker = query.get("marker") ?? "";
    const isSecond = query.get("list-type") === "2";
    const token = query.get("continuation-token");
    const after = isSecond ? (token ? positionIn(token) : startAfter) : marker;
    const listing = this.#listingOf(call, after);
    requireShort("prefix", bucket.prefix + listing.prefix);
    requireShort("delimiter", listing.delimiter);
    requireShort("position to go on from", bucket.prefix + after);
    call.exchange.grant.requirePrefix(bucket.prefix + listing.prefix);
    // As for native listings.
    const place = this.#shares.take("listings", call.exchange, 1);
    if (!place) throw new OperatingError("overloaded", "too many listings are under way on this node");
    try {
      await this.#answer(call, bucket, listing, { token, startAfter, marker, isSecond }, place.holder.name);
    } finally {
      place.release();
    }
  }

  async #answer(call: S3Call, bucket: Bucket, listing: Listing, position: Position, holder: string): Promise<void> {
    const { query } = call.target;
    const { token, startAfter, marker, isSecond } = position;
    const page = await this.#page(call.exchange.response, bucket, listing);
    const { encode } = listing;
    const common = [
      element("Name", bucket.name),
      element("Prefix", encode(listing.prefix)),
      listing.delimiter === "" ? "" : element("Delimiter", encode(listing.delimiter)),
      element("MaxKeys", listing.maxKeys),
      listing.isEncoded ? element("EncodingType", "url") : "",
      element("IsTruncated", page.next !== undefined),
    ];
    const withOwner = !isSecond || query.get("fetch-owner") === "true";
    const own = isSecond
      ? [
          element("KeyCount", page.keys.length + page.prefixes.length),
          token === undefined ? "" : element("ContinuationToken", token),
          startAfter === "" ? "" : element("StartAfter", encode(startAfter)),
          page.next === undefined ? "" : element("NextContinuationToken", tokenOf(page.next)),
        ]
      : [element("Marker", encode(marker)), page.next === undefined ? "" : element("NextMarker", encode(page.next))];
    const entries = await this.#entries(bucket, listing, page, withOwner, this.#turns.of(holder));
    const xml = Buffer.from(xmlDocument("ListBucketResult", [...common, ...own, ...entries].join("")));
    answerCall(call, 200, ["Content-Type", "application/xml", "Content-Length", String(xml.length)], xml);
  }

  /** @throws S3Error `InvalidArgument`. */
  #listingOf({ target }: S3Call, after: string): Listing {
    const { query } = target;
    const text = query.get("max-keys") ?? "";
    if (text !== "" && !/^\d{1,10}$/.test(text)) throw invalid("max-keys must be a whole number, 0 or more");
    const wanted = text === "" ? this.#maxListKeys : Number(text);
    return {
      prefix: query.get("prefix") ?? "",
      delimiter: query.get("delimiter") ?? "",
      after,
      maxKeys: Math.min(wanted, this.#maxListKeys),
      ...keyEncoding(query),
    };
  }

  /** @throws OperatingError `deadline_exceeded` if nothing was found in time. */
  async #page(response: ServerResponse, bucket: Bucket, { prefix, delimiter, after, maxKeys }: Listing): Promise<Page> {
    const keys: ListedKey[] = [];
    const prefixes: string[] = [];
    // Weir's own keys are not listed.
    if (maxKeys === 0 || isOwn({ prefix: bucket.prefix + prefix })) return { keys, prefixes, next: undefined };
    // The key that is the bucket's prefix itself is none of its objects.
    let position = bucket.prefix + after;
    const giveUpAt = this.#clock.now() + maxPageMs;
    while (!response.destroyed && this.#clock.now() < giveUpAt) {
      const limit = maxKeys - keys.length - prefixes.length;
      const query = { prefix: bucket.prefix + prefix, after: position, delimiter, limit };
      const found = await this.#operations().list(query);
      keys.push(...found.keys);
      prefixes.push(...found.prefixes);
      if (found.next === undefined) return { keys, prefixes, next: undefined };
      position = found.next;
      if (keys.length + prefixes.length >= maxKeys) break;
    }
    if (position === bucket.prefix + after) throw new OperatingError("deadline_exceeded", "the listing took too long");
    return { keys, prefixes, next: position.slice(bucket.prefix.length) };
  }

  /** The longest keys are 1 MB of XML, so it is written in several turns. */
  async #entries(
    bucket: Bucket,
    { encode }: Listing,
    page: Page,
    withOwner: boolean,
    turns: OwnTurns,
  ): Promise<string[]> {
    const parts: string[] = [];
    const owner = withOwner ? ownerXml("Owner") : "";
    for (const [index, { key, size, etag, modifiedMs }] of page.keys.entries()) {
      if (index % pieceEntries === pieceEntries - 1) await turns.next();
      const modified = new Date(modifiedMs).toISOString();
      parts.push(
        `<Contents>${element("Key", encode(key.slice(bucket.prefix.length)))}${element("LastModified", modified)}`,
        `${element("ETag", `"${etagOf(etag)}"`)}${element("Size", size)}${owner}<StorageClass>STANDARD</StorageClass></Contents>`,
      );
    }
    for (const each of page.prefixes) {
      parts.push(`<CommonPrefixes>${element("Prefix", encode(each.slice(bucket.prefix.length)))}</CommonPrefixes>`);
    }
    return parts;
  }
}

/**
 * How the keys of an answer are written, as the request wants it.
 *
 * @throws S3Error `InvalidArgument`.
 */
export function keyEncoding(query: Query): Pick<Listing, "encode" | "isEncoded"> {
  const encoding = query.get("encoding-type");
  if (encoding !== undefined && encoding !== "url") throw invalid('encoding-type must be "url"');
  const isEncoded = encoding === "url";
  return { encode: isEncoded ? encodeUriPath : (each) => each, isEncoded };
}

/** Clients must not read anything into a token. */
export function tokenOf(position: string): string {
  return Buffer.from(position).toString("base64url");
}

export function positionIn(token: string): string {
  const position = Buffer.from(token, "base64url").toString();
  if (tokenOf(position) !== token) throw invalid("the continuation-token is not one of a listing");
  return position;
}

/** No key has a longer part. Other nodes take none in a question. */
export function requireShort(what: string, text: string): void {
  if (Buffer.byteLength(text) > maxKeyBytes) throw invalid(`the ${what} has more than ${maxKeyBytes} bytes`);
}

function invalid(detail: string): S3Error {
  return new S3Error("InvalidArgument", detail);
}
