/**
 * A secret is named in cluster.json, never written into it: by an environment variable or a file. This is the reference
 * with the secret it stands for, made so that no log line or error message can show the secret by accident.
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { inspect } from "node:util";
import { OperatingError } from "../base/errors.ts";

export const secretPattern = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/;

export class Secret {
  /** `env:NAME` or `file:PATH`, as in the file: safe to show. */
  readonly reference: string;
  readonly #value: string | undefined;

  constructor(reference: string, value: string | undefined) {
    this.reference = reference;
    this.#value = value;
  }

  /** @throws OperatingError `config_invalid` if the configuration was read without its secrets, as clients do */
  reveal(): string {
    if (this.#value === undefined) throw new OperatingError("config_invalid", `${this.reference} was not read`);
    return this.#value;
  }

  /** Whether both are the same reference and stand for the same secret. */
  equals(other: Secret): boolean {
    return this.reference === other.reference && this.#value === other.#value;
  }

  toJSON(): string {
    return this.reference;
  }

  [inspect.custom](): string {
    return `Secret(${this.reference})`;
  }
}

/**
 * The secret that `reference` stands for, without the line break that editors leave at the end of files.
 *
 * @param folder - relative paths are taken from here
 * @returns the value, or the mistake as a sentence for people
 */
export function readSecret(
  reference: string,
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): { readonly value: string } | { readonly mistake: string } {
  if (reference.startsWith("env:")) {
    const name = reference.slice("env:".length);
    const value = env[name];
    return value ? { value } : { mistake: `the environment variable ${name} is not set; set it to the secret` };
  }
  const path = resolve(folder, reference.slice("file:".length));
  try {
    const value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return value === "" ? { mistake: `${path} is empty; write the secret into it` } : { value };
  } catch (error) {
    return { mistake: `${path} can't be read (${(error as NodeJS.ErrnoException).code}); write the secret into it` };
  }
}
