/** The program's commands, and the help that teaches them. */

import { Command } from "commander";
import { version } from "../version.ts";
import { addBenchCommand } from "./bench.ts";
import { addCheckCommand } from "./check.ts";
import { addDevCommand } from "./dev.ts";
import { addDropCommand } from "./drop.ts";
import { addExportCommand } from "./export.ts";
import { addFlushCommand } from "./flush.ts";
import { addForgetCommand } from "./forget.ts";
import { addGetCommand } from "./get.ts";
import { addHealthCommand } from "./health.ts";
import { addImportCommand } from "./import.ts";
import { addLeaveCommand } from "./leave.ts";
import { addListCommand } from "./ls.ts";
import { addPutCommand } from "./put.ts";
import { addRemoveCommand } from "./rm.ts";
import { addServeCommand } from "./serve.ts";
import { addStatusCommand } from "./status.ts";
import { processTerminal, type Terminal } from "./terminal.ts";
import { addTokenCommand } from "./token.ts";

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
  for (const command of program.commands) command.showHelpAfterError(helpHint(`weir ${command.name()}`));
  return program;
}
