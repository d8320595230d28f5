/** The numbers of parts in requests: 1 to 10,000. */

import { S3Error } from "./s3-error.ts";

const pattern = /^(?:[1-9]\d{0,3}|10000)$/;

/** @throws S3Error `InvalidArgument`. */
export function parsePartNumber(text: string | undefined): number {
  if (text !== undefined && pattern.test(text)) return Number(text);
  throw new S3Error("InvalidArgument", "partNumber is 1 to 10000");
}
