/**
 * Percent-encoding as S3 defines it for signatures and for listings: all bytes of the UTF-8 but `A-Z a-z 0-9 - . _ ~`,
 * with upper-case digits.
 */

const unreserved = /^[A-Za-z0-9\-._~]*$/;
const unreservedPath = /^[A-Za-z0-9\-._~/]*$/;

/** `encodeURIComponent` leaves these alone. */
const left = /[!'()*]/g;

function encodeLeft(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** @param text Well-formed. */
export function encodeUri(text: string): string {
  return unreserved.test(text) ? text : encodeURIComponent(text).replace(left, encodeLeft);
}

/** The same, with `/` as it is. */
export function encodeUriPath(text: string): string {
  if (unreservedPath.test(text)) return text;
  return encodeURIComponent(text).replace(left, encodeLeft).replaceAll("%2F", "/");
}
