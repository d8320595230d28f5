/** The body of the old API's put: what it must be. What is wrong with it is said in words for the client's author. */

import { isUtf8 } from "node:buffer";
import { OperatingError } from "../../base/errors.ts";
import { compact } from "../../base/memory.ts";
import { checkChangeable, checkKey } from "../server/key.ts";

export interface LegacyPut {
  readonly key: string;
  readonly extension: string;
  readonly value: Buffer;
}

/** A field is missing. The old API has a status and a sentence of its own for that. */
export interface MissingField {
  readonly missing: string;
}

/** In the order in which the old service looks for them. */
const fields = ["data", "key", "extension"] as const;

/**
 * The most bytes of everything but the data: key and extension in JSON with each character escaped, the fields' names,
 * spaces.
 */
const envelopeBytes = 16 * 1024;

/**
 * The longest body worth reading. That is the Base64 of the largest value, with an escaped line break (4 bytes) after
 * every 64 characters, as in PEM.
 */
export function legacyBodyLimit(maxValueBytes: number): number {
  const encoded = Math.ceil(maxValueBytes / 3) * 4;
  return encoded + Math.ceil(encoded / 64) * 4 + envelopeBytes;
}

/** @throws OperatingError `body_invalid`, `key_invalid`, `value_too_large`. */
export function parseLegacyPut(body: Buffer, maxValueBytes: number): LegacyPut | MissingField {
  const json = parseObject(body);
  for (const field of fields) {
    const value = json[field];
    if (value === undefined || value === null || value === "") return { missing: field };
  }
  for (const name of Object.keys(json)) {
    if (!(fields as readonly string[]).includes(name)) throw invalid(`There is no field '${clip(name)}'!`);
  }
  const data = textOf(json, "data");
  const key = textOf(json, "key");
  const extension = textOf(json, "extension");
  checkKey(key);
  checkChangeable(key);
  if (!extension.isWellFormed()) throw invalid("Field 'extension' has a lone surrogate in it!");
  const value = decodeBase64(data);
  if (value === undefined) throw invalid("Field 'data' is not valid Base64!");
  if (value.length > maxValueBytes) {
    throw new OperatingError("value_too_large", `the value has ${value.length} bytes, more than ${maxValueBytes}`);
  }
  return { key, extension, value };
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  if (!isUtf8(body)) throw invalid("The body is not valid UTF-8!");
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new OperatingError("body_invalid", "The body is not valid JSON!", { cause });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid("The body is not a JSON object!");
  return json as Record<string, unknown>;
}

function textOf(json: Readonly<Record<string, unknown>>, field: (typeof fields)[number]): string {
  const value = json[field];
  if (typeof value !== "string") throw invalid(`Field '${field}' must be a string!`);
  return value;
}

/**
 * The bytes, without unused memory around them. Undefined unless the text is in the standard alphabet, padded, with
 * line breaks anywhere. The decoder skips what it does not know. Encoding its result again shows whether it did.
 */
function decodeBase64(text: string): Buffer | undefined {
  const joined = /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]+/g, "") : text;
  const value = Buffer.from(joined, "base64");
  return value.toString("base64") === joined ? compact(value) : undefined;
}

/** A field's name may be as long as the body. */
function clip(name: string): string {
  return name.length > 64 ? `${name.slice(0, 64)}…` : name;
}

function invalid(detail: string): OperatingError {
  return new OperatingError("body_invalid", detail);
}
