/**
 * S3's XML. What comes in is read by the parser of AWS's SDK. A document type is refused before: it could define
 * entities, and many of them make that parser slow. What goes out is put together as text, since S3's answers are lists
 * of elements without attributes.
 */

import { isUtf8 } from "node:buffer";
import { parseXML } from "@aws-sdk/xml-builder";
import type { z } from "zod";
import { S3Error } from "./s3-error.ts";

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
export const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/**
 * What `schema` makes of a document.
 *
 * @throws S3Error `MalformedXML`.
 */
export function readXml<T extends z.ZodType>(bytes: Buffer, schema: T): z.output<T> {
  // Else another character would stand for the bytes that are none, and a key for another key.
  if (!isUtf8(bytes)) throw malformed("is not valid UTF-8");
  // The parser makes another character of a reference to one of more than 16 bits.
  const text = bytes.toString().replace(reference, toCharacter);
  // A comment is all that may begin so.
  if (/<!(?!--)/.test(text)) throw malformed("has a document type or CDATA, which are not taken");
  let document: unknown;
  try {
    document = parseXML(text);
  } catch (cause) {
    // Elements that lie too deep end in a RangeError of the parser, which calls itself for each.
    throw malformed("is not well-formed", cause);
  }
  const result = schema.safeParse(document);
  if (!result.success) throw malformed("does not have the elements that this request takes", result.error);
  return result.data;
}

const reference = /&#(?:x([0-9a-fA-F]{5,6})|(\d{5,7}));/g;

function toCharacter(whole: string, hexadecimal: string | undefined, decimal: string | undefined): string {
  const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
  if (code > 0x10ffff) throw malformed("has a reference to no character");
  return code > 0xffff ? String.fromCodePoint(code) : whole;
}

function malformed(what: string, cause?: unknown): S3Error {
  return new S3Error("MalformedXML", `the body ${what}`, { cause });
}

/** A document with this root element. `inner` is XML. */
export function xmlDocument(root: string, inner: string): string {
  return `${declaration}<${root} xmlns="${s3Namespace}">${inner}</${root}>`;
}

/** The same without a namespace, as S3 writes its errors. */
export function xmlError(inner: string): string {
  return `${declaration}<Error>${inner}</Error>`;
}

/** An element with a text; nothing for an undefined text. */
export function element(name: string, text: string | number | boolean | undefined): string {
  return text === undefined ? "" : `<${name}>${escapeXml(String(text))}</${name}>`;
}

const special = /[&<>"'\p{Cc}\u2028\ufffe\uffff]/gu;

/** Characters that XML cannot have are written as references, as S3 does. Clients avoid them by `encoding-type=url`. */
export function escapeXml(text: string): string {
  return text.replace(special, (char) => `&#${char.charCodeAt(0)};`);
}
