/** The folder store as nodes have it: a thread of its own makes the changes. The port's suite. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { openStore } from "../../src/store/open-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { blobStoreSuite } from "./blob-store-suite.ts";
import { largeBlobSuite } from "./large-blob-suite.ts";
import { partedUploadSuite } from "./parted-upload-suite.ts";

const folders: string[] = [];

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

for (const suite of [blobStoreSuite, largeBlobSuite, partedUploadSuite]) {
  suite("FileStore with a thread", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "weir-file-store-"));
    folders.push(folder);
    return openStore({ type: "file", path: path.join(folder, "made") }, { clock: systemClock, random: systemRandom });
  });
}
