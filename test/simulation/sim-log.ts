/**
 * The log port in a simulated world: lines go to the trace, and an error that no operator could be expected to
 * understand (a failed assertion, a TypeError) ends the run, because in production it would have been a bug report.
 */

import { OperatingError } from "../../src/base/errors.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import type { SimWorld } from "./sim-world.ts";

export class SimLog implements Log {
  readonly #world: SimWorld;
  readonly #name: string;
  readonly #fields: LogFields;

  constructor(world: SimWorld, name: string, fields: LogFields = {}) {
    this.#world = world;
    this.#name = name;
    this.#fields = fields;
  }

  debug(message: string, fields?: () => LogFields): void {
    this.#write("log debug", message, fields?.());
  }

  info(message: string, fields?: LogFields): void {
    this.#write("log info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write("log warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("log error", message, fields);
  }

  child(fields: LogFields): Log {
    return new SimLog(this.#world, this.#name, { ...this.#fields, ...fields });
  }

  #write(level: string, message: string, fields: LogFields | undefined): void {
    this.#world.note(level, () => `${this.#name}: ${message}${describe({ ...this.#fields, ...fields })}`);
    const error = fields?.["error"];
    if (error instanceof Error && !(error instanceof OperatingError)) this.#world.fail(error);
  }
}

function describe(fields: LogFields): string {
  return Object.entries(fields)
    .map(([name, value]) => ` ${name}=${value instanceof Error ? value.message : JSON.stringify(value)}`)
    .join("");
}
