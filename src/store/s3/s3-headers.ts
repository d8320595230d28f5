/** S3's names for headers and metadata: any of weir's is one of its own. */

import { HeaderCodec } from "../http/wire-headers.ts";

export const s3Headers = new HeaderCodec({
  metaPrefix: "x-amz-meta-",
  contentPrefix: "",
  toName: (name) => name,
  fromName: (name) => name,
  unheldName: /(?!)/,
});
