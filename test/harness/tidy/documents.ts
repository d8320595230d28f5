/** What the documents owe to the code: each error code and each setting is explained, and as the code has it. */

import { errorKinds } from "../../../src/base/errors.ts";
import { listSettings, settingsTable } from "../../../src/config/settings.ts";

/** Where {@link settingsPage} is kept. */
export const settingsPagePath = "docs/configuration.md";

/** The page of all settings, drawn from the schema. */
export function settingsPage(): string {
  return `# Settings

Every setting of \`cluster.json\`, from the schema that checks it (\`npm run settings\` writes this page). Times are in milliseconds, sizes in bytes. \`weir check cluster.json\` finds every
mistake in a file at once. [README](../README.md#configure) tells how a node finds its file and itself, [operations](operations.md) how to choose the sizes.

A secret is named, never written into the file: \`"env:NAME"\` is an environment variable, \`"file:PATH"\` a file.

${settingsTable()}
`;
}

/** Judges the README's text. */
export function readmeViolations(readme: string): string[] {
  const found: string[] = [];
  for (const code of Object.keys(errorKinds)) {
    if (!readme.includes(`\`${code}\``)) found.push(`README.md: does not explain the error code ${code}`);
  }
  const rows = new Set(settingsTable().split("\n"));
  for (const { path } of listSettings()) {
    for (const line of readme.split("\n")) {
      if (line.startsWith(`| \`${path}\` |`) && !rows.has(line)) {
        found.push(`README.md: has another row for ${path} than ${settingsPagePath}: copy that`);
      }
    }
  }
  return found;
}

/** Judges the page of settings, undefined if there is none. */
export function settingsPageViolations(page: string | undefined): string[] {
  return page === settingsPage() ? [] : [`${settingsPagePath}: is not what the schema says: run "npm run settings"`];
}
