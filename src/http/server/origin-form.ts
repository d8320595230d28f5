/** The target of a request without the scheme and the host, which it may name, too. */

/** A target may name scheme and host too (RFC 9112, section 3.2.2). They are no part of the key. */
export function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const rest = /^https?:\/\/[^/?#]*(.*)$/is.exec(target)?.[1];
  return rest === undefined ? target : rest || "/";
}
