/** What the documents owe to the code: each error code and each setting is explained, and as the code has it. */

import { errorKinds } from "../../../src/base/errors.ts";
import { listSettings, settingsTable } from "../../../src/config/settings.ts";

/** Where {@link settingsPage} is kept. */
export const settingsPagePath = "docs/configuration.md";

/** The page of all settings, drawn from the schema. */
export function settingsPage(): string {
  return `# Settings

This page says how a node finds its configuration, which changes count while it runs, and what each setting means.

## The file

\`cluster.json\` is the same file on every host. [cluster.example.json](../cluster.example.json) shows the usual settings. An
unknown setting is an error. \`weir check cluster.json\` finds every mistake in a file at once.

**Its own entry.** A node finds its entry in \`nodes\` by \`--node\`, by \`WEIR_NODE\`, or by the one url that names an address of its host.

**Secrets** are named, never written into the file: \`"env:NAME"\` is an environment variable, \`"file:PATH"\` a file.

**Access.** Without \`auth\` a node serves programs of its own host only; see [Security](security.md). Nodes prove the cluster's secret to each other in any case.

**Sizes.** [Operations](operations.md#sizing) tells how to choose them.

## Changes while nodes run

The nodes watch \`cluster.json\`.

- A node that is added is reached at once. A node that is removed is asked to leave.
- \`auth\`, \`secret\`, \`log.level\` and the content of the files of \`tls\` count at once.
- Everything else takes effect at the next start. The log says which settings that is.
- A file with mistakes, or of another cluster, is logged and ignored.
- \`SIGHUP\` makes a node read the file at once. It also reads the files of secrets, which are not watched.

## The settings to know first

\`cluster\`, \`secret\`, \`store\`, \`nodes\`, \`auth\`, \`replicas\`, \`journal\`, \`data\`, \`buffer.dirtyBytes\`, \`buffer.cacheBytes\`, \`buffer.maxValueBytes\`,
\`large.maxValueBytes\`, \`flush.delayMs\`, \`flush.stopMs\` and \`log.level\`. The others have defaults that fit most clusters.

## Every setting

This table comes from the schema that checks the file (\`npm run settings\` writes this page). Times are in milliseconds, sizes in bytes.

${settingsTable()}

Next: [security](security.md).
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
