/** The kinds of stores in cluster.json, each with its settings, as in `schema.ts`. */

import { z } from "zod";
import { isReserved, reservedPrefix } from "../core/keys.ts";
import { secretReference } from "./secret-reference.ts";

const s3StoreSchema = z.strictObject({
  type: z
    .literal("s3")
    .describe('"s3": Amazon S3 or a server that speaks its protocol; "azure": Azure Blob Storage; "file": a folder.'),
  bucket: z.string().min(3).max(63).describe("The bucket's name; it must exist."),
  prefix: z
    .string()
    .max(512)
    .refine((prefix) => !isReserved(prefix), `must not have ${reservedPrefix} in it, which is weir's own`)
    .default("")
    .describe(
      "Put before every key, as it is: end it with / to make a folder. Two clusters must not share a prefix, nor may one's begin with the other's.",
    ),
  region: z.string().min(1).optional().meta({
    description: "The bucket's region.",
    computed: "`us-east-1` with an endpoint, else $AWS_REGION or the profile's",
  }),
  endpoint: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .optional()
    .describe(
      "Base URL of a server other than the cloud's own, such as http://127.0.0.1:9000; of Azure's kind with the account in its path.",
    ),
  forcePathStyle: z.boolean().optional().meta({
    description: "Whether the bucket goes into the path rather than the host name.",
    computed: "`true` with an endpoint",
  }),
  accessKeyId: secretReference
    .optional()
    .describe('"env:NAME" or "file:PATH"; without it AWS\'s own ways are tried (environment, profile, instance role).'),
  secretAccessKey: secretReference.optional().describe('"env:NAME" or "file:PATH", along with accessKeyId.'),
});

const azureStoreSchema = z.strictObject({
  type: z.literal("azure").describe('"azure": Azure Blob Storage.'),
  container: z
    .string()
    .regex(
      /^(?:\$root|[a-z0-9](?:-?[a-z0-9]){2,62})$/,
      "must be 3 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit",
    )
    .describe("The container's name: 3 to 63 of a-z, 0-9 and -. It must exist."),
  prefix: z
    .string()
    .max(256)
    .refine((prefix) => !isReserved(prefix), `must not have ${reservedPrefix} in it, which is weir's own`)
    .default("")
    .describe(
      "Put before every key, as it is: end it with / to make a folder. Two clusters must not share a prefix, nor may one's begin with the other's.",
    ),
  account: z.string().min(1).max(63).optional().meta({
    description: "The storage account's name.",
    computed: "that of the connection string, or $AZURE_STORAGE_ACCOUNT",
  }),
  endpoint: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .optional()
    .describe("Base URL of the account, if not https://ACCOUNT.blob.core.windows.net."),
  accountKey: secretReference
    .optional()
    .describe(
      '"env:NAME" or "file:PATH"; without it $AZURE_STORAGE_KEY is tried, then the host\'s identity (managed identity, workload identity, login).',
    ),
  connectionString: secretReference
    .optional()
    .describe(
      '"env:NAME" or "file:PATH" of one with AccountKey, in place of account, endpoint and accountKey. If none of these is given, $AZURE_STORAGE_CONNECTION_STRING is tried.',
    ),
});

const fileStoreSchema = z.strictObject({
  type: z.literal("file").describe('"file": a folder.'),
  path: z
    .string()
    .min(1)
    .describe(
      "A folder, for nodes on one host: its locks are the host's own, and a network file system does not keep them. Relative to the file's folder.",
    ),
});

export const storeSchema = z.discriminatedUnion("type", [s3StoreSchema, azureStoreSchema, fileStoreSchema]);
