/** What a caller may do: its rights, and the keys that they are for. */

import { OperatingError } from "../base/errors.ts";

/**
 * The rights that a token may have:
 *
 * - `read` and `write`: values.
 * - `monitor`: what the cluster says of itself. A program that only watches the cluster can do nothing to it.
 * - `admin`: everything that changes the cluster, and `monitor`.
 */
export const rights = ["read", "write", "monitor", "admin"] as const;
export type Right = (typeof rights)[number];

export class Grant {
  /** Who has this grant, for people. It has nothing secret in it. */
  readonly name: string;
  /** The grant is for keys that begin with this. */
  readonly prefix: string;
  /** The name of the token, or of the S3 key, in the configuration. Undefined without one. */
  readonly token: string | undefined;
  readonly #rights: ReadonlySet<Right>;

  constructor(name: string, allowed: readonly Right[], prefix = "", token?: string) {
    this.name = name;
    this.prefix = prefix;
    this.token = token;
    this.#rights = new Set(allowed.includes("admin") ? [...allowed, "monitor"] : allowed);
  }

  has(right: Right): boolean {
    return this.#rights.has(right);
  }

  /** @throws OperatingError `forbidden` */
  requireRight(right: Right): void {
    if (this.has(right)) return;
    throw new OperatingError("forbidden", `this needs the right ${right}, which ${this.name} does not have`);
  }

  /** @throws OperatingError `forbidden` */
  requireKey(key: string): void {
    if (key.startsWith(this.prefix)) return;
    const allowed = JSON.stringify(this.prefix);
    throw new OperatingError("forbidden", `${this.name} is for keys that begin with ${allowed} only`);
  }

  /**
   * As {@link requireKey}, for all keys that begin with `prefix`.
   *
   * @throws OperatingError `forbidden`
   */
  requirePrefix(prefix: string): void {
    this.requireKey(prefix);
  }
}

/** Everything, for everyone. */
export const fullGrant = new Grant("everybody", rights);

/** Nothing: the grant of a request that has not been checked yet. */
export const noGrant = new Grant("a caller who is not known", [], "");
