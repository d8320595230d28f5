/**
 * Names as objects' keys. Servers take any UTF-8; only NUL is refused, by Ceph for one. So NUL is escaped with the
 * characters U+0001 to U+0003. These are escaped too, wherever else they stand. So the order of names is kept, and a
 * part of a name is a part of its key. A key that others have made with one of these characters is therefore none of
 * ours.
 */

import { assert } from "../../base/assert.ts";

/** The escapes of U+0000 to U+0003, in their order. */
const escapes = ["\u0001\u0002\u0002", "\u0001\u0002\u0003", "\u0001\u0003\u0002", "\u0001\u0003\u0003"];

/** The name as an object's key, without the store's prefix. */
export function storableName(name: string): string {
  assert(name !== "" && name.isWellFormed(), "a name is well-formed and not empty");
  return escapeName(name);
}

/** Like {@link storableName}, for text that may be empty, such as the beginning of names. */
export function escapeName(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => escapes[character.charCodeAt(0)] ?? character);
}

/** The name that has this key. Undefined if there is none. */
export function nameOfKey(key: string): string | undefined {
  let name = key;
  for (const [code, sequence] of escapes.entries()) name = name.replaceAll(sequence, String.fromCharCode(code));
  return escapeName(name) === key ? name : undefined;
}
