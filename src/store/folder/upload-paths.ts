/**
 * Where uploads lie in a folder, and how they end. Each is a file (`file-uploads.ts`) or a folder (`parted-files.ts`).
 */

import { rename, rm } from "node:fs/promises";
import { assert } from "../../base/assert.ts";
import { hasCode } from "./durable-files.ts";

/** Whether an upload may have this id. */
export function isUploadId(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

/** The upload's file, or its folder, in the folder of uploads. */
export function uploadPath(folder: string, id: string): string {
  assert(isUploadId(id), "an upload's id is one of those given out");
  return `${folder}/${id}`;
}

/** The file that a parted upload was assembled to, by the MD5 of its bytes. */
export function joinedPath(upload: string, md5: string): string {
  return `${upload}/joined-${md5}`;
}

/**
 * Ends an upload, if it is there.
 *
 * @param aside A path for it in the folder of temporary files. What is left there is swept away later.
 */
export async function discardUpload(upload: string, aside: string): Promise<void> {
  try {
    await rename(upload, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}
