/**
 * Uploads in the simulated store: parts that nobody sees, until their completion makes a blob of them at one instant.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../src/base/errors.ts";
import type { UploadedPart } from "../../src/core/operation.ts";
import type {
  AssembleResult,
  BlobStream,
  CompletedUpload,
  PartContent,
  UploadContent,
  UploadInfo,
} from "../../src/store/blob-store.ts";

interface SimPart {
  readonly body: Buffer;
  readonly tag: string;
}

interface SimUpload {
  readonly name: string;
  readonly content: UploadContent;
  readonly startedMs: number;
  /** Its completion is refused. */
  isUnwanted: boolean;
  /** By number. */
  readonly parts: Map<number, SimPart>;
  /** Of a store that joins parts: every part that was sent, by its tag, and what they were joined to, by its hash. */
  readonly sent: Map<string, Buffer>;
  readonly joined: Map<string, Buffer>;
}

export interface UploadedBlob {
  readonly id: string;
  readonly isUnwanted: boolean;
  readonly content: UploadContent;
  readonly body: Buffer;
  readonly tag: string;
  /** It is not completed after all, and can be once more. */
  readonly putBack: () => void;
}

export interface SimUploadModes {
  /** Joins the parts of a parted upload when it is assembled, as a folder does. Each part that is sent is kept. */
  readonly joinsParts?: boolean;
  /** Says of an upload that was completed before that it is completed now, whatever the object is, as AWS may. */
  readonly remembersCompletions?: boolean;
}

export class SimUploads {
  readonly #modes: SimUploadModes;
  readonly #uploads = new Map<string, SimUpload>();
  /** By id, the tag of the blob. */
  readonly #completed = new Map<string, string>();
  /** Those that were lost or refused, or lacked a part, by their ids. */
  readonly meddledWith = new Set<string>();
  #count = 0;

  constructor(modes: SimUploadModes = {}) {
    this.#modes = modes;
  }

  get size(): number {
    return this.#uploads.size;
  }

  has(id: string): boolean {
    return this.#uploads.has(id);
  }

  begin(name: string, content: UploadContent, startedMs: number): string {
    const id = `upload-${++this.#count}`;
    const empty = { parts: new Map(), sent: new Map(), joined: new Map() };
    this.#uploads.set(id, { name, content, startedMs, isUnwanted: false, ...empty });
    return id;
  }

  sendPart(id: string, { number, body }: PartContent): string {
    const upload = this.#uploads.get(id);
    if (!upload) throw new OperatingError("store_refused", "there is no such upload");
    const copy = Buffer.from(body);
    const tag = hash("md5", copy);
    upload.parts.set(number, { body: copy, tag });
    upload.sent.set(tag, copy);
    return tag;
  }

  assemble(id: string, parts: readonly UploadedPart[]): AssembleResult {
    if (this.#modes.joinsParts !== true) {
      return { kind: "assembled", parts: parts.map(({ number, tag }) => `${number}/${tag}`) };
    }
    const upload = this.#uploads.get(id);
    const bodies = parts.map(({ tag, size }) => {
      const body = upload?.sent.get(tag);
      return body?.length === size ? body : undefined;
    });
    if (!upload || bodies.includes(undefined)) return { kind: "gone" };
    const body = Buffer.concat(bodies as Buffer[]);
    const tag = hash("md5", body);
    upload.joined.set(tag, body);
    return { kind: "assembled", parts: [tag] };
  }

  /** The entity tag of what these parts of a parted upload make. */
  tagOf(parts: readonly Buffer[]): string {
    if (this.#modes.joinsParts === true) return hash("md5", Buffer.concat(parts));
    return tagOfTags(parts.map((each) => hash("md5", each)));
  }

  /**
   * Takes the upload out, to complete it: nobody else can from now on, although nothing is to be seen of it yet. What
   * it makes of its blob; undefined if there is no such upload, or not with these parts.
   */
  take({ id, parts, size }: CompletedUpload): UploadedBlob | undefined {
    const upload = this.#uploads.get(id);
    const made = upload && (joinedOf(upload, parts) ?? partsOf(upload, parts));
    if (!made || made.body.length !== size) return undefined;
    this.#uploads.delete(id);
    const putBack = (): void => void this.#uploads.set(id, upload);
    const { content, isUnwanted } = upload;
    return { id, content, isUnwanted, ...made, putBack };
  }

  /** What was taken has become a blob. */
  completed({ id, tag }: UploadedBlob): void {
    this.#completed.set(id, tag);
  }

  /** The tag of the blob that the upload has become; undefined if it has not, or the store does not remember. */
  tagOfCompleted(id: string): string | undefined {
    return this.#modes.remembersCompletions === true ? this.#completed.get(id) : undefined;
  }

  /** It is given up. */
  delete(id: string): void {
    this.#uploads.delete(id);
  }

  /**
   * A rule of the bucket, or an operator, removes the upload that is so many later than the oldest, in a circle. Not
   * one that is refused: so its member has to.
   */
  lose(index: number): void {
    const id = this.#idAt(index);
    if (id === undefined || this.#uploads.get(id)?.isUnwanted === true) return;
    this.#uploads.delete(id);
    this.meddledWith.add(id);
  }

  /** The store does not want what that upload would make: its completion will be refused, however often. */
  refuse(index: number): void {
    const id = this.#idAt(index) ?? "";
    const upload = this.#uploads.get(id);
    if (!upload) return;
    upload.isUnwanted = true;
    this.meddledWith.add(id);
  }

  list(): UploadInfo[] {
    return [...this.#uploads].map(([id, { name, startedMs }]) => ({ id, name, startedMs }));
  }

  #idAt(index: number): string | undefined {
    const ids = [...this.#uploads.keys()];
    return ids[index % Math.max(1, ids.length)];
  }
}

function joinedOf({ joined }: SimUpload, parts: readonly string[]): SimPart | undefined {
  const [tag] = parts;
  const body = tag === undefined ? undefined : joined.get(tag);
  return tag === undefined || !body ? undefined : { body, tag };
}

/** Made of the parts that it has now. Its tag is made as S3 does: of the parts' hashes. */
function partsOf({ parts: held }: SimUpload, parts: readonly string[]): SimPart | undefined {
  const tags: string[] = [];
  const bodies: Buffer[] = [];
  for (const [index, text] of parts.entries()) {
    const [, number, tag] = /^(\d+)\/(.*)$/.exec(text) ?? ["", index + 1, text];
    const part = held.get(Number(number));
    if (part?.tag !== tag) return undefined;
    tags.push(part.tag);
    bodies.push(part.body);
  }
  return { body: Buffer.concat(bodies), tag: tagOfTags(tags) };
}

/** As S3 does. */
function tagOfTags(tags: readonly string[]): string {
  return `${hash("md5", Buffer.from(tags.join(""), "hex"))}-${tags.length}`;
}

/** Bytes that come in pieces, and end before their end if `cutAt` says so. */
export class SimStream implements BlobStream {
  readonly #bytes: Buffer;
  readonly #cutAt: number | undefined;

  constructor(bytes: Buffer, cutAt: number | undefined) {
    this.#bytes = bytes;
    this.#cutAt = cutAt;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    const end = this.#cutAt ?? this.#bytes.length;
    const pieceBytes = Math.ceil(this.#bytes.length / 3);
    for (let offset = 0; offset < end; offset += pieceBytes)
      yield this.#bytes.subarray(offset, Math.min(end, offset + pieceBytes));
    if (this.#cutAt !== undefined) throw new OperatingError("store_unavailable", "the store's answer broke off");
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
