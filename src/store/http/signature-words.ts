/**
 * A store that refuses a request may echo its signature, which lets others send it again until it expires. So
 * signatures are taken out of the store's words where they come in, before any log, status or answer has them.
 */

/** Parameters of a signed request that prove who sent it. */
const parameter = /\b(X-Amz-(?:Signature|Security-Token|Credential)|sig)(=|%3D)[^&\s"'<>]+/gi;

/** A hash of 32 bytes, as S3 writes signatures (in hexadecimal digits) and Azure (in base64). */
const hash = /\b[0-9a-f]{64}\b|[A-Za-z0-9+/]{43}=/gi;

export function withoutSignatures(words: string): string {
  return words.replace(parameter, "$1$2…").replace(hash, "…");
}
