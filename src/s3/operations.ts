/** The operations of S3: each request comes to the part that does it, with the bucket and the key that it is for. */

import { Complaints, complaintIntervalMs } from "../base/complaints.ts";
import type { Operations } from "../core/operation.ts";
import { DateFormatter } from "../http/routes/http-date.ts";
import type { DialectParts } from "../http/server/dialect.ts";
import { AnswerStreams } from "../http/server/stream.ts";
import { Turns } from "../http/server/turns.ts";
import { requireNoBody } from "./body/object-body.ts";
import type { Bucket, Buckets } from "./buckets.ts";
import { answerCall, answerXml, type S3Call } from "./call.ts";
import type { Choice, OperationName } from "./operation-choice.ts";
import { aclXml, BucketRoutes } from "./routes/bucket-routes.ts";
import { ObjectCopies } from "./routes/copy-object.ts";
import { MultiDelete } from "./routes/delete-objects.ts";
import { noSuchKey, ObjectReads } from "./routes/get-object.ts";
import { ObjectListings } from "./routes/list-objects.ts";
import { ObjectAttributes } from "./routes/object-attributes.ts";
import { PartRoutes } from "./routes/part-routes.ts";
import { ObjectWrites } from "./routes/put-object.ts";
import { UploadListRoutes } from "./routes/upload-list-routes.ts";
import { UploadRoutes } from "./routes/upload-routes.ts";
import type { S3Options } from "./s3-options.ts";
import { SlowAnswers } from "./slow-answers.ts";
import { Completions } from "./uploads/completion.ts";
import { UploadListing } from "./uploads/upload-listing.ts";
import { maxRecordBytes } from "./uploads/upload-records.ts";
import { parseCopySource } from "./words/copy-source.ts";
import { changeableKey, keyOf } from "./words/keys.ts";
import { refuseOwner, refuseUnspoken } from "./words/unspoken.ts";
import { xmlDocument } from "./words/xml.ts";

type Answered = void | Promise<void>;

/** What changes no object. It may be asked of keys that no client may change. */
const unchanging: readonly OperationName[] = [
  "GetObject",
  "HeadObject",
  "GetObjectAcl",
  "GetObjectAttributes",
  "GetObjectTagging",
  "PutAcl",
  "ListParts",
];

export class S3Operations {
  readonly #operations: () => Operations;
  readonly #buckets: Buckets;
  readonly #reads: ObjectReads;
  readonly #attributes: ObjectAttributes;
  readonly #writes: ObjectWrites;
  readonly #copies: ObjectCopies;
  readonly #multiDelete: MultiDelete;
  readonly #listings: ObjectListings;
  readonly #bucketRoutes: BucketRoutes;
  readonly #uploadRoutes: UploadRoutes;
  readonly #partRoutes: PartRoutes;
  readonly #uploadListRoutes: UploadListRoutes;

  constructor(
    options: Pick<S3Options, "operations" | "buckets" | "uploads" | "settings" | "clock" | "random" | "log">,
    { bodies, shares }: DialectParts,
  ) {
    const { operations, buckets, uploads, settings, clock, random, log } = options;
    const streams = new AnswerStreams(clock, settings, shares);
    this.#operations = operations;
    this.#buckets = buckets;
    const dates = new DateFormatter(clock);
    this.#reads = new ObjectReads(operations, streams, dates);
    this.#attributes = new ObjectAttributes(operations, dates);
    this.#writes = new ObjectWrites(operations, bodies, settings);
    const slowly = new SlowAnswers(clock, log);
    this.#copies = new ObjectCopies(operations, bodies, streams, slowly, clock, settings);
    this.#multiDelete = new MultiDelete(operations, bodies);
    this.#listings = new ObjectListings(operations, clock, new Turns(), shares, settings.maxListKeys);
    this.#bucketRoutes = new BucketRoutes(buckets, bodies);
    const { maxValueBytes, maxStreamBytes, maxMetadataBytes, partBytes } = settings;
    const complaints = new Complaints(log, clock, complaintIntervalMs);
    const most = { maxValueBytes: Math.max(maxValueBytes, maxStreamBytes) };
    this.#uploadRoutes = new UploadRoutes({
      operations,
      uploads,
      completions: new Completions({ operations, uploads, random, complaints, maxMetadataBytes, ...most }),
      bodies,
      slowly,
      maxMetadataBytes,
      takesParts: maxStreamBytes > maxValueBytes && maxValueBytes >= maxRecordBytes,
    });
    this.#partRoutes = new PartRoutes({
      operations,
      uploads,
      bodies,
      streams,
      slowly,
      partBytes,
      maxPartBytes: Math.min(most.maxValueBytes, settings.uploadBytes),
    });
    this.#uploadListRoutes = new UploadListRoutes(uploads, new UploadListing(operations, uploads, clock), shares);
  }

  run(call: S3Call, choice: Choice): Answered {
    const { target, headers } = call;
    refuseOwner(headers);
    if (target.bucket === undefined) return this.#bucketRoutes.list(call);
    if (choice.name === "CreateBucket") return this.#bucketRoutes.create(call, target.bucket);
    if (choice.name === "DeleteBucket") return this.#bucketRoutes.remove(call, target.bucket);
    const bucket = this.#buckets.find(target.bucket);
    if (bucket instanceof Promise) return bucket.then((found) => this.#runIn(call, choice, found));
    return this.#runIn(call, choice, bucket);
  }

  #runIn(call: S3Call, choice: Choice, bucket: Bucket): Answered {
    const { key } = call.target;
    return key === undefined ? this.#onBucket(call, choice, bucket) : this.#onObject(call, choice.name, bucket, key);
  }

  #onBucket(call: S3Call, { name, part }: Choice, bucket: Bucket): Answered {
    if (part !== undefined) return this.#bucketRoutes.part(call, bucket, part);
    switch (name) {
      case "HeadBucket":
        return this.#bucketRoutes.head(call, bucket);
      case "DeleteObjects":
        return this.#multiDelete.run(call, bucket);
      case "PutAcl":
        return this.#putAcl(call, bucket.prefix);
      case "ListMultipartUploads":
        return this.#uploadListRoutes.uploads(call, bucket);
      default:
        requireNoBody(call);
        return this.#listings.list(call, bucket);
    }
  }

  #onObject(call: S3Call, name: OperationName, bucket: Bucket, objectKey: string): Answered {
    const { grant } = call.exchange;
    const key = unchanging.includes(name) ? keyOf(bucket.prefix, objectKey) : changeableKey(bucket.prefix, objectKey);
    grant.requireKey(key);
    switch (name) {
      case "PutObject":
        return this.#writes.put(call, key);
      case "DeleteObject":
        return this.#writes.remove(call, key);
      case "CopyObject":
        return this.#copy(call, (source) => this.#copies.copy(call, source, key));
      case "CreateMultipartUpload":
        return this.#uploadRoutes.create(call, key);
      case "UploadPart":
        return this.#partRoutes.put(call, key);
      case "UploadPartCopy":
        return this.#copy(call, (source) => this.#partRoutes.copy(call, source, key));
      case "CompleteMultipartUpload":
        return this.#uploadRoutes.complete(call, key);
      case "AbortMultipartUpload":
        return this.#uploadRoutes.abort(call, key);
      case "ListParts":
        return this.#uploadListRoutes.parts(call, key);
      case "PutAcl":
        return this.#putObjectAcl(call, key);
      case "GetObjectAcl":
        return this.#answerExisting(call, key, aclXml);
      case "GetObjectAttributes":
        return this.#attributes.answer(call, key);
      case "GetObjectTagging":
        return this.#answerExisting(call, key, xmlDocument("Tagging", "<TagSet></TagSet>"));
      default:
        requireNoBody(call);
        return this.#reads.read(call, key);
    }
  }

  async #copy(call: S3Call, run: (source: string) => Promise<void>): Promise<void> {
    const { grant } = call.exchange;
    const source = parseCopySource(call.headers["x-amz-copy-source"] as string);
    const { prefix } = await this.#buckets.find(source.bucket);
    const sourceKey = keyOf(prefix, source.key);
    grant.requireRight("read");
    grant.requireKey(sourceKey);
    await run(sourceKey);
  }

  /** A list that says what is so anyway. Any other was refused by the check of its header. */
  async #putAcl(call: S3Call, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspoken(call.headers);
    call.exchange.grant.requireKey(key);
    answerCall(call, 200, ["Content-Length", "0"]);
  }

  async #putObjectAcl(call: S3Call, key: string): Promise<void> {
    if ((await this.#operations().read(key, false)).kind === "missing") throw noSuchKey();
    await this.#putAcl(call, key);
  }

  async #answerExisting(call: S3Call, key: string, xml: string): Promise<void> {
    requireNoBody(call);
    if ((await this.#operations().read(key, false)).kind === "missing") throw noSuchKey();
    answerXml(call, xml);
  }
}
