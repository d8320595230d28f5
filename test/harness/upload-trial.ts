/** Multipart uploads over one memory, by nodes that may die: what the tests of their records share. */

import { hash } from "node:crypto";
import { Complaints } from "../../src/base/complaints.ts";
import { Turns } from "../../src/http/server/turns.ts";
import { ClientUploads } from "../../src/s3/uploads/client-uploads.ts";
import { type Completed, type CompletionRequest, Completions } from "../../src/s3/uploads/completion.ts";
import { UploadSweep } from "../../src/s3/uploads/upload-sweep.ts";
import { systemClock } from "../../src/system.ts";
import { ManualClock } from "./manual-clock.ts";
import { MemoryOperations } from "./memory-operations.ts";
import { RecordedLog } from "./recorded-log.ts";
import { CompletionWatch, ShakyOperations } from "./shaky-operations.ts";
import { SimRandom } from "./sim-random.ts";

const mebibyte = 1024 * 1024;
const turns = new Turns().of("trial");

/** The least that a part that is not the last may have. */
export const fullPart = Buffer.alloc(5 * mebibyte, "p");

/** What a client says of a part. */
export interface SentPart {
  readonly number: number;
  readonly md5: string;
  readonly checksum: undefined;
}

export class UploadNode {
  readonly operations: ShakyOperations;
  readonly uploads: ClientUploads;
  readonly completions: Completions;

  constructor(trial: UploadTrial, operations: ShakyOperations) {
    const { clock, random } = trial;
    const complaints = new Complaints(trial.log, clock, 1);
    this.operations = operations;
    this.uploads = new ClientUploads({
      operations: () => operations,
      clock,
      random,
      complaints,
      leftoverMs: 3 * 86_400_000,
    });
    this.completions = new Completions({
      operations: () => operations,
      uploads: this.uploads,
      random,
      complaints,
      maxValueBytes: 64 * 1024 * mebibyte,
      maxMetadataBytes: 2_048,
    });
  }

  begin(key = "k", holder = "tester"): Promise<string> {
    return this.uploads.begin(key, {}, undefined, holder);
  }

  async send(key: string, id: string, number: number, bytes: Buffer): Promise<SentPart> {
    const record = await this.uploads.findOpen(key, id);
    const md5 = hash("md5", bytes);
    const body = { number, length: bytes.length, body: once(bytes) };
    await this.uploads.sendPart(record, id, body, () => ({ md5, checksum: undefined }), "tester");
    return { number, md5, checksum: undefined };
  }

  complete(
    key: string,
    id: string,
    parts: readonly SentPart[],
    more: Partial<CompletionRequest> = {},
  ): Promise<Completed | undefined> {
    const nothing = { precondition: undefined, size: undefined, checksum: undefined };
    return this.completions.complete({ key, id, parts, ...nothing, holder: "tester", turns, ...more });
  }
}

export class UploadTrial {
  readonly memory = new MemoryOperations();
  readonly clock = new ManualClock();
  readonly log = new RecordedLog();
  readonly random = new SimRandom(1);
  readonly watch = new CompletionWatch();

  constructor() {
    this.memory.nowMs = () => this.clock.wallMs();
  }

  /** @param pause Before and after each of its operations. */
  node(pause?: () => Promise<void>): UploadNode {
    return new UploadNode(this, new ShakyOperations(this.memory, this.watch, pause));
  }

  /** Sweeps by this node. Resolves to how many records were removed. */
  async sweep(node: UploadNode, leftoverMs: number): Promise<number> {
    const { clock, random, log } = this;
    const complaints = new Complaints(log, clock, 1);
    const { records } = node.uploads;
    const sweep = new UploadSweep({
      operations: () => node.operations,
      records,
      // It rests after each removal.
      clock: {
        now: () => clock.now(),
        wallMs: () => clock.wallMs(),
        after: (_, callback) => systemClock.after(0, callback),
      },
      random,
      log,
      complaints,
      leftoverMs,
    });
    return await sweep.sweep();
  }

  /** The names of weir's own values. */
  get ownNames(): string[] {
    return [...this.memory.values.keys()].filter((key) => key.startsWith(".weir/")).sort();
  }

  /** The value of a key. */
  value(key: string): Buffer | undefined {
    return this.memory.values.get(key)?.value;
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}
