/** S3's names for headers and metadata. S3 can hold any of weir's names. Ceph's gateway turns `_` into a hyphen. */

import { contentNames } from "../../core/entry.ts";
import { HeaderCodec } from "../http/wire-headers.ts";

export const s3Headers = new HeaderCodec({
  metaPrefix: "x-amz-meta-",
  contentPrefix: "",
  contentNames,
  toName: (name) => name,
  fromName: (name) => name,
  unheldName: /(?!)/,
  // What is not listed as folded.
  unheldCharacter: /_/,
  mayFold: true,
});
