/**
 * What an operator gives up (`weir drop`): a state that the store refuses for good is followed by an entry which says that the key's state is what the store has. It is a
 * reference with nothing to complete, and like any write it has a version, is replicated, journaled and handed off: so it beats what was given up wherever that is held.
 *
 * The primary that assigns it knows that no request for the key can take effect any more (see `giving-up.ts`), and needs no store for it. One that inherits it does not, and looks there, as for
 * any reference: it finds that there is nothing to complete.
 */

import type { Entry, Upload } from "./entry.ts";
import { takenOverManifest } from "./upload-manifest.ts";

/** In place of an upload; no object has its token. */
export const whatTheStoreHas: Upload = Object.freeze({
  token: "",
  size: 0,
  manifest: takenOverManifest,
});

/** Whether the entry gives up what was there before it. */
export function isGivenUp({ upload }: Pick<Entry, "upload">): boolean {
  return upload !== undefined && upload.token === whatTheStoreHas.token;
}
