/** What the store in a folder and the thread that makes its changes say to each other. */

import type { Instant } from "../../base/clock.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { CompleteResult } from "../blob-store.ts";
import type { Change } from "./folder-writer.ts";

/** What the thread is started with. */
export interface ThreadData {
  /** The folder's absolute path. */
  readonly root: string;
}

export type ToThread =
  /** `giveUpAt` is by the thread's clock. */
  | { readonly kind: "change"; readonly id: number; readonly change: Change; readonly giveUpAt: Instant }
  /** Nothing comes any more, and all is answered. The thread ends. */
  | { readonly kind: "end" };

export type FromThread =
  /** The first message. `now` is by the thread's clock. */
  | { readonly kind: "ready"; readonly now: Instant }
  | { readonly kind: "done"; readonly id: number; readonly result: CompleteResult }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure };

/** An OperatingError: as an error, only its message would arrive. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly neverSent: boolean;
  readonly cause: unknown;
}
