/**
 * S3's XML. What goes out is put together as text, since S3's answers are lists of elements without attributes.
 */

import type { z } from "zod";
import type { OwnTurns } from "../../http/server/turns.ts";
import { malformed, parseXml } from "./xml-parser.ts";

/** What every document begins with. */
export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
export const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/**
 * What `schema` makes of a document.
 *
 * @throws S3Error `MalformedXML`.
 */
export async function readXml<T extends z.ZodType>(
  bytes: Uint8Array,
  schema: T,
  turns: OwnTurns,
  maxElements: number,
): Promise<z.output<T>> {
  const result = schema.safeParse(await parseXml(bytes, turns, maxElements));
  if (!result.success) throw malformed("does not have the elements that this request takes", result.error);
  return result.data;
}

/** A document with this root element. `inner` is XML. */
export function xmlDocument(root: string, inner: string): string {
  return `${xmlDeclaration}<${root} xmlns="${s3Namespace}">${inner}</${root}>`;
}

/** The same without a namespace, as S3 writes its errors. */
export function xmlError(inner: string): string {
  return `${xmlDeclaration}<Error>${inner}</Error>`;
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
