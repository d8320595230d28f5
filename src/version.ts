/** The version of this program, from package.json: read when run from source, embedded by the build. */

import packageJson from "../package.json" with { type: "json" };

export const version: string = packageJson.version;
