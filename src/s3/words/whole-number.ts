/** Whole numbers in requests: limits of pages and markers. */

import { S3Error } from "./s3-error.ts";

/**
 * @param usual Is meant where nothing is said.
 * @throws S3Error `InvalidArgument`.
 */
export function wholeNumber(text: string | undefined, name: string, usual: number): number {
  if (text === undefined || text === "") return usual;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new S3Error("InvalidArgument", `${name} must be a whole number, 0 or more`);
}
