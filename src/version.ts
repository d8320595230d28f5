/**
 * The version of this program, from package.json: read when run from source, embedded by the build along with the commit, which follows the version as
 * Semantic Versioning's build metadata.
 */

import packageJson from "../package.json" with { type: "json" };

/** Put in by the build; empty when it could not be told. */
declare const WEIR_COMMIT: string | undefined;

const commit = typeof WEIR_COMMIT === "undefined" ? "" : WEIR_COMMIT;

export const version: string = commit === "" ? packageJson.version : `${packageJson.version}+${commit}`;
