/**
 * What happens on an error that nobody expected: it is logged and the process ends. A node whose state nobody has thought about
 * must not go on answering; the others go on without it.
 */

import type { Log } from "../../base/log.ts";

const crashed = 1;

/** From now on an uncaught error or a rejection without a handler ends the process with exit code 1. */
export function exitOnUncaught(log: Log): void {
  process.on("uncaughtException", (error, origin) => {
    try {
      log.error("stopping: an unexpected error", { error, origin, stack: error.stack });
    } finally {
      process.exit(crashed);
    }
  });
}
