/**
 * Who may do what, as the configuration says. The rules may change while the node runs.
 *
 * Tokens are looked up by their hash. How long a look-up takes tells an attacker nothing that helps: it compares
 * digests, whose bytes nobody can choose. And a stored digest, even known in full, does not give its token away.
 */

import { OperatingError } from "../base/errors.ts";
import { fullGrant, Grant, type Right } from "./grant.ts";
import { hashToken, isToken } from "./token.ts";

export interface TokenRule {
  readonly name: string;
  readonly hash: string;
  readonly allow: readonly Right[];
  readonly prefix?: string | undefined;
}

/**
 * `none`: everyone who reaches the port may do everything. `loopback`: the same, for programs of this host. Otherwise
 * only the holder of a token is served.
 */
export type AccessRules = "none" | "loopback" | { readonly tokens: readonly TokenRule[] };

export class Access {
  /** Undefined when no token is needed. */
  #grants: ReadonlyMap<string, Grant> | undefined;
  #loopbackOnly = false;

  constructor(rules: AccessRules) {
    this.setRules(rules);
  }

  /** Sets the rules that count from the next request on. */
  setRules(rules: AccessRules): void {
    this.#loopbackOnly = rules === "loopback";
    this.#grants =
      typeof rules === "string"
        ? undefined
        : new Map(
            rules.tokens.map(({ name, hash, allow, prefix }) => [
              hash,
              new Grant(`the token ${JSON.stringify(name)}`, allow, prefix, name),
            ]),
          );
  }

  /**
   * Whether only programs of this host are to be served. A request that names the host otherwise comes from a browser
   * that was misled.
   */
  get loopbackOnly(): boolean {
    return this.#loopbackOnly;
  }

  /**
   * What the caller may do.
   *
   * @param authorization - the header's value
   * @throws OperatingError `unauthorized`
   */
  grantOf(authorization: string | undefined): Grant {
    const grants = this.#grants;
    if (grants === undefined) return fullGrant;
    if (authorization === undefined) throw new OperatingError("unauthorized", "Authorization is missing");
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined || !isToken(token)) {
      throw new OperatingError("unauthorized", "Authorization must be: Bearer TOKEN");
    }
    const grant = grants.get(hashToken(token));
    if (grant === undefined) throw new OperatingError("unauthorized", "the token is not one of this cluster's");
    return grant;
  }
}
