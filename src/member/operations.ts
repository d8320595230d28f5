/** What clients and operators can ask of one member, put together once from the parts that do it. */

import { OperatingError } from "../base/errors.ts";
import type { Administration, FlushProgress, RefusedKeys } from "../core/administration.ts";
import type { ContentHeaders } from "../core/entry.ts";
import type { ListQuery } from "../core/listing.ts";
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
} from "../core/operation.ts";
import type { FailingKey } from "../core/status.ts";
import type { Version } from "../core/version.ts";
import type { Discard } from "./admin/discard.ts";
import type { FlushOnDemand } from "./admin/flush-on-demand.ts";
import type { Downloads } from "./large/downloads.ts";
import type { PartedUploads } from "./large/parted-uploads.ts";
import type { Uploads } from "./large/uploads.ts";
import type { Lister } from "./route/lister.ts";
import type { Router } from "./route/router.ts";

interface OperationParts {
  readonly router: Router;
  readonly uploads: Uploads;
  readonly partedUploads: PartedUploads;
  readonly downloads: Downloads;
  readonly lister: Lister;
  readonly flushOnDemand: FlushOnDemand;
  readonly discard: Discard;
}

export class MemberOperations implements Operations, Administration {
  readonly #parts: OperationParts;

  constructor(parts: OperationParts) {
    this.#parts = parts;
  }

  write(operation: WriteOperation): Promise<WriteOutcome> {
    return this.#parts.router.write(operation);
  }

  writeStream(operation: StreamOperation): Promise<WriteOutcome> {
    return this.#parts.uploads.write(operation);
  }

  beginUpload(key: string, headers: ContentHeaders): Promise<PartedUpload> {
    return this.#parts.partedUploads.begin(key, headers);
  }

  sendPart(key: string, upload: PartedUpload, part: PartBody): Promise<string> {
    return this.#parts.partedUploads.sendPart(key, upload, part);
  }

  completeUpload(operation: CompleteOperation): Promise<WriteOutcome> {
    return this.#parts.partedUploads.complete(operation);
  }

  abortUpload(key: string, upload: PartedUpload): Promise<void> {
    return this.#parts.partedUploads.abort(key, upload);
  }

  read(key: string, wantValue: boolean, changed?: string): ReadOutcome | Promise<ReadOutcome> {
    return this.#parts.router.read(key, wantValue, changed);
  }

  open(key: string, tag: string, start: number, end: number): Promise<ValueStream | undefined> {
    return this.#parts.downloads.open(key, tag, { start, end });
  }

  list(query: ListQuery): Promise<ListOutcome> {
    return this.#parts.lister.list(query);
  }

  flush(signal: AbortSignal): AsyncGenerator<FlushProgress, void> {
    return this.#parts.flushOnDemand.run(signal);
  }

  refused(key: string): Promise<FailingKey> {
    return this.#parts.discard.refused(key);
  }

  refusedUnder(prefix: string): Promise<RefusedKeys> {
    return this.#parts.discard.refusedUnder(prefix);
  }

  discard(key: string, version: Version): Promise<WriteOutcome> {
    return this.#parts.discard.discard(key, version);
  }
}

/** What a host does that has no member at the moment: it refuses everything with `not_ready`. */
export const noMember: Operations & Administration = {
  write: refuse,
  writeStream: refuse,
  beginUpload: refuse,
  sendPart: refuse,
  completeUpload: refuse,
  abortUpload: refuse,
  read: refuse,
  open: refuse,
  list: refuse,
  async *flush() {
    yield await refuse();
  },
  refused: refuse,
  refusedUnder: refuse,
  discard: refuse,
};

function refuse(): Promise<never> {
  return Promise.reject(new OperatingError("not_ready", "the node has not joined the cluster yet"));
}
