/**
 * `weir forget`: gives up the data that only a lost node had. It works on the view in the store, so it needs no running
 * node. It is for when the other nodes cannot decide by themselves, or may not. It tells what is lost before it does
 * anything.
 */

import { createInterface } from "node:readline";
import type { Command } from "commander";
import { unreachable } from "../../base/assert.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { formatShare } from "../../base/quantity-text.ts";
import { type Config, loadConfig } from "../../config/config.ts";
import type { View } from "../../core/view.ts";
import { systemRandom } from "../../system.ts";
import { ClusterClient } from "../client/client.ts";
import { fetchStatus } from "../client/cluster-status.ts";
import { CommandFailure } from "../client/run.ts";
import { addCredentialOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { createTerminalLog } from "../process/terminal-log.ts";
import { type ForgetRefusal, type Forgetting, forgetting } from "./forgetting.ts";

interface ForgetOptions extends TargetOptions {
  readonly config: string;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Milliseconds for the node to answer, if it runs after all. */
const answerMs = 2_000;

export function addForgetCommand(program: Command, terminal: Terminal): void {
  const command = addCredentialOptions(program.command("forget"));
  command
    .summary("give up a node that is lost with what only it had")
    .description(
      "Takes a node that is lost for good out of the cluster and gives up what only its data folder had: keys that wait for it are served again, as the others and the store have them. " +
        "It changes the view in the store and needs no running node. Not needed for a node that comes back, nor for a single loss, which the others handle by themselves.",
    )
    .argument("<id>", "the node's id")
    .requiredOption("--config <file>", "the cluster's cluster.json")
    .option("--force", "vouch that its process is off and stays off, where too few nodes are left to be sure without")
    .option("--yes", "do not ask for confirmation")
    .option("--json", "print the outcome as JSON")
    .addHelpText("after", "\nExample:\n  weir forget c --config cluster.json")
    .action(async (id: string, options: ForgetOptions) => {
      if (!options.yes && terminal.stdin.isTTY !== true) {
        command.error("error: without a terminal to confirm on, --yes is needed");
      }
      const config = loadConfig(options.config, { env: terminal.env, purpose: "store" });
      await forget(id, config, options, terminal);
    });
}

async function forget(id: string, config: Config, options: ForgetOptions, terminal: Terminal): Promise<void> {
  const { openViewRecord } = await import("../../compose.ts");
  await using opened = await openViewRecord(config, createTerminalLog(terminal));
  for (;;) {
    const stored = await opened.record.read();
    if (stored === undefined)
      throw new OperatingError("config_invalid", `there is no cluster in ${opened.description}`);
    const plan = forgetting(stored.view, id, options.force === true, systemRandom.id());
    if (plan.kind !== "possible") throw new OperatingError("config_invalid", refusalText(id, plan, stored.view));
    if (plan.removes) await refuseIfRunning(id, stored.view, options, terminal);
    if (!options.json) for (const line of lossLines(id, plan)) printLine(terminal, line);
    if (!options.yes && !(await confirm(id, terminal))) {
      terminal.stderr.write("weir: nothing was changed\n");
      throw new CommandFailure("not confirmed");
    }
    // A node that was only paused may have gone on while the operator read.
    if (plan.removes && !options.yes) await refuseIfRunning(id, stored.view, options, terminal);
    // The swap is never aborted: if the outcome is open, the record resolves it, however long the store is away.
    if (await opened.record.insist(stored, plan.next, new AbortController().signal)) {
      tell(id, plan, options, terminal);
      return;
    }
    // The view has changed meanwhile, and perhaps the loss with it. So it is judged and confirmed again.
  }
}

/**
 * A running member is not lost. A node that waits to join may wait for just this: it has its id, but another data
 * folder.
 */
async function refuseIfRunning(id: string, view: View, options: ForgetOptions, terminal: Terminal): Promise<void> {
  const url = view.members.find((member) => member.id === id)?.url ?? "";
  await using client = new ClusterClient({ ...resolveTarget(options, terminal.env), urls: [url] }, answerMs);
  try {
    const { self, epoch } = await fetchStatus(client);
    if (self !== id || epoch === 0) return;
  } catch (error) {
    // A process that refuses to say who it is may well be the node.
    if (isOperatingError(error) && !isOperatingError(error, "unauthorized", "forbidden", "config_invalid")) return;
    throw error;
  }
  throw new OperatingError(
    "config_invalid",
    `${id} runs: it answers at ${url}. To have it hand over what it has and leave: weir leave --url ${url}. ` +
      "To give up an earlier data folder of it: without --force, which is for nodes that are off",
  );
}

function refusalText(id: string, refusal: ForgetRefusal, { epoch, members }: View): string {
  const ids = members.map((member) => member.id).join(", ") || "no nodes";
  switch (refusal.kind) {
    case "unknown":
      return `nothing waits for ${id}: there is nothing of it to give up (view ${epoch} has ${ids})`;
    case "unsettled":
      return (
        `the others have dropped ${id} just now, and are still handing over what they have: look at weir status, and forget it once the view is settled, ` +
        "if keys are in doubt then. If they can't go on, and it is off for good, say so with --force"
      );
    case "member": {
      const { tooFew } = refusal;
      if (tooFew === undefined) {
        return (
          `${id} is a node of view ${epoch} (${ids}). If it is lost, the others drop it by themselves, as long as at least half of these nodes run; nothing of what it had is lost then. ` +
          `If it runs, "weir leave" has it leave. If it is off for good, and the others cannot drop it since more than half are lost, say so with --force`
        );
      }
      return (
        `without ${id}, ${tooFew.kept.length} of the ${tooFew.members.length} nodes of view ${tooFew.epoch} (${tooFew.members.join(", ")}) would be left. ` +
        "With fewer than half of them it can't be known that the others do not go on somewhere, cut off from here, and give other answers. " +
        `Start some of them again: with their data folders nothing is lost. If the process of ${id} that was in that view is off for good, say so with --force`
      );
    }
    default:
      return unreachable(refusal);
  }
}

function lossLines(id: string, { removes, lost, inDoubt, awaited }: Forgetting): string[] {
  const lines = [
    removes ? `${id} is taken out of the cluster.` : `What only ${id} had on a data folder that is gone is given up.`,
  ];
  if (lost > 0) {
    lines.push(
      `For about ${formatShare(lost)} of the keys nobody else has what was not in the store yet: THAT IS LOST. They are served again as the store has them.`,
    );
  } else if (inDoubt === 0) {
    lines.push("Nothing is lost: whatever it had, another node or the store has, too.");
  }
  if (inDoubt > 0) {
    const nodes = awaited.length === 1 ? `${awaited[0]} is` : `one of ${awaited.join(", ")} is`;
    lines.push(
      `About ${formatShare(inDoubt)} of the keys stay in doubt, and are not served, until ${nodes} back with its data folder, or given up, too.`,
    );
  }
  return lines;
}

async function confirm(id: string, terminal: Terminal): Promise<boolean> {
  const questions = createInterface({ input: terminal.stdin, output: terminal.stderr });
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  questions.once("line", resolve);
  // The end of the input, or Ctrl-C, also answers: no.
  questions.once("close", () => resolve(""));
  questions.setPrompt(`Type ${id} to go on: `);
  questions.prompt();
  const isConfirmed = (await answer).trim() === id;
  questions.close();
  return isConfirmed;
}

function tell(id: string, plan: Forgetting, options: ForgetOptions, terminal: Terminal): void {
  const { lost, inDoubt, awaited, next } = plan;
  if (options.json) printJson(terminal, { forgotten: id, epoch: next.epoch, lost, inDoubt, awaited });
  else printLine(terminal, `${id} is forgotten. The nodes that run go on by view ${next.epoch} within seconds.`);
}
