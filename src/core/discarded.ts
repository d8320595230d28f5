/**
 * What an operator has discarded (`weir drop`): the store refuses a state for good. An entry follows it which says that
 * the key's state is what the store has. The entry is a reference with nothing to complete. Like any write it has a
 * version, is replicated, journaled and handed off: so it beats what was discarded on every member that holds that.
 *
 * The primary that assigns the entry knows that no request for the key can take effect any more (see
 * `admin/discard.ts`), and needs no store for it. A primary that inherits the entry does not know that. It looks in the
 * store, as for any reference, and finds that there is nothing to complete (D1, D6).
 */

import type { Entry, Upload } from "./entry.ts";
import { takenOverManifest } from "./upload-manifest.ts";

/** In place of an upload; no object has its token. */
export const whatTheStoreHas: Upload = Object.freeze({
  token: "",
  size: 0,
  manifest: takenOverManifest,
});

/** Whether the entry discards what was there before it. */
export function isDiscarded({ upload }: Pick<Entry, "upload">): boolean {
  return upload !== undefined && upload.token === whatTheStoreHas.token;
}
