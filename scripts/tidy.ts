/**
 * The house rules as a program, so that no reviewer has to remember them: prints each violation, and exits with 1 if
 * there is any.
 */

import { projectViolations } from "../test/harness/tidy/project.ts";

const violations = projectViolations();
for (const violation of violations) process.stdout.write(`${violation}\n`);
if (violations.length > 0) process.exitCode = 1;
