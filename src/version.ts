/**
 * The version of this program, from package.json. It is read when weir runs from source. The build embeds it, along
 * with the commit. The commit follows the version as Semantic Versioning's build metadata.
 */

import packageJson from "../package.json" with { type: "json" };

/** The build puts it in. It is empty when the build could not tell the commit. */
declare const WEIR_COMMIT: string | undefined;

const commit = typeof WEIR_COMMIT === "undefined" ? "" : WEIR_COMMIT;

export const version: string = commit === "" ? packageJson.version : `${packageJson.version}+${commit}`;
