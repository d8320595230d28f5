/**
 * Which files of the folder belong to a name. The natural place of a name is the path of the same text. So a person
 * finds `photos/cat.png` under `photos/cat.png`. Only what a file system cannot hold is escaped. No two names share a
 * file.
 *
 * - Control characters, `%` and `\` are percent-encoded, and so are the parts `.` and `..` as a whole. An empty part is
 *   `%-`.
 * - A name has no natural place if it has a part of more than 255 bytes, or is too long as a whole.
 * - The natural place may be taken by another's folder (`a` while there is `a/b`).
 * - It may run through another's file (`a/b` while there is `a`).
 * - It may differ from another's by case only, on a file system that ignores case.
 *
 * Names without a free natural place lie aside, in one flat folder. The file is called by the beginning of the name and
 * its hash. The hash leads to its metadata, which has the whole name.
 *
 * Metadata lies in a file of its own, called by the name's hash alone. Everything of the store's own is under
 * `.weir/store/`, which is the path of no name.
 */

import { hash } from "node:crypto";
import { assert } from "../../base/assert.ts";

export interface FilePaths {
  /** Relative to the store's folder, with `/`. Undefined if the name has no natural place. */
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

/** The most bytes that the usual file systems hold in one part of a path. */
const maxPartBytes = 255;

/** macOS holds 1,024 bytes in a path. This much is left after the store's folder. */
const maxPathBytes = 700;

/** How much of a name its file aside shows, in characters of the escaped form: enough for a person to recognize it. */
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

/** The metadata of the blob in this file of the aside folder. */
export function metadataOfAside(file: string): string {
  return `${metadataFolder}/${file.slice(file.lastIndexOf("~") + 1)}.json`;
}

/**
 * The part of a name for this part of a path, if there is one. The caller checks that the name leads back to the path.
 */
export function decodePart(encoded: string): string {
  if (encoded === "%-") return "";
  if (!encoded.includes("%")) return encoded;
  return encoded.replace(/%([0-9A-F]{2})/g, (_whole, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** The same text for all names that any file system takes for one another. */
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

/** All but printable ASCII and what is beyond ASCII. Also `%`, our sign of escape, and `\`, the other separator. */
const unheld = /[^ -~\u{80}-\u{10FFFF}]|[%\\]/gu;

function encodePart(part: string): string {
  if (part === "") return "%-";
  if (part === "." || part === "..") return percent(".").repeat(part.length);
  return part.replace(unheld, percent);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
