/**
 * How tests run weir as a process. One test alone runs the sources. A whole run starts some thousand processes and
 * gives them the bundle that the executable is made of (see scripts/test.ts): it starts in a quarter of the time.
 */

import { join } from "node:path";
import { root } from "./steps.ts";

/** The variable that names the file with the program. */
export const programVariable = "WEIR_TEST_PROGRAM";

export const sourceProgram = join(root, "src", "main.ts");

/** What Node runs, before the arguments of weir. */
export const program = process.env[programVariable] ?? sourceProgram;
