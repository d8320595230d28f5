/** The simulated store passes the suite of every store, so that what runs against it may be believed. */

import type { BlobStore } from "../../src/store/blob-store.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { SimStore } from "../simulation/sim-store.ts";
import { healthyStore } from "../simulation/store-faults.ts";
import { blobStoreSuite } from "./blob-store-suite.ts";
import { largeBlobSuite } from "./large-blob-suite.ts";
import { partedUploadSuite } from "./parted-upload-suite.ts";

for (const tags of ["md5", "unique"] as const) {
  const name = `the simulated store with ${tags} tags`;
  blobStoreSuite(name, () => open(tags));
  largeBlobSuite(name, () => open(tags));
}
for (const joinsParts of [false, true]) {
  partedUploadSuite(`the simulated store that ${joinsParts ? "joins" : "keeps"} parts`, () => open("md5", joinsParts));
}

function open(tags: "md5" | "unique", joinsParts = false): Promise<BlobStore> {
  // The suites have no virtual time: what is planned happens in the next turn of the event loop.
  const scheduler = {
    schedule(_ms: number, callback: () => void) {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    },
  };
  const store = new SimStore({
    modes: { tags, ignoresRemoveConditions: false, joinsParts },
    faults: healthyStore,
    random: new SimRandom(1),
    scheduler,
    dateMs: () => Date.now(),
  });
  return Promise.resolve(store.connect(scheduler));
}
