/** DeleteObjects: up to 1,000 keys are removed by one request. Each has an outcome of its own. */

import { z } from "zod";

import { isOperatingError } from "../../base/errors.ts";
import type { Operations } from "../../core/operation.ts";
import type { Bodies } from "../../http/server/body.ts";
import { detailFor } from "../../http/server/problem.ts";
import { readDocument } from "../body/object-body.ts";
import type { Bucket } from "../buckets.ts";
import { answerXml, type S3Call } from "../call.ts";
import { writeCondition } from "../words/conditions.ts";
import { changeableKey } from "../words/keys.ts";
import { S3Error, s3Codes } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { element, readXml, xmlDocument } from "../words/xml.ts";
import { deleteOf } from "./put-object.ts";

/** 1,000 keys of 1,024 bytes, and their elements. */
const maxDocumentBytes = 1.25 * 1024 * 1024;
const maxKeys = 1_000;
/** The document, `Quiet`, and for each key the object and what it may have. */
const maxElements = 2 + maxKeys * 6;
/** Keys that one request has under way at a time. It has one place among the requests. */
const keysAtOnce = 8;

const objectSchema = z.object({
  Key: z.string(),
  VersionId: z.string().optional(),
  ETag: z.string().optional(),
  LastModifiedTime: z.string().optional(),
  Size: z.string().optional(),
});
type ObjectToDelete = z.infer<typeof objectSchema>;

const documentSchema = z.object({
  Delete: z.object({
    Object: z.union([z.array(objectSchema), objectSchema.transform((each) => [each])]),
    Quiet: z.string().optional(),
  }),
});

export class MultiDelete {
  readonly #operations: () => Operations;
  readonly #bodies: Bodies;

  constructor(operations: () => Operations, bodies: Bodies) {
    this.#operations = operations;
    this.#bodies = bodies;
  }

  async run(call: S3Call, bucket: Bucket): Promise<void> {
    refuseUnspoken(call.headers);
    const body = await readDocument(call, this.#bodies, maxDocumentBytes);
    try {
      const { Delete } = await readXml(body.bytes, documentSchema, this.#bodies.turnsOf(call.exchange), maxElements);
      const { Object: objects, Quiet } = Delete;
      if (objects.length > maxKeys) throw new S3Error("MalformedXML", `a request names ${maxKeys} keys at most`);
      const results = objects.map(() => "");
      let next = 0;
      const work = async (): Promise<void> => {
        for (let index = next++; index < objects.length; index = next++) {
          results[index] = await this.#remove(call, bucket, objects[index] as ObjectToDelete, Quiet === "true");
        }
      };
      await Promise.all(Array.from({ length: Math.min(keysAtOnce, objects.length) }, work));
      answerXml(call, xmlDocument("DeleteResult", results.join("")));
    } finally {
      body.release();
    }
  }

  /** The outcome for one key, as XML. */
  async #remove(call: S3Call, bucket: Bucket, object: ObjectToDelete, isQuiet: boolean): Promise<string> {
    const { Key } = object;
    const { grant } = call.exchange;
    try {
      const key = changeableKey(bucket.prefix, Key);
      grant.requireKey(key);
      const outcome = await this.#operations().write(deleteOf(call, key, preconditionOf(object)));
      if (outcome.kind !== "written") throw new S3Error("PreconditionFailed", "the value has another ETag");
      return isQuiet ? "" : `<Deleted>${element("Key", Key)}</Deleted>`;
    } catch (error) {
      if (!isOperatingError(error) || error.code === "internal") throw error;
      const code = error instanceof S3Error ? error.s3Code : s3Codes[error.code];
      const detail = detailFor(grant, error.code, error.message);
      return `<Error>${element("Key", Key)}${element("Code", code)}${element("Message", detail)}</Error>`;
    }
  }
}

/** @throws S3Error `NotImplemented`, `NoSuchVersion`. */
function preconditionOf({ VersionId, ETag, LastModifiedTime, Size }: ObjectToDelete) {
  if (VersionId !== undefined && VersionId !== "null" && VersionId !== "") {
    throw new S3Error("NoSuchVersion", "objects have no versions");
  }
  if (LastModifiedTime !== undefined || Size !== undefined) {
    throw new S3Error("NotImplemented", "of an object's conditions only ETag is spoken");
  }
  return ETag === undefined ? undefined : writeCondition({ "if-match": ETag });
}
