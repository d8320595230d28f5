/** What an object in the store is to a member: a clean value of its key. */

import { hash } from "node:crypto";
import { oldestVersionOf } from "../../core/upload-token.ts";
import { parseVersion, type Version } from "../../core/version.ts";
import type { Blob, BlobInfo } from "../../store/blob-store.ts";
import type { CleanValue } from "./cache.ts";

/**
 * The version of the state that the object is; of one that was uploaded, an older one.
 * @param clusterId - versions of other clusters, and of other keys, count as none
 */
export function storedVersion(clusterId: string, key: string, { version, upload }: BlobInfo): Version {
  return version === undefined && upload !== undefined
    ? oldestVersionOf(clusterId, key, upload)
    : parseVersion(clusterId, key, version);
}

export function storedValue(clusterId: string, key: string, blob: Blob): CleanValue {
  const { body, headers, modifiedMs, size, tag, upload } = blob;
  const { epoch, seq } = storedVersion(clusterId, key, blob);
  // The entity tag of what was uploaded is the store's, however small it is.
  const md5 = upload === undefined ? hash("md5", body) : tag;
  return { epoch, seq, headers, md5, modifiedMs, size, value: body, tag, upload };
}

/** The same of an object that is too large to be read as a whole: its entity tag is the store's own. */
export function storedLargeValue(clusterId: string, key: string, info: BlobInfo): CleanValue {
  const { headers, modifiedMs, size, tag, upload } = info;
  const { epoch, seq } = storedVersion(clusterId, key, info);
  return { epoch, seq, headers, md5: tag, modifiedMs, size, value: undefined, tag, upload };
}
