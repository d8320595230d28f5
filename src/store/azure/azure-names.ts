/**
 * What a blob is called in a container. If Azure holds a name as it is, the blob's name is the prefix and the name. So
 * a person finds `photos/cat.png` under `photos/cat.png`.
 *
 * Azure refuses or silently changes other names:
 * - names with control characters or code points without a meaning
 * - names with `\`, which becomes `/`, or with a dot at the end of a part
 * - names that are too long or too deep
 *
 * Such names lie *aside*, in a folder of weir's own, spelled in a code. So do names with characters beyond U+FFFF. Then
 * it makes no difference to a listing whether a server sorts by UTF-8 or by UTF-16.
 *
 * The code keeps the order of names. So a listing of all names merges two sorted ones (`azure-listing.ts`).
 */

import { assert } from "../../base/assert.ts";

/**
 * Under the prefix, and in no listing. No client's key begins with `.weir/`, and none of weir's own begins with this.
 */
export const hiddenFolder = ".weir/azure/";
export const asideFolder = `${hiddenFolder}aside/`;
export const uploadFolder = `${hiddenFolder}uploads/`;

/** Azure's limit on a name, in UTF-16 units. */
const maxNameLength = 1_024;

/** Azure's limit on the parts of a name between slashes. */
const maxParts = 254;

/** The limit on weir's names, in bytes. */
const maxNameBytes = 1_024;

/** Sets that no later version of Unicode changes. A name must stay at the same place for ever. */
const unheld = /[\p{Cc}\p{Co}\p{Noncharacter_Code_Point}\u{10000}-\u{10FFFF}\\]|\.\//u;

/** The blob's whole name in the container. */
export function blobName(prefix: string, name: string): string {
  assert(name !== "" && name.isWellFormed(), "a name is well-formed and not empty");
  const blob = prefix + name;
  return isHeld(blob) ? blob : prefix + asideFolder + spell(name);
}

/** Whether every name can be held behind this prefix, if need be aside. */
export function prefixFits(prefix: string): boolean {
  return isHeld(`${prefix}${asideFolder}${spell("\0".repeat(maxNameBytes))}`);
}

/** The longest part of `beginning` with which a name that lies as it is can begin. */
export function heldBeginning(beginning: string): string {
  const at = beginning.search(unheld);
  return at === -1 ? beginning : beginning.slice(0, at);
}

/** Whether Azure has a blob of this name as it is. */
export function isHeld(blob: string): boolean {
  if (blob.length > maxNameLength || blob.endsWith(".") || unheld.test(blob)) return false;
  return blob.length < maxParts || blob.split("/").length <= maxParts;
}

/**
 * The first of the code's 4,096 digits. Each digit stands for twelve bits of UTF-8. The digits are letters that every
 * server holds, in ascending order.
 */
const firstDigit = 0x4e00;
const digitBits = 12;
const digitMask = 0xfff;

/** Three bytes are two digits. */
const groupBytes = 3;

/**
 * A name in the code. The code sorts as UTF-8 does. Its last character tells how many bytes the last two digits stand
 * for. It sorts before any digit.
 */
export function spell(name: string): string {
  const bytes = Buffer.from(name);
  const rest = ((bytes.length + groupBytes - 1) % groupBytes) + 1;
  return digitsOf(bytes) + String(rest);
}

/** Every spelled name whose name begins with `beginning` begins with this. Other names may, too. */
export function spellBeginning(beginning: string): string {
  const bytes = Buffer.from(beginning);
  return digitsOf(bytes.subarray(0, bytes.length - (bytes.length % groupBytes)));
}

/** Undefined for a text that {@link spell} never gives. */
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

/** Any character gives a number. If it is not a digit, the caller notices: the result spells another text. */
function digitAt(text: string, index: number): number {
  return (text.charCodeAt(index) - firstDigit) & digitMask;
}
