/**
 * `weir drop`: discards the version of a key that the store refuses. Without `--force` the command only shows that
 * version. With it, the command discards the very version that the user has seen.
 */

import { type Command, InvalidArgumentError } from "commander";
import { formatBytes, formatDuration, plain, quote } from "../../base/quantity-text.ts";
import type { FailingKey } from "../../core/status.ts";
import { ClusterClient, encodeKey, foreignAnswer, parseJson, readText } from "../client/client.ts";
import { failingSchema } from "../client/cluster-status.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface DropOptions extends TargetOptions {
  /** The version to discard. */
  readonly force?: string;
  readonly json?: boolean;
}

export function addDropCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("drop"))
    .summary("give up what the store refuses of a key")
    .description(
      "Shows what the store refuses of KEY, and why, and what giving it up means. With --force and the version that was shown it is given up: the key is as the store has it, an earlier value or none. " +
        "What the store has not refused is never given up, nor what was written since.",
    )
    .argument("<key>", "the key, as it was stored")
    .option("--force <version>", "give up this version, which is lost then", versionText)
    .option("--json", "print the outcome as JSON")
    .addHelpText("after", "\nExamples:\n  weir drop photos/cat.png\n  weir drop photos/cat.png --force 3.17")
    .action(async (key: string, options: DropOptions) => {
      await using client = new ClusterClient(resolveTarget(options, terminal.env));
      const path = `/cluster/refused/${encodeKey(key)}`;
      if (options.force === undefined) await show(client, path, options, terminal);
      else await drop(client, path, options.force, key, options, terminal);
    });
}

async function show(client: ClusterClient, path: string, options: DropOptions, terminal: Terminal): Promise<void> {
  const answer = await client.request({ method: "GET", path });
  const parsed = failingSchema.safeParse(parseJson(await readText(answer.body)));
  if (!parsed.success) throw foreignAnswer(answer);
  const refused = parsed.data as FailingKey;
  const version = `${refused.version.epoch}.${refused.version.seq}`;
  if (options.json) printJson(terminal, { ...refused, version });
  else for (const line of refusalLines(refused, version)) printLine(terminal, line);
}

function refusalLines({ key, isDelete, size, ageMs, reason }: FailingKey, version: string): string[] {
  const what = isDelete ? "the removal" : `the value, ${formatBytes(size)},`;
  const loss = isDelete
    ? "The removal is undone: the key is there again, with the value that the store has."
    : "THAT VALUE IS LOST: the key has the value that the store has, or none.";
  return [
    `${quote(key)}: for ${formatDuration(ageMs)} the store has lacked ${what} of version ${version}, and refuses it:`,
    `  ${plain(reason)}`,
    "Once the store takes it, nothing has to be done. Where it never will, it can be given up.",
    loss,
    `To give it up, add: --force ${version}`,
  ];
}

async function drop(
  client: ClusterClient,
  path: string,
  version: string,
  key: string,
  options: DropOptions,
  terminal: Terminal,
): Promise<void> {
  const answer = await client.request({ method: "DELETE", path, headers: { "if-match": `"${version}"` } });
  await readText(answer.body);
  if (options.json) printJson(terminal, { key, dropped: version, version: answer.headers["weir-version"] });
  else printLine(terminal, `version ${version} of ${quote(key)} is given up; the key is as the store has it`);
}

function versionText(text: string): string {
  if (/^[1-9]\d{0,14}\.[1-9]\d{0,14}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a version, such as 3.17: the one that weir drop KEY shows.");
}
