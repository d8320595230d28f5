/**
 * What the documents owe to the code and to their readers: codes and settings as the code has them, figures of one
 * source, sentences that are short.
 */

import { type ErrorCode, errorKinds } from "../../../src/base/errors.ts";
import { listSettings, settingsTable } from "../../../src/config/settings.ts";
import { type ProseLimits, proseViolations } from "./prose.ts";

/** Lines of the README, at most: who wants more goes to a page of docs. */
const maxReadmeLines = 150;

/** Codes that no HTTP answer carries: the table says in place of a status where they show. */
const otherwiseShown: readonly ErrorCode[] = ["disk_failed", "config_invalid"];

/** How long sentences may be, by the beginning of a document's path; the first that fits counts. */
const proseLimits: readonly (readonly [path: string, limits: ProseLimits])[] = [
  ["README.md", { longest: 25, mean: 12 }],
  ["ARCHITECTURE.md", { longest: 30, mean: 15 }],
  ["CONTRIBUTING.md", { longest: 25, mean: 15 }],
  // Its cells come from the schema.
  ["docs/configuration.md", { longest: 35, mean: 15 }],
  ["docs/internals/", { longest: 30, mean: 15 }],
  ["docs/", { longest: 25, mean: 15 }],
];

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

**Access.** Without \`auth\` a node serves programs of its own host only, and every url must be of that host; see [Security](security.md). Nodes prove the cluster's secret to each other in any case.

**Sizes.** [Operations](operations.md#sizing) tells how to choose them.

## Changes while nodes run

The nodes watch \`cluster.json\`.

- A node that is added is reached at once. A node that is removed is asked to leave. It leaves when its own file does not name it, or when the files of
  more than half of the nodes in the cluster do not. So one wrong file ends no other node.
- \`auth\`, \`http.hosts\`, \`s3.buckets\`, \`s3.createBuckets\`, \`s3.domain\`, \`secret\`, \`log.level\` and the content of the files of \`tls\` count at once.
- Everything else takes effect at the next start. The log says which settings that is.
- A file with mistakes is logged and ignored. It is tried again every 5 s, since the file of a secret may come later. The file of another cluster is ignored, too.
- A new \`auth\` may be safe only with other settings of the same file (\`listen\`, \`nodes[].url\`, \`http.cors\`). It waits for the restart that these need, and the log says so.
- \`SIGHUP\` makes a node read the file at once. It also reads the files of secrets, which are not watched. Those of \`store\` are read at the start only.
- What a node sees of a changed file depends on [what runs it](operations.md#tokens-secrets-and-certificates): systemd, Docker and Kubernetes keep copies of some.

## The settings to know first

\`cluster\`, \`secret\`, \`store\`, \`nodes\`, \`auth\`, \`replicas\`, \`journal\`, \`data\`, \`buffer.dirtyBytes\`, \`buffer.cacheBytes\`, \`buffer.maxValueBytes\`,
\`large.maxValueBytes\`, \`flush.delayMs\`, \`flush.stopMs\` and \`log.level\`. The others have defaults that fit most clusters.

## Every setting

This table comes from the schema that checks the file (\`npm run settings\` writes this page). Times are in milliseconds, sizes in bytes.
86,400,000 ms are a day. Where "allowed" is empty, the meaning says what may be written. A list may have 64 \`nodes\`, 1,000 \`auth.tokens\`,
1,000 \`auth.s3Keys\` and 1,000 \`s3.buckets\`.

${settingsTable()}

## Settings that bound each other

\`weir check\` names each bound that does not hold.

- \`peers.suspectMs\`: 3 times \`peers.pingMs\` or more
- \`peers.leaseMs\`: \`peers.suspectMs\` or more, and 3 times \`peers.pingMs\` or more
- \`peers.silenceMs\`: \`peers.pingMs\` or more
- \`request.deadlineMs\`: more than \`peers.suspectMs\`, \`peers.leaseMs\` and 2,000 ms together
- \`flush.lateEffectMs\`: \`flush.deadlineMs\` or more
- \`flush.retryMaxMs\`: \`flush.retryMinMs\` or more
- \`peers.redialMaxMs\`: \`peers.redialMinMs\` or more
- \`buffer.dirtyBytes\`: 4 times \`buffer.maxValueBytes\` or more
- \`buffer.dirtyBytes\` and \`buffer.cacheBytes\` together: 80 % of the memory limit or less
- \`buffer.refusedBytes\`: \`buffer.dirtyBytes\` or less
- \`buffer.maxDirtyAgeMs\`, unless it is 0: \`flush.delayMs\` and \`flush.deadlineMs\` together, or more
- \`http.inFlightBytes\`: \`buffer.maxValueBytes\` or more
- \`large.inFlightBytes\`: \`large.partBytes\` or more
- \`large.maxValueBytes\`: 10,000 times \`large.inFlightBytes\` or less

The process also needs enough open files (\`ulimit -n\`, \`LimitNOFILE\` of systemd). A node with far too few does not start, and says how many it needs.

Next: [security](security.md).
`;
}

/** Judges the README, whose figures are those of `benchmarks`. */
export function readmeViolations(readme: string, benchmarks: string): string[] {
  const found: string[] = [];
  const lines = readme.replace(/\n$/, "").split("\n").length;
  if (lines > maxReadmeLines) found.push(`README.md: has ${lines} lines, at most ${maxReadmeLines}`);
  const rows = speedRows(readme);
  if (rows.length === 0) found.push("README.md: has no table of what is measured");
  const sources = rowsOf(benchmarks);
  for (const [what, ...figures] of rows) {
    const source = sources.find((cells) => cells[0] === what);
    const differing = figures.flatMap((cell, index) => {
      const known = numbersIn(source?.[index + 1] ?? "");
      return numbersIn(cell).filter((number) => !known.includes(number));
    });
    if (source === undefined) found.push(`README.md: "${what}" is not in docs/benchmarks.md`);
    else for (const figure of differing) found.push(`README.md: docs/benchmarks.md has another figure than ${figure}`);
  }
  return found;
}

/**
 * Judges the page of error codes: each has its row, with the status and the advice of the code, and means something to
 * operators.
 */
export function errorsPageViolations(page: string): string[] {
  const found: string[] = [];
  const [forClients = "", forOperators = ""] = page.split(/^## For operators$/m);
  const rows = rowsOf(forClients).filter(([code]) => code?.startsWith("`"));
  const codes = Object.keys(errorKinds) as ErrorCode[];
  for (const code of codes) {
    const { status, advice } = errorKinds[code];
    const [row, ...further] = rows.filter(([name]) => name === `\`${code}\``);
    if (row === undefined || further.length > 0) found.push(`docs/errors.md: needs one row for the code ${code}`);
    else if (row[2] !== advice) found.push(`docs/errors.md: advises otherwise on ${code} than the code: "${advice}"`);
    else if (!otherwiseShown.includes(code) && row[1] !== String(status)) {
      found.push(`docs/errors.md: ${code} has the status ${status}`);
    }
    if (!forOperators.includes(`\`${code}\``)) found.push(`docs/errors.md: does not tell operators about ${code}`);
  }
  const unknown = rows
    .map(([name = ""]) => name.replaceAll("`", ""))
    .filter((name) => !Object.hasOwn(errorKinds, name));
  return [...found, ...unknown.map((name) => `docs/errors.md: there is no code ${name}`)];
}

/** Judges any document: a row of a setting is that of the page of settings, and sentences are short. */
export function documentViolations(path: string, text: string): string[] {
  const found: string[] = [];
  const rows = new Set(settingsTable().split("\n"));
  for (const { path: setting } of listSettings()) {
    for (const line of text.split("\n")) {
      if (line.startsWith(`| \`${setting}\` |`) && !rows.has(line)) {
        found.push(`${path}: has another row for ${setting} than ${settingsPagePath}: copy that`);
      }
    }
  }
  const limits = proseLimits.find(([beginning]) => path.startsWith(beginning))?.[1];
  return limits === undefined ? found : [...found, ...proseViolations(path, text, limits)];
}

/** The cells of every row of every table. */
function rowsOf(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.slice(1, line.lastIndexOf("|")).split("|"))
    .map((cells) => cells.map((cell) => cell.trim()));
}

function speedRows(readme: string): string[][] {
  const [, section = ""] = readme.split(/^## Speed$/m);
  const [table = ""] = section.split(/^## /m);
  return rowsOf(table).filter(([what]) => what !== "what" && what !== "---");
}

/** As they are written: 67,500 or 1.2. */
function numbersIn(cell: string): string[] {
  return cell.match(/\d(?:[\d.,]*\d)?/g) ?? [];
}

/** Judges the page of settings, undefined if there is none. */
export function settingsPageViolations(page: string | undefined): string[] {
  return page === settingsPage() ? [] : [`${settingsPagePath}: is not what the schema says: run "npm run settings"`];
}
