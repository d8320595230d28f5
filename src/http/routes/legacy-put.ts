/** The body of the old API's put: what it must be. What is wrong with it is said in words for the client's author. */

import { isUtf8 } from "node:buffer";
import { OperatingError } from "../../base/errors.ts";
import { checkChangeable, checkKey } from "../server/key.ts";
import type { OwnTurns } from "../server/turns.ts";
import { decodeData, pieceBytes } from "./legacy-data.ts";
import {
  envelopeBytes,
  findFields,
  invalidBody,
  isLegacyField,
  type LegacyField,
  legacyFields,
  noField,
  notText,
} from "./legacy-fields.ts";

export interface LegacyPut {
  readonly key: string;
  readonly extension: string;
  readonly value: Buffer;
}

/** A field is missing. The old API has a status and a sentence of its own for that. */
export interface MissingField {
  readonly missing: string;
}

/**
 * The longest body worth reading. That is the Base64 of the largest value, with an escaped line break (4 bytes) after
 * every 64 characters, as in PEM.
 */
export function legacyBodyLimit(maxValueBytes: number): number {
  const encoded = Math.ceil(maxValueBytes / 3) * 4;
  return encoded + Math.ceil(encoded / 64) * 4 + envelopeBytes;
}

/**
 * @param turns Takes turns of the event loop for a long body.
 * @throws OperatingError `body_invalid`, `key_invalid`, `value_too_large`.
 */
export async function parseLegacyPut(
  body: Buffer,
  maxValueBytes: number,
  turns: OwnTurns,
): Promise<LegacyPut | MissingField> {
  // Several bodies may have come in one turn, and each is read to its end here.
  if (body.length > pieceBytes) await turns.next();
  if (!isUtf8(body)) throw invalidBody("The body is not valid UTF-8!");
  const fields = findFields(body);
  for (const name of legacyFields) if (isMissing(fields.get(name))) return { missing: name };
  for (const name of fields.keys()) if (!isLegacyField(name)) throw noField(name);
  const data = fields.get("data") as LegacyField;
  if (typeof data === "string" || !("start" in data)) throw notText("data");
  const key = textOf(fields, "key");
  const extension = textOf(fields, "extension");
  checkKey(key);
  checkChangeable(key);
  if (!extension.isWellFormed()) throw invalidBody("Field 'extension' has a lone surrogate in it!");
  const value = await decodeData(body, data, turns);
  if (value.length > maxValueBytes) {
    throw new OperatingError("value_too_large", `the value has ${value.length} bytes, more than ${maxValueBytes}`);
  }
  return { key, extension, value };
}

function isMissing(field: LegacyField | undefined): boolean {
  if (field === undefined || field === "null") return true;
  if (field === "other") return false;
  return "text" in field ? field.text === "" : field.start === field.end;
}

function textOf(fields: ReadonlyMap<string, LegacyField>, name: "key" | "extension"): string {
  const field = fields.get(name) as LegacyField;
  if (typeof field === "string" || !("text" in field)) throw notText(name);
  return field.text;
}
