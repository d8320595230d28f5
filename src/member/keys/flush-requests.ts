/** What the keys' room asks of flushing. The flush queue does it; this room knows no more of that. */

import type { KeyState } from "../../core/key-state.ts";

export interface FlushRequests {
  /** The record has an acknowledged state that is not visible yet, and that the store may lack. */
  add(record: KeyState): void;
  /** The record has a visible state to flush: after a while, so that overwrites coalesce. */
  schedule(record: KeyState): void;
  /** The store must have what is pending of the record before that is visible. */
  expedite(record: KeyState): void;
  /** A client waits for the store to have what is to be flushed of the record. */
  expediteAwaited(record: KeyState): void;
}
