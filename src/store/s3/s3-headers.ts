/** S3's names for headers and metadata. S3 can hold any of weir's names. */

import { HeaderCodec } from "../http/wire-headers.ts";

export const s3Headers = new HeaderCodec({
  metaPrefix: "x-amz-meta-",
  contentPrefix: "",
  toName: (name) => name,
  fromName: (name) => name,
  unheldName: /(?!)/,
});
