/** What the completion of an upload needs, as it travels with its reference: the upload's id and the tags of its parts. */

import { z } from "zod";

const manifestSchema = z.strictObject({ id: z.string(), parts: z.array(z.string()) });

/** In place of the id, of an upload that was found completed: nobody can do that again, nor needs to. */
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

/** @throws when it is none: that is a bug of whoever wrote it, so not an OperatingError. */
export function parseManifest(bytes: Buffer): UploadManifest {
  return manifestSchema.parse(JSON.parse(bytes.toString()));
}
