/** `weir rm`: removes a key. */

import type { Command } from "commander";
import { ClusterClient, keyPath, readText } from "./client.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "./target.ts";
import { printJson, printLine, type Terminal } from "./terminal.ts";

interface RemoveOptions extends TargetOptions {
  readonly json?: boolean;
}

export function addRemoveCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("rm"))
    .summary("remove a value")
    .description("Removes the value under KEY. It is no error if there is none.")
    .argument("<key>", "the key, as it was stored")
    .option("--json", "print the outcome as JSON")
    .addHelpText("after", "\nExample:\n  weir rm greeting")
    .action(async (key: string, options: RemoveOptions) => {
      await using client = new ClusterClient(resolveTarget(options, terminal.env));
      const answer = await client.request({ method: "DELETE", path: keyPath(key) });
      await readText(answer.body);
      if (options.json) printJson(terminal, { key, version: answer.headers["weir-version"] });
      else printLine(terminal, `${key} removed`);
    });
}
