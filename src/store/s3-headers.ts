/** S3's names for headers and metadata: any of weir's is one of its own. */

import { HeaderCodec } from "./wire-headers.ts";

export const s3Headers = new HeaderCodec({
  metaPrefix: "x-amz-meta-",
  contentPrefix: "",
  toName: (name) => name,
  fromName: (name) => name,
  unheldName: /(?!)/,
});
