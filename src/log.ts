/**
 * The log port over pino: JSON lines for machines, readable lines on a terminal. It writes synchronously and without
 * pino's worker threads. So what was logged before a crash is there after it. And the single executable has no files
 * for workers.
 */

import { writeSync } from "node:fs";
import { type DestinationStream, type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { Clock } from "./base/clock.ts";
import { KeptLines } from "./base/kept-lines.ts";
import type { Log, LogFields } from "./base/log.ts";
import { plainJson } from "./base/quantity-text.ts";

export interface LogSettings {
  readonly level: "debug" | "info" | "warn" | "error";
  /** `auto` is readable on a terminal, JSON elsewhere. */
  readonly format: "auto" | "json" | "pretty";
}

/** A log whose level can be changed while it is used. Its children follow. */
export interface AdjustableLog extends Log {
  setLevel(level: LogSettings["level"]): void;
  child(fields: LogFields): AdjustableLog;
}

/** By severity. */
const severities = { debug: 0, info: 1, warn: 2, error: 3 } as const satisfies Record<LogSettings["level"], number>;

/** Shared by a log and its children. */
interface Threshold {
  severity: number;
}

/** How many bytes of lines that could not be written are kept, to be written later. */
const maxUnwrittenBytes = 4 * 1024 ** 2;

/** A process that ends waits so long for the reader of its last lines, in milliseconds. */
const lastLinesMs = 1_000;

/** The descriptor of the standard output. */
const outputFd = 1;

/** How many causes of an error are printed at most: a chain of causes may be a ring. */
const maxCauses = 8;

/**
 * A log that writes to `destination`.
 *
 * @param isTerminal - whether a person reads it; decides the colours, and what `auto` means
 */
export function createLog(settings: LogSettings, destination: DestinationStream, isTerminal: boolean): AdjustableLog {
  const isPretty = settings.format === "pretty" || (settings.format === "auto" && isTerminal);
  const threshold = { severity: severities[settings.level] };
  const logger = pino(
    {
      // The threshold that can be changed is below.
      level: "debug",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: (error: unknown) => describeError(error, threshold.severity === severities.debug) },
    },
    isPretty ? prettyDestination(destination, isTerminal) : plainDestination(destination),
  );
  return new PinoLog(logger, threshold);
}

/**
 * The log of this process, on its standard output. When it can't be written (a full disk, a reader that has stopped, a
 * terminal that is gone), the process goes on.
 *
 * @param clock - its timers must not keep the process from ending
 * @param fields - in each line
 */
export function createProcessLog(settings: LogSettings, clock: Clock, fields: LogFields): AdjustableLog {
  const lines = new KeptLines({
    write: writeNow,
    maxBytes: maxUnwrittenBytes,
    clock,
    onLost: (count) => log.warn("lines of the log were dropped: nobody read them in time", { lines: count }),
  });
  // To look at the stream makes a pipe or a socket non-blocking. A full one would stop the process otherwise.
  const isTerminal = process.stdout.isTTY === true;
  const log = createLog(settings, lines, isTerminal).child(fields);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  process.on("exit", () => lines.flush(clock.now() + lastLinesMs, (ms) => void Atomics.wait(cell, 0, 0, ms)));
  return log;
}

/** Writes what the reader has room for. */
function writeNow(bytes: Buffer): number {
  try {
    return writeSync(outputFd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

class PinoLog implements AdjustableLog {
  readonly #logger: Logger;
  readonly #threshold: Threshold;

  constructor(logger: Logger, threshold: Threshold) {
    this.#logger = logger;
    this.#threshold = threshold;
  }

  setLevel(level: LogSettings["level"]): void {
    this.#threshold.severity = severities[level];
  }

  debug(message: string, fields?: () => LogFields): void {
    if (this.#threshold.severity <= severities.debug) this.#logger.debug(fields?.() ?? {}, message);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#threshold.severity <= severities.info) this.#logger.info(fields ?? {}, message);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#threshold.severity <= severities.warn) this.#logger.warn(fields ?? {}, message);
  }

  error(message: string, fields?: LogFields): void {
    this.#logger.error(fields ?? {}, message);
  }

  child(fields: LogFields): AdjustableLog {
    return new PinoLog(this.#logger.child(fields), this.#threshold);
  }
}

function prettyDestination(destination: DestinationStream, colorize: boolean): DestinationStream {
  const pretty = prettyFactory({ colorize, translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return { write: (line) => destination.write(plainJson(pretty(line))) };
}

/** Keys and peers' words come from strangers, and some read the log on a terminal. */
function plainDestination(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(plainJson(line)) };
}

/** An error as data: its code and message, its cause, and (`withStack`) where it was thrown. */
function describeError(error: unknown, withStack: boolean, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    ...(code !== undefined && { code }),
    message: error.message,
    ...(error.cause !== undefined && depth < maxCauses && { cause: describeError(error.cause, withStack, depth + 1) }),
    ...(withStack && { stack: error.stack }),
  };
}
