/** The program: argv to a command, an outcome to an exit code. */

import { createProgram } from "./cli/program.ts";
import { runProgram } from "./cli/run.ts";

void runProgram(createProgram(), process.argv).then((code) => {
  process.exitCode = code;
});
