/** What the S3 clients of the answering node do, in a sentence for people. */

import type { ClusterStatus } from "./status.ts";

/** Operations that are named. */
const namedOperations = 4;

/** Undefined before the first request. */
export function s3Words({ self, s3 }: ClusterStatus): string | undefined {
  if (s3 === undefined) return undefined;
  const { requests, denied, failed, operations } = s3;
  const counts = Object.entries(operations).map(([name, count]) => `${count} ${name}`);
  const named = counts.slice(0, namedOperations).join(", ");
  const more = counts.length > namedOperations ? " and others" : "";
  const noun = requests === 1 ? "request" : "requests";
  return `S3 through ${self} since it was started: ${requests} ${noun} (${named}${more}), ${denied} denied, ${failed} failed.`;
}
