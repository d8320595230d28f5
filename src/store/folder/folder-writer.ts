/** The port to what changes the folder's blobs: in the calling thread (`file-writes.ts`), or in one of its own. */

import type { Instant } from "../../base/clock.ts";
import type { BlobContent, CompletedUpload, CompleteResult, WriteCondition } from "../blob-store.ts";

/** What is to be done to the blob of a name. */
export type Change = { readonly name: string; readonly condition: WriteCondition } & (
  | { readonly kind: "write"; readonly content: BlobContent }
  | { readonly kind: "remove" }
  | { readonly kind: "complete"; readonly upload: CompletedUpload }
);

/** Until when a request may take effect, and who has the last word on it: see `RequestOptions`. */
export interface Limits {
  readonly giveUpAt: Instant;
  readonly authorize: (() => void) | undefined;
}

export interface FolderWriter extends AsyncDisposable {
  /**
   * Resolves once the change is durable. Only the completion of an upload is answered `gone` or `incomplete`. Rejects
   * with the system's error, or an OperatingError.
   */
  change(change: Change, limits: Limits): Promise<CompleteResult>;
}
