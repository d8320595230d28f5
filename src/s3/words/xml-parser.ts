/**
 * Reads XML as S3's clients send it: elements with texts. Attributes, comments and instructions are passed over. What
 * could be read in more than one way is refused: a document type, CDATA, entities of its own, another encoding than
 * UTF-8, text beside elements. A document is read in several turns of the event loop, and every part of it is bounded.
 */

import type { OwnTurns } from "../../http/server/turns.ts";
import { S3Error } from "./s3-error.ts";

/** The text of an element, or its elements by name. Several of one name are an array. */
export type XmlContent = string | XmlElements;
export interface XmlElements {
  [name: string]: XmlContent | XmlContent[];
}

/** Characters in the text of an element. A key has 1,024 bytes, and a reference 10 characters. */
const maxTextLength = 16_384;
const maxTagLength = 1_024;
const maxDepth = 16;
/** Characters that are read in a turn, and the text after them. */
const turnLength = 32_768;

interface OpenElement {
  readonly name: string;
  text: string;
  elements: XmlElements | undefined;
}

/**
 * The content of a document: its root element by its name.
 *
 * @throws S3Error `MalformedXML`.
 */
export async function parseXml(bytes: Uint8Array, turns: OwnTurns, maxElements: number): Promise<XmlElements> {
  const parser = new XmlParser(decode(bytes), maxElements);
  while (!parser.read(turnLength)) await turns.next();
  return parser.document;
}

class XmlParser {
  readonly document: XmlElements = newElements();
  readonly #text: string;
  readonly #maxElements: number;
  readonly #open: OpenElement[] = [];
  #elements = 0;
  #at = 0;

  constructor(text: string, maxElements: number) {
    this.#text = text;
    this.#maxElements = maxElements;
  }

  /** Reads on for so many characters. True at the end of the document. */
  read(length: number): boolean {
    for (const end = this.#at + length; this.#at < end; ) {
      const begin = this.#text.indexOf("<", this.#at);
      this.#takeText(this.#text.slice(this.#at, begin === -1 ? undefined : begin));
      if (begin === -1) {
        if (this.#open.length > 0 || this.#elements === 0) throw malformed("ends before its root element does");
        return true;
      }
      this.#at = begin;
      this.#readPiece();
    }
    return false;
  }

  #readPiece(): void {
    if (this.#text.startsWith("<!--", this.#at)) this.#skip("<!--", "-->");
    else if (this.#text.startsWith("<?", this.#at)) this.#skip("<?", "?>");
    else if (this.#text.startsWith("<!", this.#at))
      throw malformed("has a document type or CDATA, which are not taken");
    else this.#readTag();
  }

  #skip(from: string, to: string): void {
    const end = this.#text.indexOf(to, this.#at + from.length);
    if (end === -1) throw malformed("has a comment or an instruction without an end");
    this.#at = end + to.length;
  }

  #readTag(): void {
    const found = tag.exec(this.#text.slice(this.#at, this.#at + maxTagLength));
    if (found === null) throw malformed("has a tag that is not well-formed");
    const [whole, closed, opened, empty] = found;
    this.#at += whole.length;
    if (closed !== undefined) {
      this.#close(closed);
      return;
    }
    this.#begin(opened as string);
    if (empty === "/") this.#close(opened as string);
  }

  #begin(name: string): void {
    if (this.#open.length === 0 && this.#elements > 0) throw malformed("has two root elements");
    if (this.#open.length === maxDepth) throw malformed("has elements that lie too deep");
    if (++this.#elements > this.#maxElements) throw malformed(`has more than ${this.#maxElements} elements`);
    const parent = this.#open.at(-1);
    if (parent !== undefined && parent.text.trim() !== "") throw malformed("has text beside elements");
    this.#open.push({ name, text: "", elements: undefined });
  }

  #close(name: string): void {
    const element = this.#open.pop();
    if (element?.name !== name) throw malformed("has an end of an element that was not begun");
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.elements ??= newElements();
    const siblings = parent?.elements ?? this.document;
    const content = element.elements ?? element.text;
    const before = siblings[name];
    if (before === undefined) siblings[name] = content;
    else if (Array.isArray(before)) before.push(content);
    else siblings[name] = [before, content];
  }

  #takeText(text: string): void {
    if (text === "") return;
    if (text.length > maxTextLength) throw malformed("has a text that is too long");
    const element = this.#open.at(-1);
    if (element === undefined || element.elements !== undefined) {
      if (text.trim() !== "") throw malformed("has text beside elements");
      return;
    }
    element.text += text.replace(lineBreak, "\n").replace(reference, toCharacter);
    if (element.text.length > maxTextLength) throw malformed("has a text that is too long");
  }
}

/** An end; or a beginning, perhaps with attributes, perhaps of an empty element. */
const tag =
  /^<(?:\/([A-Za-z_][\w.:-]*)\s*|([A-Za-z_][\w.:-]*)(?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?))>/;

const lineBreak = /\r\n?/g;
const reference = /&(?:(#x[0-9a-fA-F]{1,6}|#\d{1,7}|[a-z]{2,4});)?/g;
const named: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

function toCharacter(_: string, name: string | undefined): string {
  const known = named.get(name ?? "");
  if (known !== undefined) return known;
  if (!name?.startsWith("#")) throw malformed("has an entity that is not one of XML's own");
  const code = name[1] === "x" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  if (code === 0 || code > 0x10ffff || isSurrogate) throw malformed("has a reference to no character");
  return String.fromCodePoint(code);
}

const declaredEncoding = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)/;

function decode(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed("is not UTF-8", cause);
  }
  const encoding = declaredEncoding.exec(text.slice(0, maxTagLength))?.[1] ?? "utf-8";
  if (!/^(?:utf-8|us-ascii)$/i.test(encoding)) throw malformed("says that it is not UTF-8");
  return text;
}

/** Without a prototype: an element may have any name. */
function newElements(): XmlElements {
  return Object.create(null) as XmlElements;
}

export function malformed(what: string, cause?: unknown): S3Error {
  return new S3Error("MalformedXML", `the body ${what}`, { cause });
}
