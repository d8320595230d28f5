/** Requests for buckets: which there are, and what S3 knows of each. */

import { z } from "zod";
import type { Grant } from "../../access/grant.ts";
import type { Bodies } from "../../http/server/body.ts";
import { announcesBody } from "../../http/server/exchange.ts";
import { readDocument, requireNoBody } from "../body/object-body.ts";
import type { Bucket, Buckets } from "../buckets.ts";
import { answerCall, answerXml, type S3Call } from "../call.ts";
import { notImplemented, S3Error } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { element, readXml, xmlDocument } from "../words/xml.ts";
import { ownerXml, positionIn, tokenOf } from "./list-objects.ts";

const maxDocumentBytes = 16_384;
const maxElements = 256;

/** It says where the bucket is to be. Every region is this one. */
const configurationSchema = z.object({
  CreateBucketConfiguration: z.union([
    z.string(),
    z.object({ Bucket: z.unknown().optional(), Location: z.unknown().optional() }),
  ]),
});

/** @throws S3Error `InvalidArgument`. */
function maxBucketsIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new S3Error("InvalidArgument", "max-buckets is 1 to 10000");
}

export class BucketRoutes {
  readonly #buckets: Buckets;
  readonly #bodies: Bodies;

  constructor(buckets: Buckets, bodies: Bodies) {
    this.#buckets = buckets;
    this.#bodies = bodies;
  }

  /** ListBuckets: those of which the caller may use some keys. */
  async list(call: S3Call): Promise<void> {
    requireNoBody(call);
    const { query } = call.target;
    if (query.has("bucket-region")) throw notImplemented("bucket-region: every region is that of each bucket");
    const prefix = query.get("prefix");
    const token = query.get("continuation-token") ?? "";
    const after = token === "" ? "" : positionIn(token);
    const max = maxBucketsIn(query.get("max-buckets"));
    const { grant } = call.exchange;
    const all = (await this.#buckets.list()).filter(
      (bucket) => isPartOf(grant, bucket.prefix) && bucket.name.startsWith(prefix ?? "") && bucket.name > after,
    );
    const buckets = all.slice(0, max);
    const last = all.length > buckets.length ? buckets.at(-1) : undefined;
    const elements = buckets.map(
      ({ name, createdMs }) =>
        `<Bucket>${element("Name", name)}${element("CreationDate", new Date(createdMs).toISOString())}</Bucket>`,
    );
    answerXml(
      call,
      xmlDocument(
        "ListAllMyBucketsResult",
        `${ownerXml("Owner")}<Buckets>${elements.join("")}</Buckets>${element("ContinuationToken", last && tokenOf(last.name))}${element("Prefix", prefix)}`,
      ),
    );
  }

  head(call: S3Call, bucket: Bucket): void {
    requireNoBody(call);
    requirePartOf(call.exchange.grant, bucket);
    answerCall(call, 200, ["x-amz-bucket-region", region, "Content-Length", "0"]);
  }

  async create(call: S3Call, name: string): Promise<void> {
    refuseUnspoken(call.headers);
    if (announcesBody(call.exchange.request)) {
      const body = await readDocument(call, this.#bodies, maxDocumentBytes);
      try {
        if (body.bytes.length > 0) await this.#readConfiguration(call, body.bytes);
      } finally {
        body.release();
      }
    }
    await this.#buckets.create(name, (prefix) => call.exchange.grant.requirePrefix(prefix));
    answerCall(call, 200, ["Location", `/${name}`, "Content-Length", "0"]);
  }

  /** @throws S3Error `MalformedXML`, `NotImplemented`. */
  async #readConfiguration({ exchange }: S3Call, bytes: Buffer): Promise<void> {
    const document = await readXml(bytes, configurationSchema, this.#bodies.turnsOf(exchange), maxElements);
    const { CreateBucketConfiguration: configuration } = document;
    if (typeof configuration === "string") return;
    if (configuration.Bucket === undefined && configuration.Location === undefined) return;
    throw notImplemented("directory buckets are not spoken");
  }

  async remove(call: S3Call, name: string): Promise<void> {
    requireNoBody(call);
    await this.#buckets.remove(name, (prefix) => call.exchange.grant.requirePrefix(prefix));
    answerCall(call, 204, []);
  }

  /** Answers what a bucket says of a part of itself that it has not, as S3 words it. */
  part(call: S3Call, bucket: Bucket, part: BucketPart): void {
    requireNoBody(call);
    requirePartOf(call.exchange.grant, bucket);
    const found = bucketParts[part];
    if ("missing" in found) throw new S3Error(found.missing, `buckets have no such configuration here: ${part}`);
    answerXml(call, found.xml);
  }
}

/** Clients name any region. This is the one of whom asks. */
const region = "us-east-1";

/** The owner may do everything. That is: keys have rights. */
export const aclXml = xmlDocument(
  "AccessControlPolicy",
  `${ownerXml("Owner")}<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>weir</ID><DisplayName>weir</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>`,
);

type BucketAnswer = { readonly xml: string } | { readonly missing: ConstructorParameters<typeof S3Error>[0] };

/** What can be asked of a bucket, and what the answer is for each. */
const bucketParts = {
  location: { xml: xmlDocument("LocationConstraint", "") },
  versioning: { xml: xmlDocument("VersioningConfiguration", "") },
  acl: { xml: aclXml },
  accelerate: { xml: xmlDocument("AccelerateConfiguration", "") },
  logging: { xml: xmlDocument("BucketLoggingStatus", "") },
  notification: { xml: xmlDocument("NotificationConfiguration", "") },
  requestPayment: { xml: xmlDocument("RequestPaymentConfiguration", element("Payer", "BucketOwner")) },
  cors: { missing: "NoSuchCORSConfiguration" },
  encryption: { missing: "ServerSideEncryptionConfigurationNotFoundError" },
  lifecycle: { missing: "NoSuchLifecycleConfiguration" },
  "object-lock": { missing: "ObjectLockConfigurationNotFoundError" },
  ownershipControls: { missing: "OwnershipControlsNotFoundError" },
  policy: { missing: "NoSuchBucketPolicy" },
  policyStatus: { missing: "NoSuchBucketPolicy" },
  publicAccessBlock: { missing: "NoSuchPublicAccessBlockConfiguration" },
  replication: { missing: "ReplicationConfigurationNotFoundError" },
  tagging: { missing: "NoSuchTagSet" },
  website: { missing: "NoSuchWebsiteConfiguration" },
} as const satisfies Readonly<Record<string, BucketAnswer>>;

export type BucketPart = keyof typeof bucketParts;

export function isBucketPart(part: string): part is BucketPart {
  return Object.hasOwn(bucketParts, part);
}

/** Whether the caller may use any key that begins with the prefix. */
function isPartOf(grant: Grant, prefix: string): boolean {
  return prefix.startsWith(grant.prefix) || grant.prefix.startsWith(prefix);
}

/** @throws OperatingError `forbidden` */
function requirePartOf(grant: Grant, { prefix }: Bucket): void {
  if (!isPartOf(grant, prefix)) grant.requirePrefix(prefix);
}
