/**
 * Names as objects' keys. Servers take any UTF-8 but NUL (Ceph, for one, doesn't), so that is escaped: by three characters that are
 * themselves escaped wherever else they stand, so that the order of names is kept, and what is part of a name is part of its key. A key that others have made
 * with such a character in it is therefore none of ours.
 */

import { assert } from "../../base/assert.ts";

/** The escape of each, in their order. */
const escapes = ["\u0001\u0002\u0002", "\u0001\u0002\u0003", "\u0001\u0003\u0002", "\u0001\u0003\u0003"];

/** The name as an object's key, without the store's prefix. */
export function storableName(name: string): string {
  assert(name !== "" && name.isWellFormed(), "a name is well-formed and not empty");
  return escapeName(name);
}

/** The same for text that may be empty, such as the beginning of names. */
export function escapeName(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => escapes[character.charCodeAt(0)] ?? character);
}

/** The name whose key this is; undefined if there is none. */
export function nameOfKey(key: string): string | undefined {
  let name = key;
  for (const [code, sequence] of escapes.entries()) name = name.replaceAll(sequence, String.fromCharCode(code));
  return escapeName(name) === key ? name : undefined;
}
