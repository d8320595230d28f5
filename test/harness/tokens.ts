/** Client tokens for tests: each with the rule that lets it in. */

import type { Right } from "../../src/access/grant.ts";
import { formatToken, hashToken } from "../../src/access/token.ts";

export interface TestToken {
  readonly token: string;
  /** As in cluster.json. */
  readonly rule: {
    readonly name: string;
    readonly hash: string;
    readonly allow: readonly Right[];
    readonly prefix?: string;
  };
}

/** The same token for the same name in each run. */
export function tokenOf(name: string, allow: readonly Right[], prefix?: string): TestToken {
  const token = formatToken(Buffer.alloc(32, name));
  const rule = { name, hash: hashToken(token), allow };
  return { token, rule: prefix === undefined ? rule : { ...rule, prefix } };
}

export function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}
