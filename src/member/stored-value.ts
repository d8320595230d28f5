/** What an object in the store is to a member: a clean value of its key. */

import { hash } from "node:crypto";
import { parseVersion } from "../core/version.ts";
import type { Blob } from "../store/blob-store.ts";
import type { CleanValue } from "./cache.ts";

/** @param clusterId - versions of other clusters, and of other keys, count as none */
export function storedValue(clusterId: string, key: string, blob: Blob): CleanValue {
  const { body, headers, version, modifiedMs, size, tag } = blob;
  const { epoch, seq } = parseVersion(clusterId, key, version);
  return { epoch, seq, headers, md5: hash("md5", body), modifiedMs, size, value: body, tag };
}
