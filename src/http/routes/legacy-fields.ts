/**
 * The fields of the old API's put, found in the bytes of its body. It is a JSON object, whose fields are strings. The
 * data is most of it, and is left where it is. All else together is short. So what is read here is bounded, whatever a
 * body has in it: `JSON.parse` takes 400 ms for 6 MB of nested arrays.
 */

import { OperatingError } from "../../base/errors.ts";

/** In the order in which the old service looks for them. */
export const legacyFields = ["data", "key", "extension"] as const;

/**
 * The most bytes of everything but the data: key and extension in JSON with each character escaped, the fields' names,
 * spaces.
 */
export const envelopeBytes = 16 * 1024;

/** Where the data is in the body, without its quotes. Its escapes have not been looked at. */
export interface Place {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** `other` is a number or a truth value. */
export type LegacyField = Place | { readonly text: string } | "null" | "other";

const quote = 0x22;
const backslash = 0x5c;
const spaces: readonly (number | undefined)[] = [0x20, 0x09, 0x0a, 0x0d];
const scalarEnds: readonly (number | undefined)[] = [...spaces, 0x2c, 0x7d, undefined];
const otherScalar = /^(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/**
 * The fields by their names. Of two with one name the last counts.
 *
 * @throws OperatingError `body_invalid`.
 */
export function findFields(body: Buffer): ReadonlyMap<string, LegacyField> {
  return new Scanner(body).fields();
}

class Scanner {
  readonly #body: Buffer;
  #at = 0;
  /** How far it may get. What the data takes is added. */
  #limit = envelopeBytes;

  constructor(body: Buffer) {
    this.#body = body;
  }

  fields(): ReadonlyMap<string, LegacyField> {
    const fields = new Map<string, LegacyField>();
    this.#skipSpaces();
    if (this.#body[this.#at] !== 0x7b) throw invalidBody("The body is not a JSON object!");
    this.#at++;
    this.#skipSpaces();
    if (this.#body[this.#at] === 0x7d) this.#at++;
    else while (this.#field(fields));
    this.#skipSpaces();
    if (this.#at < this.#body.length) throw notJson();
    return fields;
  }

  /** Reads a field and what follows it. False after the last one. */
  #field(fields: Map<string, LegacyField>): boolean {
    this.#skipSpaces();
    const name = this.#text();
    this.#skipSpaces();
    if (this.#next() !== 0x3a) throw notJson();
    this.#skipSpaces();
    fields.set(name, this.#value(name));
    this.#skipSpaces();
    const end = this.#next();
    if (end !== 0x2c && end !== 0x7d) throw notJson();
    return end === 0x2c;
  }

  #value(name: string): LegacyField {
    switch (this.#body[this.#at]) {
      case quote:
        return name === "data" ? this.#data() : { text: this.#text() };
      case 0x5b:
      case 0x7b:
        throw isLegacyField(name) ? notText(name) : noField(name);
      default:
        return this.#scalar();
    }
  }

  #data(): Place {
    const start = this.#at + 1;
    const end = this.#body.indexOf(quote, start);
    if (end < 0) throw notJson();
    if (this.#body[end - 1] === backslash) throw notBase64();
    this.#at = end + 1;
    this.#limit += end - start;
    return { start, end };
  }

  #text(): string {
    const start = this.#at;
    if (this.#next() !== quote) throw notJson();
    for (let byte = this.#next(); byte !== quote; byte = this.#next()) if (byte === backslash) this.#next();
    try {
      return JSON.parse(this.#body.toString("utf8", start, this.#at)) as string;
    } catch (cause) {
      throw notJson(cause);
    }
  }

  #scalar(): "null" | "other" {
    const start = this.#at;
    while (!scalarEnds.includes(this.#body[this.#at])) this.#next();
    const text = this.#body.toString("latin1", start, this.#at);
    if (text === "null") return "null";
    if (!otherScalar.test(text)) throw notJson();
    return "other";
  }

  #skipSpaces(): void {
    while (spaces.includes(this.#body[this.#at])) this.#next();
  }

  #next(): number {
    if (this.#at >= this.#limit) throw invalidBody("The body has too much in it besides the field 'data'!");
    const byte = this.#body[this.#at];
    if (byte === undefined) throw notJson();
    this.#at++;
    return byte;
  }
}

export function isLegacyField(name: string): boolean {
  return (legacyFields as readonly string[]).includes(name);
}

export function notText(field: string): OperatingError {
  return invalidBody(`Field '${field}' must be a string!`);
}

export function noField(name: string): OperatingError {
  // It may be long.
  return invalidBody(`There is no field '${name.length > 64 ? `${name.slice(0, 64)}…` : name}'!`);
}

export function notBase64(): OperatingError {
  return invalidBody("Field 'data' is not valid Base64!");
}

export function invalidBody(detail: string): OperatingError {
  return new OperatingError("body_invalid", detail);
}

function notJson(cause?: unknown): OperatingError {
  return new OperatingError("body_invalid", "The body is not valid JSON!", { cause });
}
