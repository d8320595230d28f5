/**
 * The log port for commands that run parts of a node. Warnings and errors go to standard error, in a form for people.
 */

import type { Log, LogFields } from "../../base/log.ts";
import { plain } from "../../base/quantity-text.ts";
import type { Terminal } from "./terminal.ts";

export function createTerminalLog(terminal: Terminal): Log {
  const print = (message: string, fields?: LogFields): void => {
    const error = fields?.["error"];
    terminal.stderr.write(`weir: ${message}${error instanceof Error ? `: ${plain(error.message)}` : ""}\n`);
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: print, error: print, child: () => log };
  return log;
}
