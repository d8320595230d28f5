/** What the documents owe to the code: each error code and each setting is explained. */

import { errorKinds } from "../../src/base/errors.ts";
import { settingsTable } from "../../src/config/settings.ts";

/** Judges the README's text. */
export function readmeViolations(readme: string): string[] {
  const found: string[] = [];
  for (const code of Object.keys(errorKinds)) {
    if (!readme.includes(`\`${code}\``)) found.push(`README.md: does not explain the error code ${code}`);
  }
  for (const row of settingsTable().split("\n")) {
    if (!readme.includes(row)) found.push(`README.md: lacks this row of "npm run settings": ${row}`);
  }
  return found;
}
