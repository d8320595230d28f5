/**
 * `weir drop`: discards the version of a key that the store refuses. Without `--force` the command only shows that
 * version. With it, the command discards the very version that the user has seen. With `--prefix` it does so for all
 * such keys: each in the very version that the node has told of.
 */

import { type Command, InvalidArgumentError } from "commander";
import { isOperatingError, UsageError } from "../../base/errors.ts";
import { formatBytes, formatDuration, plain, quote } from "../../base/quantity-text.ts";
import type { FailingKey } from "../../core/status.ts";
import { failingText } from "../../core/troubles.ts";
import { ClusterClient, encodeKey, foreignAnswer, parseJson, readText } from "../client/client.ts";
import { failingSchema } from "../client/cluster-status.ts";
import { refusedUnder, withVersion } from "../client/refused-keys.ts";
import { CommandFailure } from "../client/run.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { StageProgress } from "../process/stage-progress.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface DropOptions extends TargetOptions {
  /** All keys that begin with this. */
  readonly prefix?: string;
  /** Discard them. */
  readonly yes?: boolean;
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
    .argument("[key]", "the key, as it was stored")
    .option("--force <version>", "give up this version, which is lost then", versionText)
    .option("--prefix <prefix>", "all keys that begin with this, in place of KEY")
    .option("--yes", "with --prefix: give up all that is refused of them, which is lost then")
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  weir drop photos/cat.png\n  weir drop photos/cat.png --force 3.17\n  weir drop --prefix photos/ --yes",
    )
    .action(async (key: string | undefined, options: DropOptions) => {
      const { prefix } = options;
      if ((key === undefined) === (prefix === undefined)) throw new UsageError("name one key, or say --prefix");
      if (options.force !== undefined && prefix !== undefined)
        throw new UsageError("--force is for one key; with --prefix, say --yes");
      if (options.yes && prefix === undefined)
        throw new UsageError("--yes is for --prefix; for one key, say --force VERSION");
      await using client = new ClusterClient(resolveTarget(options, terminal.env));
      if (prefix !== undefined) {
        if (options.yes) await dropUnder(client, prefix, options, terminal);
        else await showUnder(client, prefix, options, terminal);
        return;
      }
      if (key === undefined) return;
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
  if (options.json) printJson(terminal, withVersion(refused));
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

/** Keys that are named without `--json`. */
const shownKeys = 10;
/** Keys that are given up at a time. */
const dropsAtOnce = 16;

async function showUnder(
  client: ClusterClient,
  prefix: string,
  options: DropOptions,
  terminal: Terminal,
): Promise<void> {
  const refused = await refusedUnder(client, prefix);
  if (options.json) {
    printJson(terminal, { ...refused, keys: refused.keys.map(withVersion) });
    return;
  }
  const { keys, more } = refused;
  if (keys.length === 0) {
    printLine(terminal, `the store refuses no key that begins with ${quote(prefix)}`);
    return;
  }
  const count = `${more ? "over " : ""}${keys.length}`;
  printLine(
    terminal,
    `The store refuses ${count} ${keys.length === 1 ? "key" : "keys"} that begin with ${quote(prefix)}:`,
  );
  for (const key of keys.slice(0, shownKeys)) printLine(terminal, `  ${failingText(key)}`);
  if (more || keys.length > shownKeys) printLine(terminal, "  ...");
  printLine(terminal, "Once the store takes them, nothing has to be done. Where it never will, they can be given up.");
  printLine(terminal, "THEIR VALUES ARE LOST THEN: each key has the value that the store has, or none.");
  printLine(terminal, "To give all of them up, add: --yes");
}

async function dropUnder(
  client: ClusterClient,
  prefix: string,
  options: DropOptions,
  terminal: Terminal,
): Promise<void> {
  using progress = new StageProgress(terminal);
  let dropped = 0;
  const left = new Map<string, string>();
  for (;;) {
    const { keys } = await refusedUnder(client, prefix);
    const next = keys.filter(({ key }) => !left.has(key));
    if (next.length === 0) {
      // The others have been stored, or changed, meanwhile.
      const refused = new Set(keys.map(({ key }) => key));
      for (const key of left.keys()) if (!refused.has(key)) left.delete(key);
      break;
    }
    const work = next.values();
    const drops = Array.from({ length: dropsAtOnce }, async () => {
      for (const { key, version } of work) {
        const problem = await tryDrop(client, key, `${version.epoch}.${version.seq}`);
        if (problem === undefined) dropped++;
        else left.set(key, problem);
        progress.show("giving up", `${dropped} keys`);
      }
    });
    await Promise.all(drops);
  }
  if (options.json) printJson(terminal, { prefix, dropped, left: Object.fromEntries(left) });
  else {
    printLine(terminal, `${dropped} ${dropped === 1 ? "key" : "keys"} given up`);
    for (const [key, problem] of left)
      terminal.stderr.write(`weir: ${quote(key)} is not given up: ${plain(problem)}\n`);
  }
  if (left.size > 0) throw new CommandFailure("not all are given up");
}

/** Why it was not given up; undefined if it was. */
async function tryDrop(client: ClusterClient, key: string, version: string): Promise<string | undefined> {
  try {
    const path = `/cluster/refused/${encodeKey(key)}`;
    const answer = await client.request({ method: "DELETE", path, headers: { "if-match": `"${version}"` } });
    await readText(answer.body);
    return undefined;
  } catch (error) {
    if (!isOperatingError(error, "precondition_failed", "not_ready", "not_refused")) throw error;
    return error.message;
  }
}

function versionText(text: string): string {
  if (/^[1-9]\d{0,14}\.[1-9]\d{0,14}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a version, such as 3.17: the one that weir drop KEY shows.");
}
