/** The logging port: an event in plain words, and its data as fields. Implemented by pino in production. */
export interface Log {
  /** Its fields are made only for a line that is written: this is called for each request. */
  debug(message: string, fields?: () => LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries `fields`. */
  child(fields: LogFields): Log;
}

/** An Error under the name `error` is printed with its cause and, at debug level, its stack. */
export type LogFields = Readonly<Record<string, unknown>>;
