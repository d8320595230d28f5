/** What the header `x-amz-copy-source` names: an object, by its bucket and its key. */

import { S3Error } from "./s3-error.ts";
import { parseTarget } from "./target.ts";

/** @throws S3Error `InvalidArgument`, `InvalidURI`, `NoSuchVersion`. */
export function parseCopySource(header: string): { readonly bucket: string; readonly key: string } {
  // Some clients write it with a slash before it, some without; some encode nothing.
  const path = header.replace(/^\//, "").replace(/[\x80-\xff]/g, (char) => encodeByte(char));
  const { bucket, key, query } = parseTarget(`/${path}`, undefined);
  if (bucket === undefined || key === undefined) {
    throw new S3Error("InvalidArgument", "x-amz-copy-source must be BUCKET/KEY, percent-encoded");
  }
  // A key with a question mark that was not encoded would be cut off there.
  if (path.includes("?") && !/^[^?]*\?versionId=[^?&]*$/.test(path)) {
    throw new S3Error("InvalidArgument", "x-amz-copy-source: a question mark in a key is written %3F");
  }
  const version = query.get("versionId") ?? "null";
  if (version !== "null") throw new S3Error("NoSuchVersion", "objects have no versions");
  return { bucket, key };
}

function encodeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16)}`;
}
