/** The journal over a folder of the file system passes the suite of every disk. */

import { readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileDisk } from "../../src/journal/file-disk.ts";
import { systemRandom } from "../../src/system.ts";
import { journalSuite } from "./journal-suite.ts";

journalSuite("the journal over the file system", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weir-journal-"));
  return {
    open: () => openFileDisk(join(folder, "data"), systemRandom),
    bytes: () => {
      const segments = readdirSync(join(folder, "data")).filter((name) => name.endsWith(".wal"));
      // One may be deleted just now.
      const sizeOf = (name: string) => statSync(join(folder, "data", name), { throwIfNoEntry: false })?.size ?? 0;
      return segments.reduce((bytes, name) => bytes + sizeOf(name), 0);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});
