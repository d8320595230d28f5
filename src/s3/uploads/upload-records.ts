/**
 * What the cluster keeps of multipart uploads, as values of its own: written, read and removed like any others. So
 * every node sees what another one has written, and nothing of it is lost with a node.
 */

import { hash } from "node:crypto";
import { z } from "zod";
import { OperatingError } from "../../base/errors.ts";
import { compact } from "../../base/memory.ts";
import { noHeaders } from "../../core/entry.ts";
import type { Operations } from "../../core/operation.ts";
import type { Precondition } from "../../core/precondition.ts";
import { checksumAlgorithms } from "../body/checksum.ts";

/**
 * Bytes in a record, at most: with the longest key and headers, each character of which is written in several. Records
 * are read as values that are in memory.
 */
export const maxRecordBytes = 16_384;

/** How checksums of parts make that of the object. */
export const checksumTypes = ["COMPOSITE", "FULL_OBJECT"] as const;

const checksumSchema = z.object({ algorithm: z.enum(checksumAlgorithms), value: z.string() });

export const uploadSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  /** The store's. */
  upload: z.object({ id: z.string(), token: z.string() }),
  headers: z.record(z.string(), z.string()),
  /** What each part is to have. */
  checksum: z.object({ algorithm: z.enum(checksumAlgorithms), type: z.enum(checksumTypes) }).optional(),
  /**
   * Somebody has begun to complete it. `list` is the hash of its parts. `by` is one attempt, or empty for several.
   * While this is here, the upload is completed with these parts or not at all.
   */
  completing: z.object({ list: z.string(), by: z.string() }).optional(),
});

export const partSchema = z.object({
  version: z.literal(1),
  /** The store's. */
  tag: z.string(),
  size: z.number(),
  md5: z.string(),
  checksum: checksumSchema.optional(),
  modifiedMs: z.number(),
});

export const doneSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  /** The hash of what the client has listed. */
  claim: z.string(),
  /** The object's. */
  tag: z.string(),
  checksum: checksumSchema.optional(),
});

export type UploadRecord = Readonly<z.infer<typeof uploadSchema>>;
export type PartRecord = Readonly<z.infer<typeof partSchema>>;
export type DoneRecord = Readonly<z.infer<typeof doneSchema>>;

export interface Found<T> {
  readonly record: T;
  /** Of this very state of the record. */
  readonly tag: string;
}

export class UploadRecords {
  readonly #operations: () => Operations;

  constructor(operations: () => Operations) {
    this.#operations = operations;
  }

  /**
   * Undefined if there is none.
   *
   * @throws OperatingError `internal` for a value that is no such record, such as that of a later release.
   */
  async read<T extends z.ZodType>(name: string, schema: T): Promise<Found<z.output<T>> | undefined> {
    const outcome = await this.#operations().read(name, true);
    if (outcome.kind === "missing") return undefined;
    if (outcome.kind === "value" && outcome.value !== undefined) {
      const record = parse(outcome.value, schema);
      if (record !== undefined) return { record, tag: outcome.info.md5 };
    }
    throw new OperatingError("internal", `the value ${name} is none that this release of weir knows`);
  }

  /** The tag of what was written. Undefined if the condition does not hold. */
  async write(
    name: string,
    record: UploadRecord | PartRecord | DoneRecord,
    holder: string | undefined,
    precondition?: Precondition,
  ): Promise<string | undefined> {
    const value = compact(Buffer.from(JSON.stringify(record)));
    const md5 = hash("md5", value);
    const outcome = await this.#operations().write({
      key: name,
      value,
      headers: noHeaders,
      precondition,
      md5,
      durability: "replicated",
      holder,
    });
    return outcome.kind === "written" ? md5 : undefined;
  }

  async remove(name: string): Promise<void> {
    await this.#operations().write({
      key: name,
      value: undefined,
      headers: noHeaders,
      precondition: undefined,
      md5: "",
      durability: "replicated",
    });
  }
}

function parse<T extends z.ZodType>(bytes: Buffer, schema: T): z.output<T> | undefined {
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    return undefined;
  }
}
