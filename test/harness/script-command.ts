/**
 * The command line of what `npm run` starts, for those who work on weir: `--help` says what it takes, and what it does
 * not take gets one line and exit code 2.
 */

import { Command } from "commander";

/** @param name - as in package.json */
export function scriptCommand(name: string, summary: string): Command {
  return new Command(`npm run ${name} --`)
    .description(summary)
    .helpOption("-h, --help", "print this")
    .showSuggestionAfterError(false)
    .allowExcessArguments(false)
    .configureHelp({ helpWidth: 110 })
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** Ends the process: the command cannot be obeyed. */
export function usage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
