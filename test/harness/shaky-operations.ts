/**
 * What several nodes do of operations over one memory, for tests of work that takes several operations: a node may die
 * before or after any of them, and operations of several nodes go on in any order. It watches that no upload is
 * completed with two lists of parts.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import type { ContentHeaders } from "../../src/core/entry.ts";
import type { ListQuery } from "../../src/core/listing.ts";
import type {
  CompleteOperation,
  ListOutcome,
  Operations,
  PartBody,
  PartedUpload,
  ReadOutcome,
  StreamOperation,
  ValueStream,
  WriteOperation,
  WriteOutcome,
} from "../../src/core/operation.ts";
import type { MemoryOperations } from "./memory-operations.ts";

/** At which of its operations a node dies, counted from 1, and whether that one still takes effect. */
export interface Death {
  readonly at: number;
  readonly takesEffect: boolean;
}

interface Attempt {
  readonly list: string;
  /** It is known that nothing was written. */
  isVoid: boolean;
}

/** The lists with which uploads were completed, by token. Nodes share it. */
export class CompletionWatch {
  readonly #attempts = new Map<string, Attempt[]>();
  /** The MD5s of parts, by their tags. */
  readonly contents = new Map<string, string>();

  begin({ upload, parts }: CompleteOperation): Attempt {
    const list = JSON.stringify(parts.map(({ number, tag }) => [number, this.contents.get(tag) ?? tag]));
    const attempts = this.#attempts.get(upload.token) ?? [];
    const other = attempts.find((each) => !each.isVoid && each.list !== list);
    assert.equal(other, undefined, `an upload is completed with ${list} after ${other?.list}`);
    const attempt = { list, isVoid: false };
    this.#attempts.set(upload.token, [...attempts, attempt]);
    return attempt;
  }
}

const certain = ["buffer_full", "overloaded", "refused_full", "shutting_down"] as const;

export class ShakyOperations implements Operations {
  readonly #memory: MemoryOperations;
  readonly #watch: CompletionWatch;
  /** Before and after each operation. */
  readonly #pause: () => Promise<void>;
  death: Death | undefined;
  /** What the next completion rejects with, without any effect. */
  refusal: OperatingError | undefined;
  /** Operations that were begun. */
  count = 0;

  constructor(memory: MemoryOperations, watch = new CompletionWatch(), pause = () => Promise.resolve()) {
    this.#memory = memory;
    this.#watch = watch;
    this.#pause = pause;
  }

  write(operation: WriteOperation): Promise<WriteOutcome> {
    return this.#run(() => this.#memory.write(operation));
  }

  writeStream(operation: StreamOperation): Promise<WriteOutcome> {
    return this.#run(() => this.#memory.writeStream(operation));
  }

  beginUpload(key: string, headers: ContentHeaders): Promise<PartedUpload> {
    return this.#run(() => this.#memory.beginUpload(key, headers));
  }

  sendPart(key: string, upload: PartedUpload, part: PartBody): Promise<string> {
    return this.#run(async () => {
      const tag = await this.#memory.sendPart(key, upload, part);
      const bytes = this.#memory.uploads.get(upload.id)?.get(tag);
      if (bytes) this.#watch.contents.set(tag, hash("md5", bytes));
      return tag;
    });
  }

  async completeUpload(operation: CompleteOperation): Promise<WriteOutcome> {
    const attempt = this.#watch.begin(operation);
    try {
      const outcome = await this.#run(async () => {
        const { refusal } = this;
        this.refusal = undefined;
        if (refusal !== undefined) throw refusal;
        return await this.#memory.completeUpload(operation);
      });
      if (outcome.kind === "precondition_failed") attempt.isVoid = true;
      return outcome;
    } catch (error) {
      if (isOperatingError(error, ...certain)) attempt.isVoid = true;
      throw error;
    }
  }

  abortUpload(key: string, upload: PartedUpload): Promise<void> {
    return this.#run(() => this.#memory.abortUpload(key, upload));
  }

  read(key: string, wantValue: boolean): Promise<ReadOutcome> {
    return this.#run(() => this.#memory.read(key, wantValue));
  }

  open(): Promise<ValueStream | undefined> {
    return Promise.resolve(undefined);
  }

  list(query: ListQuery): Promise<ListOutcome> {
    return this.#run(() => this.#memory.list(query));
  }

  async #run<T>(operate: () => Promise<T>): Promise<T> {
    const count = ++this.count;
    const { death } = this;
    const isLast = death?.at === count;
    if (death !== undefined && (count > death.at || (isLast && !death.takesEffect))) throw dead();
    await this.#pause();
    const result = await operate();
    if (isLast) throw dead();
    await this.#pause();
    return result;
  }
}

function dead(): OperatingError {
  return new OperatingError("peer_unreachable", "the node is dead");
}
