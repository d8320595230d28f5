/** Has the tests of a suite take packed modules, or the sources, whether or not they are part of a whole run. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { packModules, packVariable } from "./packed-modules.ts";

/** To be called in a `describe`. */
export function usePackedModules(): void {
  let folder: string | undefined;
  before(async () => {
    if (process.env[packVariable] !== undefined) return;
    folder = mkdtempSync(join(tmpdir(), "weir-pack-"));
    await packModules(folder);
    process.env[packVariable] = folder;
  });
  after(() => {
    if (folder === undefined) return;
    delete process.env[packVariable];
    rmSync(folder, { recursive: true });
  });
}

/** To be called in a `describe`. */
export function useSources(): void {
  const { [packVariable]: given } = process.env;
  before(() => {
    delete process.env[packVariable];
  });
  after(() => {
    if (given !== undefined) process.env[packVariable] = given;
  });
}
