/**
 * Uploads in the simulated store: parts that nobody sees, until their completion makes a blob of them at one instant.
 */

import { hash } from "node:crypto";
import { OperatingError } from "../../src/base/errors.ts";
import type { BlobStream, CompletedUpload, UploadContent, UploadInfo, UploadPart } from "../../src/store/blob-store.ts";

interface SimUpload {
  readonly name: string;
  readonly content: UploadContent;
  readonly startedMs: number;
  /** Its completion is refused. */
  isUnwanted: boolean;
  readonly parts: Map<number, { readonly body: Buffer; readonly tag: string }>;
}

export interface UploadedBlob {
  readonly isUnwanted: boolean;
  readonly content: UploadContent;
  readonly body: Buffer;
  /** As S3 makes it: of the parts' hashes. */
  readonly tag: string;
  /** It is not completed after all, and can be once more. */
  readonly putBack: () => void;
}

export class SimUploads {
  readonly #uploads = new Map<string, SimUpload>();
  #count = 0;

  get size(): number {
    return this.#uploads.size;
  }

  begin(name: string, content: UploadContent, startedMs: number): string {
    const id = `upload-${++this.#count}`;
    this.#uploads.set(id, { name, content, startedMs, isUnwanted: false, parts: new Map() });
    return id;
  }

  sendPart(id: string, { number, body }: UploadPart): string {
    const upload = this.#uploads.get(id);
    if (!upload) throw new OperatingError("store_refused", "there is no such upload");
    const copy = Buffer.from(body);
    const tag = hash("md5", copy);
    upload.parts.set(number, { body: copy, tag });
    return tag;
  }

  /**
   * Takes the upload out, to complete it: nobody else can from now on, although nothing is to be seen of it yet. What
   * it makes of its blob; undefined if there is no such upload, or not with these parts.
   */
  take({ id, parts, size }: CompletedUpload): UploadedBlob | undefined {
    const upload = this.#uploads.get(id);
    const found = parts.map((tag, index) => {
      const part = upload?.parts.get(index + 1);
      return part?.tag === tag ? part.body : undefined;
    });
    if (!upload || found.includes(undefined)) return undefined;
    const body = Buffer.concat(found as Buffer[]);
    if (body.length !== size) return undefined;
    this.#uploads.delete(id);
    const putBack = (): void => void this.#uploads.set(id, upload);
    const { content, isUnwanted } = upload;
    return { content, isUnwanted, body, tag: `${hash("md5", parts.join(""))}-${parts.length}`, putBack };
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
    if (id !== undefined && this.#uploads.get(id)?.isUnwanted !== true) this.#uploads.delete(id);
  }

  /** The store does not want what that upload would make: its completion will be refused, however often. */
  refuse(index: number): void {
    const upload = this.#uploads.get(this.#idAt(index) ?? "");
    if (upload) upload.isUnwanted = true;
  }

  list(): UploadInfo[] {
    return [...this.#uploads].map(([id, { name, startedMs }]) => ({ id, name, startedMs }));
  }

  #idAt(index: number): string | undefined {
    const ids = [...this.#uploads.keys()];
    return ids[index % Math.max(1, ids.length)];
  }
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
