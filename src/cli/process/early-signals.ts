/**
 * Ends the process on a signal that comes before anything has been begun. The kernel does that by itself, but for
 * process 1 of a container: it ignores signals without a handler. `main.ts` imports this before everything else, since
 * to load the program takes most of a start. {@link StopRequest} takes the signals over.
 */

import { isatty } from "node:tty";

/** The descriptor of the standard output. */
const outputFd = 1;

// The runtime would open a debugger, where it was started without --disable-sigusr1.
process.on("SIGUSR1", () => undefined);

// To a node it means that the file is to be read again, and it has not been read yet. Supervisors take a process that
// SIGHUP ended for one that was stopped, and do not start it again.
if (process.argv[2] === "serve" && !isatty(outputFd)) process.on("SIGHUP", () => undefined);

const signals = ["SIGINT", "SIGTERM"] as const;

/** What shells show for a process that SIGINT or SIGTERM ended: 128 and the signal's number. */
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

const onEarlySignal = (signal: NodeJS.Signals): void => process.exit(codes[signal as keyof typeof codes]);

if (process.pid === 1) for (const signal of signals) process.on(signal, onEarlySignal);

/** From now on another handler decides. */
export function endEarlySignals(): void {
  for (const signal of signals) process.off(signal, onEarlySignal);
}
