/** `weir rm`: removes a key. */

import type { Command } from "commander";
import { ClusterClient, keyPath, readText } from "../client/client.ts";
import { resolveTarget } from "../client/target.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { addWriteOptions, type WriteOptions, writeHeaders } from "./write-options.ts";

export function addRemoveCommand(program: Command, terminal: Terminal): void {
  addWriteOptions(program.command("rm"))
    .summary("remove a value")
    .description("Removes the value under KEY. It is no error if there is none.")
    .argument("<key>", "the key, as it was stored")
    .addHelpText(
      "after",
      "\nExamples:\n  weir rm greeting\n  weir rm greeting --if-match b1946ac92492d2347c6235b4d2611184 --durability stored",
    )
    .action(async (key: string, options: WriteOptions) => {
      await using client = new ClusterClient(resolveTarget(options, terminal.env));
      const answer = await client.request({ method: "DELETE", path: keyPath(key), headers: writeHeaders(options) });
      await readText(answer.body);
      const { "weir-version": version, "weir-durability": durability } = answer.headers;
      if (options.json) printJson(terminal, { key, version, durability });
      else printLine(terminal, `${key} removed`);
    });
}
