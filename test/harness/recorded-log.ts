/** A log that keeps its lines, for tests of what is said. */

import type { Log, LogFields } from "../../src/base/log.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export class RecordedLog implements Log {
  /** Its children's, too. */
  readonly lines: LogLine[] = [];

  debug(message: string, fields?: () => LogFields): void {
    this.lines.push({ level: "debug", message, fields: fields?.() });
  }

  info(message: string, fields?: LogFields): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields?: LogFields): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields?: LogFields): void {
    this.lines.push({ level: "error", message, fields });
  }

  child(): Log {
    return this;
  }

  messages(level: LogLine["level"]): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
