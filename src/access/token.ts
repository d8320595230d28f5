/**
 * Client tokens: how they look, and what is kept of them. A token is 256 random bits, so one round of SHA-256 keeps it secret: nobody can try them all. The slow hashes
 * that are for passwords would protect no better, and cost milliseconds on each request.
 */

import { hash } from "node:crypto";

/** So that people and scanners for leaked secrets know one when they see it. */
const tokenPrefix = "weir_";

/** A token's random part has 43 characters. */
const anyToken = new RegExp(`${tokenPrefix}[\\w-]{43}`, "g");

/** Longer is no token of ours, and not worth hashing. */
const maxTokenLength = 256;

/** `sha256:` and 64 hex digits. */
export const tokenHashPattern = /^sha256:[0-9a-f]{64}$/;

/** Whether it can be a token at all, ours or another's (RFC 6750, section 2.1, `b64token`). */
export function isToken(text: string): boolean {
  return text.length <= maxTokenLength && /^[\w~+/.-]+=*$/.test(text);
}

/** The token of these random bytes. */
export function formatToken(random: Uint8Array): string {
  return tokenPrefix + Buffer.from(random).toString("base64url");
}

/** What stands for a token in cluster.json. */
export function hashToken(token: string): string {
  return `sha256:${hash("sha256", token, "hex")}`;
}

/** The text with no token of ours in it: somebody may have put one where it does not belong. */
export function withoutTokens(text: string): string {
  return text.includes(tokenPrefix) ? text.replace(anyToken, `${tokenPrefix}...`) : text;
}
