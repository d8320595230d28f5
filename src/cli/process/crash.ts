/**
 * What happens on an unexpected error: it is logged and the process ends. A node in an unforeseen state must not go on
 * answering. The other nodes go on without it.
 */

import type { Log } from "../../base/log.ts";

const crashed = 1;

/** From now on, an uncaught error or a rejection without a handler ends the process with exit code 1. */
export function exitOnUncaught(log: Log): void {
  process.on("uncaughtException", (error, origin) => {
    try {
      log.error("stopping: an unexpected error", { error, origin, stack: error.stack });
    } finally {
      process.exit(crashed);
    }
  });
}
