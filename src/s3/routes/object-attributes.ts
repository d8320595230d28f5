/** GetObjectAttributes: what is known of a value, as one document. */

import type { Operations } from "../../core/operation.ts";
import type { DateFormatter } from "../../http/routes/http-date.ts";
import { requireNoBody } from "../body/object-body.ts";
import { answerXml, type S3Call } from "../call.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspokenRead } from "../words/unspoken.ts";
import { element, xmlDocument } from "../words/xml.ts";
import { noSuchKey } from "./get-object.ts";
import { checksumOf } from "./object-headers.ts";

const attributes = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"] as const;
type Attribute = (typeof attributes)[number];

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
    const parts = /-(\d+)$/.exec(info.md5)?.[1];
    const texts: Readonly<Record<Attribute, string>> = {
      ETag: element("ETag", etag),
      Checksum:
        checksum === undefined
          ? ""
          : `<Checksum>${element(`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value)}${element("ChecksumType", "FULL_OBJECT")}</Checksum>`,
      ObjectParts: parts === undefined ? "" : `<ObjectParts>${element("PartsCount", parts)}</ObjectParts>`,
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
