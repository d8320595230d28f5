/**
 * Which files of the folder belong to a name. A name is its file's path, so that a person finds `photos/cat.png` under
 * `photos/cat.png`; only what a file system can't hold is escaped, and no two names share a file:
 *
 * - control characters, `%` and `\` are percent-encoded, as are the parts `.` and `..` as a whole; an empty part is `%-`;
 * - a name with a part of more than 255 bytes, or too long as a whole, has no such path. Nor, at times, has a name whose path is taken by
 *   another's folder (`a` while there is `a/b`), runs through another's file (`a/b` while there is `a`), or differs from another's
 *   by case only, on a file system that doesn't mind case. These lie aside, in one flat folder, named by the beginning of the name and its hash, by which its metadata, and with that its name, is found.
 *
 * Metadata lies in a file of its own, named by the name's hash alone. All that is the store's own is under `.weir/store/`,
 * which no name maps to.
 */

import { hash } from "node:crypto";
import { assert } from "../../base/assert.ts";

export interface FilePaths {
  /** Relative to the store's folder, with `/`; undefined if the name has none. */
  readonly natural: string | undefined;
  readonly aside: string;
  readonly metadata: string;
}

export const ownFolder = ".weir/store";
export const asideFolder = `${ownFolder}/aside`;
export const metadataFolder = `${ownFolder}/metadata`;
export const temporaryFolder = `${ownFolder}/temporary`;
export const uploadFolder = `${ownFolder}/uploads`;
export const lockFolder = `${ownFolder}/locks`;

/** What the usual file systems hold in one part of a path, in bytes. */
const maxPartBytes = 255;

/** macOS holds 1,024 bytes in a path, which leaves this much after the store's folder. */
const maxPathBytes = 700;

/** Of the name in the name of a file aside, in characters of its escaped form: enough to be known again. */
const asideCharacters = 120;

export function filePaths(name: string): FilePaths {
  assert(name !== "" && name.isWellFormed(), "a name is well-formed and not empty");
  const digest = hash("sha256", name);
  return {
    natural: naturalPath(name),
    aside: `${asideFolder}/${encodeURIComponent(name).slice(0, asideCharacters)}~${digest}`,
    metadata: `${metadataFolder}/${digest}.json`,
  };
}

/** The metadata of the blob that lies in this file of the folder of those that lie aside. */
export function metadataOfAside(file: string): string {
  return `${metadataFolder}/${file.slice(file.lastIndexOf("~") + 1)}.json`;
}

/** The part of a name that this part of a path stands for, if it stands for any: whoever asks looks whether that is found there. */
export function decodePart(encoded: string): string {
  if (encoded === "%-") return "";
  if (!encoded.includes("%")) return encoded;
  return encoded.replace(/%([0-9A-F]{2})/g, (_whole, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** The same for all names that any file system takes for one another. */
export function foldName(name: string): string {
  return name.normalize("NFD").toLowerCase();
}

function naturalPath(name: string): string | undefined {
  const parts = name.split("/").map(encodePart);
  if (foldName(parts.slice(0, 2).join("/")) === ownFolder) {
    const second = parts[1] as string;
    parts[1] = percent(second.charAt(0)) + second.slice(1);
  }
  const path = parts.join("/");
  if (Buffer.byteLength(path) > maxPathBytes) return undefined;
  return parts.some((part) => Buffer.byteLength(part) > maxPartBytes) ? undefined : path;
}

/** All but what is printable in ASCII or beyond it, and our own sign of escape, and the other separator. */
const unheld = /[^ -~\u{80}-\u{10FFFF}]|[%\\]/gu;

function encodePart(part: string): string {
  if (part === "") return "%-";
  if (part === "." || part === "..") return percent(".").repeat(part.length);
  return part.replace(unheld, percent);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
