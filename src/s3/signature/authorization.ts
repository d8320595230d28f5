/**
 * What a request says of its signature (AWS Signature Version 4), in its `Authorization` header or in its query. A
 * request whose signature is in the query is called presigned: who has its address may send it until it expires.
 */

import { LRUCache } from "lru-cache";
import { S3Error } from "../words/s3-error.ts";
import type { Query } from "../words/target.ts";
import { isSha256 } from "./sha256.ts";

export const algorithm = "AWS4-HMAC-SHA256";

/** What a signature is for: a day, a region, and the service. */
export interface CredentialScope {
  /** Such as `20130524`. */
  readonly day: string;
  readonly region: string;
}

/** So many headers of a request are remembered, and names of so many characters: for all signers that takes 1 MiB. */
const maxRemembered = 32;
const maxNameLength = 64;

/** The names of the headers that are signed. What is known of them is known for each request that says the same. */
export class SignedHeaders {
  readonly names: readonly string[];
  /** What stands before the value of each of them in the canonical form, and after the last value. */
  readonly beginnings: readonly string[];
  readonly ending: string;
  readonly #places: ReadonlyMap<string, number>;
  /** Of the request before, the names of its headers in their order: a client sends the same ones again. */
  readonly #before: { readonly given: string; readonly place: number | undefined }[] = [];

  /**
   * @param text In lower case, with semicolons between them.
   * @throws S3Error `AccessDenied` for a name that is there twice.
   */
  constructor(text: string) {
    this.names = text.split(";");
    this.beginnings = this.names.map((name) => `\n${name}:`);
    this.ending = `\n\n${text}\n`;
    this.#places = new Map(this.names.map((name, place) => [name, place]));
    if (this.#places.size < this.names.length) throw new S3Error("AccessDenied", "a header was signed twice");
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  /**
   * Where the name is among them.
   *
   * @param given As it came.
   * @param number The header's own number in the request.
   */
  placeOf(given: string, number: number): number | undefined {
    const before = this.#before[number];
    if (before?.given === given) return before.place;
    const place = this.#places.get(given.toLowerCase());
    const isNext = number <= this.#before.length && number < maxRemembered;
    if (isNext && given.length <= maxNameLength) this.#before[number] = { given, place };
    return place;
  }
}

/** Who signed, for what, and which headers: what the requests of a client have in common for a day. */
export interface Signer {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Lower-case names, in the order in which they were signed. */
  readonly signedHeaders: SignedHeaders;
}

export interface Authorization {
  readonly signer: Signer;
  /** 64 lower-case hexadecimal digits. */
  readonly signature: string;
  /** Such as `20130524T000000Z`. Undefined: a header says it. */
  readonly time: string | undefined;
  /** Of a presigned request: how long it is valid. */
  readonly expiresSeconds: number | undefined;
  readonly sessionToken: string | undefined;
}

/** The form in which most clients send it. */
const usualHeader =
  /^AWS4-HMAC-SHA256 Credential=([^,\s]+)\/(\d{8})\/([\w-]{0,64})\/s3\/aws4_request, ?SignedHeaders=([^\sA-Z;,]+(?:;[^\sA-Z;,]+)*), ?Signature=([0-9a-f]{64})$/;

const signatureDigits = 64;

/** So many are remembered of those that differ in more than their signatures. With the longest they take 4 MiB. */
const maxKnown = 256;

/**
 * Remembers what headers say. Those of a client have their signatures at the end, and are alike before that for a day.
 * To read one takes a fifth of the time that all of a signature takes.
 */
export class KnownHeaders {
  readonly #known = new LRUCache<string, Signer>({ max: maxKnown });
  /** What was remembered last: the other requests of a client say the same. */
  #last: { readonly before: string; readonly signer: Signer } | undefined;

  /**
   * What {@link parseHeader} makes of it. Undefined if it is not like one that is remembered. Whether its end has the
   * form of a signature is not looked at.
   */
  find(header: string): Authorization | undefined {
    const before = header.slice(0, -signatureDigits);
    const signer = before === this.#last?.before ? this.#last.signer : this.#known.get(before);
    return signer === undefined ? undefined : { ...unnamed, signer, signature: header.slice(-signatureDigits) };
  }

  /** Remembers a header with which a request was signed: who has no secret drives out none of them. */
  keep(header: string, { signer, signature }: Authorization): void {
    const before = header.slice(0, -signatureDigits);
    if (!before.endsWith("Signature=") || !header.endsWith(signature)) return;
    this.#known.set(before, signer);
    this.#last = { before, signer };
  }
}

/** What a header does not say. */
const unnamed = { time: undefined, expiresSeconds: undefined, sessionToken: undefined };

const maxExpiresSeconds = 604_800;

/** Parameters of the query that are about the signature. They are no part of what is asked for. */
export const signatureParameters = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-SignedHeaders",
  "X-Amz-Signature",
  "X-Amz-Security-Token",
  "X-Amz-Content-Sha256",
] as const;

/**
 * @param header The value of `Authorization`.
 * @throws S3Error `AuthorizationHeaderMalformed`.
 */
export function parseHeader(header: string): Authorization {
  if (header.startsWith("AWS ")) {
    const detail = `signature version 2 is spoken in presigned requests only: sign with ${algorithm} (version 4)`;
    throw new S3Error("InvalidRequest", detail);
  }
  if (!header.startsWith(`${algorithm} `)) throw malformed(`Authorization must begin with ${algorithm}`);
  const usual = usualHeader.exec(header);
  if (usual !== null) {
    const [, accessKeyId = "", day = "", region = "", names = "", signature = ""] = usual;
    const signer = { accessKeyId, scope: { day, region }, signedHeaders: new SignedHeaders(names) };
    return { ...unnamed, signer, signature };
  }
  const fields = new Map<string, string>();
  for (const field of header.slice(algorithm.length + 1).split(",")) {
    const at = field.indexOf("=");
    const name = field.slice(0, at).trim();
    if (at === -1 || fields.has(name)) throw malformed("Authorization is Credential=…, SignedHeaders=…, Signature=…");
    fields.set(name, field.slice(at + 1).trim());
  }
  const credential = fields.get("Credential");
  const signedHeaders = fields.get("SignedHeaders");
  const signature = fields.get("Signature");
  if (fields.size !== 3 || credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw malformed("Authorization has three parts: Credential, SignedHeaders and Signature");
  }
  return { ...unnamed, ...parseProof(credential, signedHeaders, signature, malformed) };
}

/** @throws S3Error `AuthorizationQueryParametersError`. */
export function parseQuery(query: Query): Authorization {
  const required = (name: (typeof signatureParameters)[number]): string => {
    const value = query.get(name);
    if (value === undefined) throw malformedQuery(`the parameter ${name} is missing`);
    return value;
  };
  if (required("X-Amz-Algorithm") !== algorithm) throw malformedQuery(`X-Amz-Algorithm must be ${algorithm}`);
  const expires = required("X-Amz-Expires");
  const expiresSeconds = /^\d{1,6}$/.test(expires) ? Number(expires) : 0;
  if (expiresSeconds < 1 || expiresSeconds > maxExpiresSeconds) {
    throw malformedQuery(`X-Amz-Expires must be 1 to ${maxExpiresSeconds} seconds`);
  }
  const proof = [required("X-Amz-Credential"), required("X-Amz-SignedHeaders"), required("X-Amz-Signature")] as const;
  return {
    ...parseProof(...proof, malformedQuery),
    time: required("X-Amz-Date"),
    expiresSeconds,
    sessionToken: query.get("X-Amz-Security-Token"),
  };
}

const regionPattern = /^[\w-]{0,64}$/;

type Fail = (detail: string) => S3Error;

function parseCredential(text: string, fail: Fail): Pick<Signer, "accessKeyId" | "scope"> {
  // A key's id may have slashes in it. What follows it has none.
  const parts = text.split("/");
  const [day = "", region = "", service, end] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join("/");
  if (
    accessKeyId === "" ||
    !/^\d{8}$/.test(day) ||
    !regionPattern.test(region) ||
    service !== "s3" ||
    end !== "aws4_request"
  ) {
    throw fail("the credential must be KEY/DAY/REGION/s3/aws4_request");
  }
  return { accessKeyId, scope: { day, region } };
}

function parseProof(
  credential: string,
  names: string,
  signature: string,
  fail: Fail,
): Pick<Authorization, "signer" | "signature"> {
  const { accessKeyId, scope } = parseCredential(credential, fail);
  if (!isSha256(signature)) throw fail("the signature must be 64 lower-case hexadecimal digits");
  if (!/^[^\sA-Z;,]+(?:;[^\sA-Z;,]+)*$/.test(names)) {
    throw fail("the signed headers must be lower-case names with semicolons between them");
  }
  return { signer: { accessKeyId, scope, signedHeaders: new SignedHeaders(names) }, signature };
}

function malformed(detail: string): S3Error {
  return new S3Error("AuthorizationHeaderMalformed", detail);
}

function malformedQuery(detail: string): S3Error {
  return new S3Error("AuthorizationQueryParametersError", detail);
}
