/** Percent-encoding for the URLs of stores, as strict as RFC 3986. Both sides must sign the same text. */

/** A path from names of any characters. Everything but letters, digits, `-._~` and the slash is encoded in UTF-8. */
export function encodePath(name: string): string {
  return encodeQuery(name).replaceAll("%2F", "/");
}

/** A name or value in a query. */
export function encodeQuery(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, encodeRest);
}

/** What RFC 3986 reserves and encodeURIComponent does not encode. */
function encodeRest(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
