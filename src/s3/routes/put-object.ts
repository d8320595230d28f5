/** PutObject and DeleteObject: a value is replaced or removed, perhaps on conditions. */

import { noHeaders } from "../../core/entry.ts";
import type { Operations, WriteOperation, WriteOutcome, Written } from "../../core/operation.ts";
import { meets, type Precondition } from "../../core/precondition.ts";
import type { Bodies } from "../../http/server/body.ts";
import type { UploadPlace } from "../../http/server/upload-places.ts";
import { claimsOf } from "../body/body-checks.ts";
import type { Checksum } from "../body/checksum.ts";
import { type BodyLimits, readObjectBody, requireNoBody, type StreamedBody } from "../body/object-body.ts";
import { withFacts } from "../body/object-facts.ts";
import { answerCall, type S3Call } from "../call.ts";
import { writeCondition } from "../words/conditions.ts";
import { etagOf } from "../words/etag.ts";
import { S3Error } from "../words/s3-error.ts";
import { refuseUnspoken } from "../words/unspoken.ts";
import { noSuchKey, preconditionFailed } from "./get-object.ts";
import { addChecksum, keptHeaders } from "./object-headers.ts";

export interface ObjectSettings extends BodyLimits {
  readonly maxMetadataBytes: number;
}

export class ObjectWrites {
  readonly #operations: () => Operations;
  readonly #bodies: Bodies;
  readonly #settings: ObjectSettings;

  constructor(operations: () => Operations, bodies: Bodies, settings: ObjectSettings) {
    this.#operations = operations;
    this.#bodies = bodies;
    this.#settings = settings;
  }

  async put(call: S3Call, key: string): Promise<void> {
    const { headers, exchange } = call;
    const { maxMetadataBytes } = this.#settings;
    refuseUnspoken(headers);
    if (headers["content-range"] !== undefined) {
      throw new S3Error("NotImplemented", "Content-Range: a value can only be replaced as a whole");
    }
    const precondition = writeCondition(headers);
    const kept = keptHeaders(call, maxMetadataBytes);
    if (exchange.awaitsContinue && precondition !== undefined) {
      // What the client says of the body is looked at before it is asked to send it.
      claimsOf(headers, call.identity.payload);
      if (!(await this.#isMet(key, precondition))) throw await this.#refusal(key, precondition);
    }
    const body = await readObjectBody(call, this.#bodies, this.#settings);
    const { checksum } = body;
    const all = checksum === undefined ? kept : withFacts(kept, { checksum }, maxMetadataBytes);
    const write = { key, headers: all, precondition };
    if (body.kind === "stream") {
      const outcome = await this.#stream(call, write, body);
      if (outcome.kind !== "written") throw await this.#refusal(key, precondition);
      answerWritten(call, outcome, checksum);
      return;
    }
    try {
      const holder = exchange.place?.holder.name;
      const operation = { ...write, value: body.bytes, md5: body.md5, durability: "replicated", holder } as const;
      const outcome = await this.#operations().write(operation);
      if (outcome.kind !== "written") throw await this.#refusal(key, precondition);
      answerWritten(call, outcome, checksum);
    } finally {
      body.release();
    }
  }

  async remove(call: S3Call, key: string): Promise<void> {
    requireNoBody(call);
    refuseUnspoken(call.headers);
    const precondition = writeCondition(call.headers);
    const outcome = await this.#operations().write(deleteOf(call, key, precondition));
    if (outcome.kind !== "written") throw await this.#refusal(key, precondition);
    answerCall(call, 204, []);
  }

  async #stream(
    call: S3Call,
    write: Pick<WriteOperation, "key" | "headers" | "precondition">,
    { body, length }: StreamedBody,
  ): Promise<WriteOutcome> {
    let place: UploadPlace | undefined;
    try {
      place = this.#bodies.places.take(call.exchange, length);
      return await this.#operations().writeStream({ ...write, length, body });
    } finally {
      place?.release();
      // Gives up the rest of a body that was not wanted. A sender that is held back would never read the refusal.
      await body.return?.();
    }
  }

  async #isMet(key: string, precondition: Precondition): Promise<boolean> {
    const outcome = await this.#operations().read(key, false);
    return meets(outcome.kind === "missing" ? undefined : outcome.info, precondition);
  }

  /** S3 says that there is no such key where `If-Match` finds none. */
  async #refusal(key: string, precondition: Precondition | undefined): Promise<S3Error> {
    if (precondition?.match === undefined) return preconditionFailed();
    const outcome = await this.#operations().read(key, false);
    return outcome.kind === "missing" ? noSuchKey() : preconditionFailed();
  }
}

function answerWritten(call: S3Call, { tag }: Written, checksum: Checksum | undefined): void {
  const headers = ["ETag", `"${etagOf(tag)}"`, "Content-Length", "0"];
  addChecksum(headers, checksum);
  answerCall(call, 200, headers);
}

export function deleteOf(call: S3Call, key: string, precondition: Precondition | undefined): WriteOperation {
  const holder = call.exchange.place?.holder.name;
  return { key, value: undefined, headers: noHeaders, precondition, md5: "", durability: "replicated", holder };
}
