/** What a caller may do: rights, and the keys that they are for. */

import { OperatingError } from "../base/errors.ts";

/**
 * `read` and `write`: values. `monitor`: what the cluster says of itself, so that what watches it can do nothing to it. `admin`: whatever changes
 * the cluster, and `monitor`.
 */
export const rights = ["read", "write", "monitor", "admin"] as const;
export type Right = (typeof rights)[number];

export class Grant {
  /** Who was given it, for people; nothing secret. */
  readonly name: string;
  /** Every key that it is for begins with this. */
  readonly prefix: string;
  readonly #rights: ReadonlySet<Right>;

  constructor(name: string, allowed: readonly Right[], prefix = "") {
    this.name = name;
    this.prefix = prefix;
    this.#rights = new Set(allowed.includes("admin") ? [...allowed, "monitor"] : allowed);
  }

  /** @throws OperatingError `forbidden`. */
  requireRight(right: Right): void {
    if (this.#rights.has(right)) return;
    throw new OperatingError("forbidden", `this needs the right ${right}, which ${this.name} does not have`);
  }

  /** @throws OperatingError `forbidden`. */
  requireKey(key: string): void {
    if (key.startsWith(this.prefix)) return;
    const allowed = JSON.stringify(this.prefix);
    throw new OperatingError("forbidden", `${this.name} is for keys that begin with ${allowed} only`);
  }

  /** For what concerns all keys that begin with `prefix`. @throws OperatingError `forbidden`. */
  requirePrefix(prefix: string): void {
    this.requireKey(prefix);
  }
}

/** Everything, for everybody. */
export const fullGrant = new Grant("everybody", rights);

/** Nothing: what a request has that nobody has looked at yet. */
export const noGrant = new Grant("a caller who is not known", [], "");
