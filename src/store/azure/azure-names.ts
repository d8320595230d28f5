/**
 * What a blob is called in a container: a name that Azure holds as it is lies under the prefix and itself, so that a person finds `photos/cat.png` under
 * `photos/cat.png`. Not held, or changed without a word, are control characters and others that mean nothing, `\` (which becomes `/`), a dot at the
 * end of a part, and what is too long or too deep. Names with these lie *aside*, in a folder of weir's own, spelled in a code.
 *
 * So do names with characters beyond U+FFFF: whether a server sorts by UTF-8 or by UTF-16 then makes no difference to any listing. And the code
 * keeps the order of names: a listing of all is two sorted ones merged (`azure-listing.ts`).
 */

import { assert } from "../../base/assert.ts";

/** Under the prefix, and in no listing: no client's key begins with `.weir/`, and none of weir's with this. */
export const hiddenFolder = ".weir/azure/";
export const asideFolder = `${hiddenFolder}aside/`;
export const uploadFolder = `${hiddenFolder}uploads/`;

/** Azure's limit on a name, in UTF-16 units. */
const maxNameLength = 1_024;

/** Azure's limit on the parts of a name between slashes. */
const maxParts = 254;

/** A name of weir's has so many bytes at most. */
const maxNameBytes = 1_024;

/** Sets that no later version of Unicode changes: a name must stay where it is for ever. */
const unheld = /[\p{Cc}\p{Co}\p{Noncharacter_Code_Point}\u{10000}-\u{10FFFF}\\]|\.\//u;

/** The blob's whole name in the container. */
export function blobName(prefix: string, name: string): string {
  assert(name !== "" && name.isWellFormed(), "a name is well-formed and not empty");
  const blob = prefix + name;
  return isHeld(blob) ? blob : prefix + asideFolder + spell(name);
}

/** Whether every name can be held behind this prefix, be it aside. */
export function prefixFits(prefix: string): boolean {
  return isHeld(`${prefix}${asideFolder}${spell("\0".repeat(maxNameBytes))}`);
}

/** As much of the beginning of names as some name that lies where it says begins with. */
export function heldBeginning(beginning: string): string {
  const at = beginning.search(unheld);
  return at === -1 ? beginning : beginning.slice(0, at);
}

/** Whether Azure has a blob of this name as it is. */
export function isHeld(blob: string): boolean {
  if (blob.length > maxNameLength || blob.endsWith(".") || unheld.test(blob)) return false;
  return blob.length < maxParts || blob.split("/").length <= maxParts;
}

/** The first of the 4,096 digits of the code, each for twelve bits of UTF-8: letters that every server has, and in order. */
const firstDigit = 0x4e00;
const digitBits = 12;
const digitMask = 0xfff;

/** Three bytes are two digits. */
const groupBytes = 3;

/**
 * A name in the code. What comes first in the order of UTF-8 does so here. At the end, before any digit in the order of characters, is how many bytes the last
 * digits stand for.
 */
export function spell(name: string): string {
  const bytes = Buffer.from(name);
  const rest = ((bytes.length + groupBytes - 1) % groupBytes) + 1;
  return digitsOf(bytes) + String(rest);
}

/** What every spelled name begins with that begins with `beginning`; others may, too. */
export function spellBeginning(beginning: string): string {
  const bytes = Buffer.from(beginning);
  return digitsOf(bytes.subarray(0, bytes.length - (bytes.length % groupBytes)));
}

/** Undefined for what {@link spell} never gives. */
export function unspell(text: string): string | undefined {
  const bytes: number[] = [];
  for (let i = 0; i + 1 < text.length; i += 2) {
    const group = (digitAt(text, i) << digitBits) | digitAt(text, i + 1);
    bytes.push((group >> 16) & 0xff, (group >> 8) & 0xff, group & 0xff);
  }
  const missing = groupBytes - Number(text.at(-1));
  const name = Buffer.from(missing > 0 && missing < groupBytes ? bytes.slice(0, -missing) : bytes).toString();
  return name !== "" && spell(name) === text ? name : undefined;
}

function digitsOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += groupBytes) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += String.fromCharCode(firstDigit + (group >> digitBits), firstDigit + (group & digitMask));
  }
  return text;
}

/** Nothing but a digit is one: what else stands there does not come out as it went in. */
function digitAt(text: string, index: number): number {
  return (text.charCodeAt(index) - firstDigit) & digitMask;
}
