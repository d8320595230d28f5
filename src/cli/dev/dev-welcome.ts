/** What `weir dev` prints once its nodes serve: their addresses, and commands to try. */

import { join, relative } from "node:path";
import { printLine, type Terminal } from "../process/terminal.ts";
import { type DevNode, devBucket } from "./dev-settings.ts";

export interface DevWelcome {
  readonly nodes: readonly DevNode[];
  /** Undefined if the store is a folder in {@link folder}. */
  readonly storeUrl: string | undefined;
  readonly folder: string;
  /** The process id of a node. */
  readonly pidOf: (id: string) => number | undefined;
}

/** The text as one word of a POSIX shell. */
function shellWord(text: string): string {
  const isPlain = /^[\w./:@%+,=][\w./:@%+,=-]*$/.test(text);
  return isPlain ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function printWelcome({ nodes, storeUrl, folder, pidOf }: DevWelcome, terminal: Terminal): void {
  const [first, second = first] = nodes.map(({ port }) => `http://127.0.0.1:${port}`);
  const shownFolder = relative(process.cwd(), folder) || ".";
  const head = nodes.length === 1 ? "A node is" : `${nodes.length} nodes are`;
  const look =
    storeUrl === undefined ? `cat ${shellWord(join(shownFolder, "store", "greeting"))}` : `curl ${first}/cluster`;
  const { id: victim } = nodes.at(-1) as DevNode;
  const outlook = nodes.length === 1 ? "it comes back" : "the others go on, and it comes back";
  const lines = [
    `${head} up, over ${storeUrl ?? join(shownFolder, "store")}:`,
    ...nodes.map(({ id, port }) => `  ${id}  http://127.0.0.1:${port}`),
    "",
    "Try, in another terminal:",
    `  echo hello | curl -T - ${first}/kv/greeting`,
    `  curl ${second}/kv/greeting`,
    `  ${look}`,
    `  aws --endpoint-url ${first} s3 ls s3://${devBucket}/   # any S3 client, with any access key`,
    `  open ${first} in a browser: the dashboard`,
    `  kill -9 ${pidOf(victim)}   # node ${victim}; ${outlook}`,
    "",
    "Ctrl-C stops all.",
  ];
  for (const line of lines) printLine(terminal, line);
}
