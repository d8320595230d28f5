/** GetObjectAttributes: what is known of a value, as one document. */

import type { ValueInfo } from "../../core/entry.ts";
import type { Operations } from "../../core/operation.ts";
import type { DateFormatter } from "../../http/routes/http-date.ts";
import { requireNoBody } from "../body/object-body.ts";
import { checksumOf, partsOf, typeOf } from "../body/object-facts.ts";
import { answerXml, type S3Call } from "../call.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspokenRead } from "../words/unspoken.ts";
import { wholeNumber } from "../words/whole-number.ts";
import { element, xmlDocument } from "../words/xml.ts";
import { noSuchKey } from "./get-object.ts";
import { checksumElement } from "./object-headers.ts";

const attributes = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"] as const;
type Attribute = (typeof attributes)[number];

/** Parts in one answer, at most. S3 gives as many. */
const pageParts = 1_000;

export class ObjectAttributes {
  readonly #operations: () => Operations;
  readonly #dates: DateFormatter;

  constructor(operations: () => Operations, dates: DateFormatter) {
    this.#operations = operations;
    this.#dates = dates;
  }

  async answer(call: S3Call, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspokenRead(call.headers);
    const wanted = wantedIn(call);
    const outcome = await this.#operations().read(key, false);
    if (outcome.kind === "missing") throw noSuchKey();
    const { info } = outcome;
    const etag = etagOf(info.md5);
    const checksum = checksumOf(info.headers);
    const texts: Readonly<Record<Attribute, string>> = {
      ETag: element("ETag", etag),
      Checksum:
        checksum === undefined
          ? ""
          : `<Checksum>${checksumElement(checksum)}${element("ChecksumType", typeOf(checksum))}</Checksum>`,
      ObjectParts: partsXml(call, info),
      StorageClass: element("StorageClass", "STANDARD"),
      ObjectSize: element("ObjectSize", info.size),
    };
    const inner = attributes.map((each) => (wanted.has(each) ? texts[each] : "")).join("");
    answerXml(call, xmlDocument("GetObjectAttributesResponse", inner), [
      "Last-Modified",
      this.#dates.lastModified(info.modifiedMs),
    ]);
  }
}

/**
 * A page of the object's parts, or their number alone where no more is known.
 *
 * @throws S3Error `InvalidArgument`.
 */
function partsXml({ headers }: S3Call, info: ValueInfo): string {
  const limit = Math.min(pageParts, wholeNumber(headers["x-amz-max-parts"], "x-amz-max-parts", pageParts));
  const after = wholeNumber(headers["x-amz-part-number-marker"], "x-amz-part-number-marker", 0);
  const parts = partsOf(info);
  if (parts === undefined) {
    const count = /-(\d+)$/.exec(info.md5)?.[1];
    return count === undefined ? "" : `<ObjectParts>${element("PartsCount", count)}</ObjectParts>`;
  }
  const last = Math.max(after, Math.min(parts.count, after + limit));
  const inner = [
    element("PartsCount", parts.count),
    element("PartNumberMarker", after),
    element("NextPartNumberMarker", last),
    element("MaxParts", limit),
    element("IsTruncated", last < parts.count),
  ];
  for (let number = after + 1; number <= last; number++) {
    const { start = 0, end = 0 } = parts.spanOf(number) ?? {};
    inner.push(`<Part>${element("PartNumber", number)}${element("Size", end - start)}</Part>`);
  }
  return `<ObjectParts>${inner.join("")}</ObjectParts>`;
}

/** @throws S3Error `InvalidArgument`. */
function wantedIn({ headers }: S3Call): ReadonlySet<Attribute> {
  const names = (headers["x-amz-object-attributes"] ?? "").split(",").map((name) => name.trim());
  const wanted = names.filter(isAttribute);
  if (wanted.length === names.length) return new Set(wanted);
  throw new S3Error("InvalidArgument", `x-amz-object-attributes is a list of ${attributes.join(", ")}`);
}

function isAttribute(name: string): name is Attribute {
  return (attributes as readonly string[]).includes(name);
}
