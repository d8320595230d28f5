/**
 * Whether the store takes what a running node sends. Not a probe: a store that refuses only to remove takes values all
 * the same, and would be left with the probe's blobs.
 */

import { noHeaders } from "../../core/entry.ts";
import type { BlobStore } from "../../store/blob-store.ts";

/** Of blobs that are written for that, one for each node. */
const trialFolder = ".weir/probe/node-";
/** How long one trial may take, in milliseconds. */
const trialDeadlineMs = 5_000;

/** @throws OperatingError (rejects with one) of the store. */
export async function tryStore(store: Pick<BlobStore, "write">, nodeId: string): Promise<void> {
  const content = { body: Buffer.from(nodeId), headers: noHeaders };
  await store.write(trialFolder + nodeId, content, { kind: "always" }, { deadlineMs: trialDeadlineMs });
}
