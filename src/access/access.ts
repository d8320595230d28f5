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

/** An access key of S3. Its secret is kept as it is: signatures are made with it. */
export interface S3KeyRule {
  readonly name: string;
  readonly accessKeyId: string;
  readonly secret: string;
  readonly allow: readonly Right[];
  readonly prefix?: string | undefined;
}

export interface S3Key {
  readonly secret: string;
  readonly grant: Grant;
}

/**
 * - `names`: everyone who reaches the port may do everything, under a known name (see {@link HostNames}).
 * - `loopback`: the same, for programs of this host.
 * - `tokens`: only the holder of a token, or of an S3 key, is served.
 */
export type AccessRules =
  | "loopback"
  | { readonly names: readonly string[] }
  | { readonly tokens: readonly TokenRule[]; readonly s3Keys?: readonly S3KeyRule[] };

export class Access {
  /** Undefined when no token is needed. */
  #grants: ReadonlyMap<string, Grant> | undefined;
  /** By their ids. */
  #s3Keys: ReadonlyMap<string, S3Key> = new Map();
  /** Undefined when tokens are needed. */
  #hosts: HostNames | undefined;

  constructor(rules: AccessRules) {
    this.setRules(rules);
  }

  /** Sets the rules that count from the next request on. */
  setRules(rules: AccessRules): void {
    if (rules !== "loopback" && "tokens" in rules) {
      this.#hosts = undefined;
      this.#grants = new Map(rules.tokens.map((rule) => [rule.hash, grantFor("token", rule)]));
      this.#s3Keys = new Map(
        (rules.s3Keys ?? []).map((rule) => [
          rule.accessKeyId,
          { secret: rule.secret, grant: grantFor("S3 key", rule) },
        ]),
      );
    } else {
      this.#hosts = new HostNames(rules === "loopback" ? rules : rules.names);
      this.#grants = undefined;
      this.#s3Keys = new Map();
    }
  }

  /** Whether only those are served who show who they are. */
  get needsToken(): boolean {
    return this.#grants !== undefined;
  }

  /** The S3 key of this id. Undefined if the cluster has none. */
  s3Key(accessKeyId: string): S3Key | undefined {
    return this.#s3Keys.get(accessKeyId);
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

function grantFor(kind: string, { name, allow, prefix }: Omit<TokenRule, "hash">): Grant {
  return new Grant(`the ${kind} ${JSON.stringify(name)}`, allow, prefix, name);
}
