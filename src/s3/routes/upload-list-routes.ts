/** ListMultipartUploads and ListParts. */

import { OperatingError } from "../../base/errors.ts";
import { holderOf, type NodeShares } from "../../http/server/node-shares.ts";
import { type OwnTurns, Turns } from "../../http/server/turns.ts";
import { requireNoBody } from "../body/object-body.ts";
import type { Bucket } from "../buckets.ts";
import { answerXml, type S3Call } from "../call.ts";
import type { ClientUploads } from "../uploads/client-uploads.ts";
import type { ListedUpload, NumberedPart, UploadListing } from "../uploads/upload-listing.ts";
import type { UploadRecord } from "../uploads/upload-records.ts";
import { refuseUnspokenRead } from "../words/unspoken.ts";
import { wholeNumber } from "../words/whole-number.ts";
import { element, xmlDocument } from "../words/xml.ts";
import { keyEncoding, ownerXml, requireShort } from "./list-objects.ts";
import { checksumElement } from "./object-headers.ts";

/** Of uploads, of parts: as S3 has them. */
const maxEntries = 1_000;

/** Entries that are written in a turn of the event loop. */
const pieceEntries = 128;

const storageClass = "<StorageClass>STANDARD</StorageClass>";

export class UploadListRoutes {
  readonly #uploads: ClientUploads;
  readonly #listing: UploadListing;
  readonly #shares: NodeShares;
  readonly #turns = new Turns();

  constructor(uploads: ClientUploads, listing: UploadListing, shares: NodeShares) {
    this.#uploads = uploads;
    this.#listing = listing;
    this.#shares = shares;
  }

  async uploads(call: S3Call, bucket: Bucket): Promise<void> {
    requireNoBody(call);
    refuseUnspokenRead(call.headers);
    const { query } = call.target;
    const { encode, isEncoded } = keyEncoding(query);
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter") ?? "";
    const keyMarker = query.get("key-marker") ?? "";
    // Without a key it says nothing.
    const idMarker = keyMarker === "" ? "" : (query.get("upload-id-marker") ?? "");
    const limit = wholeNumber(query.get("max-uploads"), "max-uploads", maxEntries);
    requireShort("prefix", bucket.prefix + prefix);
    requireShort("key-marker", bucket.prefix + keyMarker);
    call.exchange.grant.requirePrefix(bucket.prefix + prefix);
    const listed = {
      prefix: bucket.prefix + prefix,
      delimiter,
      keyMarker: bucket.prefix + keyMarker,
      idMarker,
      limit: Math.min(limit, maxEntries),
    };
    const turns = this.#turns.of(holderOf(call.exchange));
    const page = await this.#inPlace(call, () => this.#listing.uploads(listed, turns));
    const own = (key: string): string => encode(key.slice(bucket.prefix.length));
    const inner = [
      element("Bucket", bucket.name),
      element("KeyMarker", encode(keyMarker)),
      element("UploadIdMarker", idMarker),
      page.next && element("NextKeyMarker", own(page.next.keyMarker)),
      page.next && element("NextUploadIdMarker", page.next.idMarker),
      delimiter === "" ? "" : element("Delimiter", encode(delimiter)),
      element("Prefix", encode(prefix)),
      element("MaxUploads", Math.min(limit, maxEntries)),
      isEncoded ? element("EncodingType", "url") : "",
      element("IsTruncated", page.next !== undefined),
      ...(await inPieces(page.uploads, (upload) => uploadXml(upload, own(upload.key)), turns)),
      ...page.prefixes.map((each) => `<CommonPrefixes>${element("Prefix", own(each))}</CommonPrefixes>`),
    ];
    answerXml(call, xmlDocument("ListMultipartUploadsResult", inner.join("")));
  }

  async parts(call: S3Call, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspokenRead(call.headers);
    const { query, bucket, key: ownKey = "" } = call.target;
    const { encode, isEncoded } = keyEncoding(query);
    const id = query.get("uploadId") ?? "";
    const after = wholeNumber(query.get("part-number-marker"), "part-number-marker", 0);
    const limit = Math.min(wholeNumber(query.get("max-parts"), "max-parts", maxEntries), maxEntries);
    const { record } = await this.#uploads.find(key, id);
    const { parts, hasMore } = await this.#inPlace(call, () => this.#listing.parts(id, after, limit));
    const inner = [
      element("Bucket", bucket),
      element("Key", encode(ownKey)),
      element("UploadId", id),
      isEncoded ? element("EncodingType", "url") : "",
      ownerXml("Initiator"),
      ownerXml("Owner"),
      storageClass,
      element("PartNumberMarker", after),
      element("NextPartNumberMarker", parts.at(-1)?.number ?? after),
      element("MaxParts", limit),
      element("IsTruncated", hasMore),
      checksumRuleXml(record.checksum),
      ...(await inPieces(parts, partXml, this.#turns.of(holderOf(call.exchange)))),
    ];
    answerXml(call, xmlDocument("ListPartsResult", inner.join("")));
  }

  /** As for other listings. */
  async #inPlace<T>({ exchange }: S3Call, list: () => Promise<T>): Promise<T> {
    const place = this.#shares.take("listings", exchange, 1);
    if (!place) throw new OperatingError("overloaded", "too many listings are under way on this node");
    try {
      return await list();
    } finally {
      place.release();
    }
  }
}

/** The longest keys are 1 MB of XML, so it is written in several turns. */
async function inPieces<T>(items: readonly T[], write: (item: T) => string, turns: OwnTurns): Promise<string[]> {
  const texts: string[] = [];
  for (const [index, item] of items.entries()) {
    if (index % pieceEntries === pieceEntries - 1) await turns.next();
    texts.push(write(item));
  }
  return texts;
}

function uploadXml({ id, checksum, beganMs }: ListedUpload, key: string): string {
  const inner = [
    element("Key", key),
    element("UploadId", id),
    ownerXml("Initiator"),
    ownerXml("Owner"),
    storageClass,
    element("Initiated", new Date(beganMs).toISOString()),
    checksumRuleXml(checksum),
  ];
  return `<Upload>${inner.join("")}</Upload>`;
}

function partXml({ number, part }: NumberedPart): string {
  const { modifiedMs, md5, size, checksum } = part;
  const inner = [
    element("PartNumber", number),
    element("LastModified", new Date(modifiedMs).toISOString()),
    element("ETag", `"${md5}"`),
    element("Size", size),
    checksumElement(checksum),
  ];
  return `<Part>${inner.join("")}</Part>`;
}

function checksumRuleXml(rule: UploadRecord["checksum"]): string {
  if (rule === undefined) return "";
  return element("ChecksumAlgorithm", rule.algorithm.toUpperCase()) + element("ChecksumType", rule.type);
}
