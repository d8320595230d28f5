/**
 * Who may do what, as the configuration says. The rules may change while the node runs.
 *
 * Tokens are looked up by their hash. How long a look-up takes tells an attacker nothing that helps: it compares
 * digests, whose bytes nobody can choose. And a stored digest, even known in full, does not give its token away.
 */

import { OperatingError } from "../base/errors.ts";
import { fullGrant, Grant, type Right } from "./grant.ts";
import { HostNames } from "./host-names.ts";
import { hashToken, isToken } from "./token.ts";

export interface TokenRule {
  readonly name: string;
  readonly hash: string;
  readonly allow: readonly Right[];
  readonly prefix?: string | undefined;
}

/**
 * - `names`: everyone who reaches the port may do everything, under a known name (see {@link HostNames}).
 * - `loopback`: the same, for programs of this host.
 * - `tokens`: only the holder of a token is served.
 */
export type AccessRules =
  | "loopback"
  | { readonly names: readonly string[] }
  | { readonly tokens: readonly TokenRule[] };

export class Access {
  /** Undefined when no token is needed. */
  #grants: ReadonlyMap<string, Grant> | undefined;
  /** Undefined when tokens are needed. */
  #hosts: HostNames | undefined;

  constructor(rules: AccessRules) {
    this.setRules(rules);
  }

  /** Sets the rules that count from the next request on. */
  setRules(rules: AccessRules): void {
    if (rules !== "loopback" && "tokens" in rules) {
      this.#hosts = undefined;
      this.#grants = new Map(rules.tokens.map((rule) => [rule.hash, grantFor(rule)]));
    } else {
      this.#hosts = new HostNames(rules === "loopback" ? rules : rules.names);
      this.#grants = undefined;
    }
  }

  get needsToken(): boolean {
    return this.#grants !== undefined;
  }

  /**
   * Where no token is needed, a request that names the host otherwise than it is known may come from a browser that was
   * misled. No page has another site's token.
   *
   * @param host The header's value.
   * @throws OperatingError `cross_site_request`.
   */
  requireHost(host: string | undefined): void {
    if (host !== undefined) this.#hosts?.require(host);
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

function grantFor({ name, allow, prefix }: TokenRule): Grant {
  return new Grant(`the token ${JSON.stringify(name)}`, allow, prefix, name);
}
