/**
 * Azure's names for headers and metadata. Names of metadata are identifiers as in C#: letters, digits and `_`, and not
 * a digit first.
 */

import { contentNames } from "../../core/entry.ts";
import { HeaderCodec } from "../http/wire-headers.ts";

export const azureHeaders = new HeaderCodec({
  metaPrefix: "x-ms-meta-",
  contentPrefix: "x-ms-blob-",
  contentNames: contentNames.filter((name) => name !== "expires"),
  toName: (name) => name.replaceAll("-", "_"),
  fromName: (name) => (/^[a-z0-9_]+$/.test(name) ? name.replaceAll("_", "-") : undefined),
  unheldName: /^[^a-z]/,
  unheldCharacter: /[^a-z0-9-]/,
  mayFold: false,
});
