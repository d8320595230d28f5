/** The settings of the S3 dialect. Access keys are settings of `auth`. */

import { z } from "zod";
import { isReserved, maxKeyBytes, reservedPrefix } from "../core/keys.ts";

/** As S3's own, but they may be shorter: a cluster's name stands for a bucket where the store is a folder. */
const bucketName = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

const domainPattern = /^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/;

/**
 * Bytes in the list of created buckets, at most: 1,000 of the longest names. It is one value, and is read as one that
 * is in memory.
 */
export const bucketListBytes = 131_072;

/** More would no longer be names that people gave. */
const maxBuckets = 1_000;

export const s3Schema = z.strictObject({
  buckets: z
    .array(
      z.strictObject({
        name: z
          .string()
          .regex(bucketName, "must be 1 to 63 of a-z, 0-9, - and ., beginning and ending with a letter or digit")
          .describe("The bucket's name, as S3 clients call it: 1 to 63 of a-z, 0-9, - and . (dot)."),
        prefix: z
          .string()
          .max(maxKeyBytes / 2)
          .refine((prefix) => !isReserved(prefix), `must not have ${reservedPrefix} in it, which is weir's own`)
          .default("")
          .describe("The bucket is the keys that begin with this; empty for all keys. End it with / to make a folder."),
      }),
    )
    .max(maxBuckets)
    .optional()
    .meta({
      description: "The buckets that S3 clients see. Two may have keys in common.",
      computed: "one for all keys: the store's bucket or container; over a folder the cluster's name",
    }),
  createBuckets: z
    .boolean()
    .default(false)
    .describe(
      "Whether S3 clients may create buckets. The bucket NAME is the keys that begin with `NAME/` then. Needs a buffer.maxValueBytes of 131072 at least.",
    ),
  domain: z
    .string()
    .regex(domainPattern, "must be a name of hosts in lower case, without a port")
    .optional()
    .describe(
      "With it S3 clients may call the bucket NAME as the host NAME.DOMAIN. All of these names must lead to the nodes.",
    ),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe(
      "A port more that speaks S3 alone, for clients that do not sign. The node's own port speaks S3 with all that sign.",
    ),
});
