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

/** @throws when a peer has sent what is none. */
export function parseManifest(bytes: Buffer): UploadManifest {
  return manifestSchema.parse(JSON.parse(bytes.toString()));
}
