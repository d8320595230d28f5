/**
 * What the completion of an upload needs: the upload's id and the tags of its parts. It travels with the upload's
 * reference.
 */

import { hash } from "node:crypto";
import { z } from "zod";

const manifestSchema = z.strictObject({ id: z.string(), parts: z.array(z.string()) });

/** Stands in place of the id for an upload that was found completed: nobody can complete it again, nor needs to. */
export const takenOver = "";

export type UploadManifest = Readonly<z.infer<typeof manifestSchema>>;

export function formatManifest(manifest: UploadManifest): Buffer {
  const text = JSON.stringify(manifest);
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** See {@link takenOver}. */
export const takenOverManifest = formatManifest({ id: takenOver, parts: [] });

/**
 * @throws ZodError or SyntaxError when `bytes` is no manifest: a bug of the code that wrote it, so not an
 *   OperatingError
 */
export function parseManifest(bytes: Buffer): UploadManifest {
  return manifestSchema.parse(JSON.parse(bytes.toString()));
}

/**
 * The tag that S3 gives an object of these parts: the MD5 of the MD5s that are their tags, and how many they are.
 * Undefined if these tags are something else.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
export function tagOfParts(parts: readonly string[]): string | undefined {
  const digests = parts.map((tag) => /^(?:\d+\/)?"?([0-9a-f]{32})"?$/.exec(tag)?.[1]);
  if (digests.length === 0 || digests.includes(undefined)) return undefined;
  return `${hash("md5", Buffer.from(digests.join(""), "hex"))}-${parts.length}`;
}
