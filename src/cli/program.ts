/** The program's commands, and the help that teaches them. */

import { Command } from "commander";
import { version } from "../version.ts";
import { addBenchCommand } from "./commands/bench.ts";
import { addCheckCommand } from "./commands/check.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDropCommand } from "./commands/drop.ts";
import { addExportCommand } from "./commands/export.ts";
import { addFlushCommand } from "./commands/flush.ts";
import { addForgetCommand } from "./commands/forget.ts";
import { addGetCommand } from "./commands/get.ts";
import { addHealthCommand } from "./commands/health.ts";
import { addImportCommand } from "./commands/import.ts";
import { addLeaveCommand } from "./commands/leave.ts";
import { addLicensesCommand } from "./commands/licenses.ts";
import { addListCommand } from "./commands/ls.ts";
import { addPutCommand } from "./commands/put.ts";
import { addRemoveCommand } from "./commands/rm.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addTokenCommand } from "./commands/token.ts";
import { processTerminal, type Terminal } from "./process/terminal.ts";

const examples = `
Try it on this machine, nothing to configure:
  weir dev

Run it for real, the same file on every host:
  weir check cluster.json
  weir serve --config cluster.json

Use it:
  echo hello | weir put greeting
  weir get greeting
  weir ls --delimiter /
  weir status --watch

Exit codes: 0 done, 1 failed, 2 used wrongly. "weir COMMAND --help" tells more.`;

const helpHint = (command: string): string => `("${command} --help" shows how it is used)`;

/** The whole command line. Parsing throws CommanderError instead of ending the process. */
export function createProgram(terminal: Terminal = processTerminal): Command {
  const program = new Command("weir")
    .description("A replicated, in-memory write-back buffer in front of an object store.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .showSuggestionAfterError()
    .showHelpAfterError(helpHint("weir"))
    .addHelpText("after", examples)
    .exitOverride();
  addServeCommand(program, terminal);
  addDevCommand(program, terminal);
  addCheckCommand(program, terminal);
  addPutCommand(program, terminal);
  addGetCommand(program, terminal);
  addRemoveCommand(program, terminal);
  addListCommand(program, terminal);
  addImportCommand(program, terminal);
  addExportCommand(program, terminal);
  addBenchCommand(program, terminal);
  addStatusCommand(program, terminal);
  addHealthCommand(program, terminal);
  addFlushCommand(program, terminal);
  addDropCommand(program, terminal);
  addLeaveCommand(program, terminal);
  addForgetCommand(program, terminal);
  addTokenCommand(program, terminal);
  addLicensesCommand(program, terminal);
  for (const command of program.commands) command.showHelpAfterError(helpHint(`weir ${command.name()}`));
  return program;
}
