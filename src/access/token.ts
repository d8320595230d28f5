/**
 * Client tokens: their form, and what is kept of them. A token is 256 random bits, so one round of SHA-256 keeps it
 * secret: nobody can try them all. The slow hashes for passwords would protect no better, and cost milliseconds on each
 * request.
 */

import { hash } from "node:crypto";

/** It lets people, and scanners for leaked secrets, recognize a token. */
const tokenPrefix = "weir_";

/** A token's random part has 43 characters. */
const anyToken = new RegExp(`${tokenPrefix}[\\w-]{43}`, "g");

/** A longer text is no token of ours, and not worth hashing. */
const maxTokenLength = 256;

/** `sha256:` and 64 hex digits. */
export const tokenHashPattern = /^sha256:[0-9a-f]{64}$/;

/** Stands in the example files in place of a token's hash. No token has this hash, so it would let nobody in. */
export const placeholderHash = `sha256:${"0".repeat(64)}`;

/** Whether the text can be a token at all, ours or another's (RFC 6750, section 2.1, `b64token`). */
export function isToken(text: string): boolean {
  return text.length <= maxTokenLength && /^[\w~+/.-]+=*$/.test(text);
}

/** The token of these random bytes. */
export function formatToken(random: Uint8Array): string {
  return tokenPrefix + Buffer.from(random).toString("base64url");
}

/** What cluster.json has in place of the token. */
export function hashToken(token: string): string {
  return `sha256:${hash("sha256", token, "hex")}`;
}

/** The text without any token of ours: someone may have put one where it does not belong. */
export function withoutTokens(text: string): string {
  return text.includes(tokenPrefix) ? text.replace(anyToken, `${tokenPrefix}...`) : text;
}
