/**
 * The keys that signatures are made with. One is derived from a secret in four steps, for a day and a region. That
 * costs more than all else about a signature, so the keys are kept.
 */

import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { CredentialScope } from "./authorization.ts";

/** One for each key in use and day. A caller names the region, so there could be any number. */
const maxKeys = 1_024;

export class SigningKeys {
  readonly #keys = new LRUCache<string, KeyObject>({ max: maxKeys });

  keyFor(secret: string, scope: CredentialScope): KeyObject {
    const known = this.#keys.get(nameOf(secret, scope));
    if (known !== undefined) return known;
    const { day, region } = scope;
    const steps = [day, region, "s3", "aws4_request"];
    const key = steps.reduce<Buffer>(
      (derived, step) => createHmac("sha256", derived).update(step).digest(),
      Buffer.from(`AWS4${secret}`),
    );
    return createSecretKey(key);
  }

  /** Keeps a key with which a request was signed: who has no secret drives out none of them. */
  keep(secret: string, scope: CredentialScope, key: KeyObject): void {
    const name = nameOf(secret, scope);
    if (!this.#keys.has(name)) this.#keys.set(name, key);
  }
}

/** A new secret under the same id has another key. */
function nameOf(secret: string, { day, region }: CredentialScope): string {
  return `${day}/${region}/${secret}`;
}

/** The signature of a text, as 32 bytes. */
export function sign(key: KeyObject, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The SHA-256 of a text whose characters are bytes, in hexadecimal digits. */
export function sha256(text: string): string {
  return hash("sha256", Buffer.from(text, "latin1"));
}

/** The SHA-256 of nothing. */
export const emptySha256 = hash("sha256", "");

export function scopeText({ day, region }: CredentialScope): string {
  return `${day}/${region}/s3/aws4_request`;
}
