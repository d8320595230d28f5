/** `weir ls`: the keys, as they come. */

import type { Command } from "commander";
import { formatBytes, isPlain, plainJson, quote } from "../../base/quantity-text.ts";
import { compareText } from "../../base/text-order.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { BulkClient } from "../client/bulk-client.ts";
import { type ListedPage, type PageKey, pages } from "../client/listing.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { writeOut } from "../process/output.ts";
import type { Terminal } from "../process/terminal.ts";

interface ListOptions extends TargetOptions {
  readonly delimiter?: string;
  readonly long?: boolean;
  readonly json?: boolean;
}

export function addListCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("ls"))
    .summary("list keys")
    .description("Lists the keys that begin with PREFIX, or all, one on each line, in the order of their UTF-8.")
    .argument("[prefix]", "what the keys begin with", "")
    .option("--delimiter <text>", "roll keys up that have it after the prefix; / shows them like folders")
    .option("-l, --long", "show size, time and ETag, too")
    .option("--json", "print a JSON object on each line: a key's, or a common prefix's")
    .addHelpText(
      "after",
      "\nExamples:\n  weir ls\n  weir ls photos/ --delimiter / --long\n  weir ls --json | jq -r .key",
    )
    .action(async (prefix: string, options: ListOptions) => {
      await list(prefix, options, terminal);
    });
}

async function list(prefix: string, options: ListOptions, terminal: Terminal): Promise<void> {
  const target = resolveTarget(options, terminal.env);
  await using cluster = new BulkClient(target, { clock: systemClock, random: systemRandom });
  const line = options.json
    ? (entry: PageEntry) => plainJson(JSON.stringify(entry))
    : options.long
      ? longLine
      : shortLine;
  const all = pages(cluster, { prefix, delimiter: options.delimiter ?? "" });
  await writeOut(linesOf(all, line), terminal);
}

async function* linesOf(all: AsyncIterable<ListedPage>, line: (entry: PageEntry) => string): AsyncGenerator<string> {
  for await (const page of all) {
    yield entriesOf(page)
      .map((entry) => `${line(entry)}\n`)
      .join("");
  }
}

type PageEntry = PageKey | { readonly prefix: string };

function entriesOf({ keys, prefixes }: ListedPage): PageEntry[] {
  const entries: PageEntry[] = [...keys, ...prefixes.map((prefix) => ({ prefix }))];
  return entries.sort((a, b) => compareText(nameOf(a), nameOf(b)));
}

function nameOf(entry: PageEntry): string {
  return "key" in entry ? entry.key : entry.prefix;
}

function longLine(entry: PageEntry): string {
  if (!("key" in entry)) return `${"".padStart(8)}  ${"".padEnd(24)}  ${"".padEnd(32)}  ${shortLine(entry)}`;
  const { size, lastModified, etag } = entry;
  return `${formatBytes(size).padStart(8)}  ${lastModified}  ${etag.padEnd(32)}  ${shortLine(entry)}`;
}

/** A key with a line break, or with anything else that a terminal would act on, is shown as in JSON. */
function shortLine(entry: PageEntry): string {
  const name = nameOf(entry);
  return isPlain(name) ? name : quote(name);
}
