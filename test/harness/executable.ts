/**
 * The executable for tests that run it. A build takes seconds of both cores, and the same commit makes the same bytes:
 * in a whole run the first test that wants it builds it for all.
 */

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./steps.ts";

/** The variable that names a folder for what the tests of one run share. It is removed after the run. */
export const sharedFolderVariable = "WEIR_TEST_SHARED";

/** What the executable says that it was built from. */
export const builtCommit = "0123456789ab";

/** What {@link builtExecutable} and tests that build anew give to the build. */
export const buildEnvironment = { ...process.env, WEIR_COMMIT: builtCommit };

/** @returns the folder that `npm run build` has filled for this machine: `weir` and `SHA256SUMS` */
export async function builtExecutable(): Promise<string> {
  const shared = sharedFolder();
  const folder = join(shared, "dist");
  if (existsSync(folder)) return folder;
  const own = mkdtempSync(join(shared, "build-"));
  await promisify(execFile)(process.execPath, ["scripts/build.ts", `--output=${own}`], {
    cwd: root,
    env: buildEnvironment,
  });
  try {
    renameSync(own, folder);
  } catch (error) {
    // Another test was first, and its bytes are the same.
    if (!existsSync(folder)) throw error;
    rmSync(own, { recursive: true });
  }
  return folder;
}

function sharedFolder(): string {
  const given = process.env[sharedFolderVariable];
  if (given !== undefined) return given;
  const folder = mkdtempSync(join(tmpdir(), "weir-build-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
