/**
 * Who may do what, as the configuration says, and as it is changed while the node runs. Tokens are looked up by their hash. That a look-up takes longer or shorter tells
 * nothing that helps: what is compared are digests, of which nobody can choose the bytes, and a stored digest known in full does not give its token away.
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

/** `none`: whoever reaches the port may do everything; `loopback`: the same, for programs of this host; else only who has a token. */
export type AccessRules = "none" | "loopback" | { readonly tokens: readonly TokenRule[] };

export class Access {
  /** Undefined when no token is needed. */
  #grants: ReadonlyMap<string, Grant> | undefined;
  #loopbackOnly = false;

  constructor(rules: AccessRules) {
    this.setRules(rules);
  }

  /** These count from the next request on. */
  setRules(rules: AccessRules): void {
    this.#loopbackOnly = rules === "loopback";
    this.#grants =
      typeof rules === "string"
        ? undefined
        : new Map(
            rules.tokens.map(({ name, hash, allow, prefix }) => [
              hash,
              new Grant(`the token ${JSON.stringify(name)}`, allow, prefix),
            ]),
          );
  }

  /** Only programs of this host are meant to be served: what names it otherwise comes by way of a browser that was misled. */
  get loopbackOnly(): boolean {
    return this.#loopbackOnly;
  }

  /**
   * What the caller may do.
   * @param authorization - the header's value
   * @throws OperatingError `unauthorized`.
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
