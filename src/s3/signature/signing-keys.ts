/**
 * The keys that signatures are made with. One is derived from a secret in four steps, for a day and a region. That
 * costs more than all else about a signature, so the keys are kept.
 */

import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { assert } from "../../base/assert.ts";
import type { CredentialScope } from "./authorization.ts";

/** More than what is signed has, as a rule. */
const usualTextBytes = 512;

/** One for each key in use and day. A caller names the region, so there could be any number. */
const maxKeys = 1_024;

export class SigningKeys {
  readonly #keys = new LRUCache<string, SigningKey>({ max: maxKeys });
  /** That of the request before. Requests that say the same of their signer have one scope: see `KnownHeaders`. */
  #last: { readonly secret: string; readonly scope: CredentialScope; readonly key: SigningKey } | undefined;

  keyFor(secret: string, scope: CredentialScope): SigningKey {
    const last = this.#last;
    if (last !== undefined && last.scope === scope && last.secret === secret) return last.key;
    const key = this.#keys.get(nameOf(secret, scope)) ?? derive(secret, scope);
    this.#last = { secret, scope, key };
    return key;
  }

  /** Keeps a key with which a request was signed: who has no secret drives out none of them. */
  keep(secret: string, scope: CredentialScope, key: SigningKey): void {
    if (key.isKept) return;
    key.isKept = true;
    this.#keys.set(nameOf(secret, scope), key);
  }
}

function derive(secret: string, { day, region }: CredentialScope): SigningKey {
  const key = [day, region, "s3", "aws4_request"].reduce<Buffer>(
    (derived, step) => createHmac("sha256", derived).update(step).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  return new SigningKey(key);
}

/** Bytes of a block, and of a hash, of SHA-256. */
const blockBytes = 64;
const hashBytes = 32;

/** The digits that are compared. Both are written anew each time. */
const made = Buffer.alloc(2 * hashBytes);
const given = Buffer.alloc(2 * hashBytes);

/**
 * Makes signatures: HMAC-SHA256 (RFC 2104), by two hashes that are each one call. The runtime's object for it costs
 * five times as much, a tenth of a PUT.
 */
export class SigningKey {
  /** The key's blocks, each with room for what is hashed with it. */
  #inner: Buffer;
  readonly #outer = Buffer.alloc(blockBytes + hashBytes, 0x5c);
  /** The context that is in {@link #inner}. */
  #context = "";
  /** Of {@link #inner}, what was hashed last: most of what is signed is as long. */
  #filled: Buffer;
  /** Whether {@link SigningKeys} has it. One that was driven out is derived anew. */
  isKept = false;

  /** @param key No longer than a block. */
  constructor(key: Uint8Array) {
    assert(key.length <= blockBytes, "a longer key would be hashed first");
    this.#inner = Buffer.alloc(blockBytes + usualTextBytes, 0x36);
    for (const [at, byte] of key.entries()) {
      this.#inner[at] = 0x36 ^ byte;
      this.#outer[at] = 0x5c ^ byte;
    }
    this.#filled = this.#inner;
  }

  /**
   * Whether this is the signature of a text of ASCII: the context, and what follows it. Compares in constant time.
   *
   * @param context It stays where it is while the next one is the same, as that of most requests of a second is.
   * @param signature In lower-case hexadecimal digits.
   */
  signed(context: string, text: string, signature: string): boolean {
    const textAt = blockBytes + context.length;
    const end = textAt + text.length;
    if (end > this.#inner.length) this.#inner = Buffer.concat([this.#inner], end);
    if (end !== this.#filled.length) this.#filled = this.#inner.subarray(0, end);
    if (context !== this.#context) this.#inner.write(context, blockBytes, "latin1");
    this.#context = context;
    this.#inner.write(text, textAt, "latin1");
    // A hash as a string of bytes costs a third of one in a buffer of its own.
    this.#outer.write(hash("sha256", this.#filled, "binary"), blockBytes, "latin1");
    made.write(hash("sha256", this.#outer), "latin1");
    const isWhole = signature.length === given.length && given.write(signature) === given.length;
    return isWhole && timingSafeEqual(made, given);
  }
}

/** A new secret under the same id has another key. */
function nameOf(secret: string, { day, region }: CredentialScope): string {
  return `${day}/${region}/${secret}`;
}

export function scopeText({ day, region }: CredentialScope): string {
  return `${day}/${region}/s3/aws4_request`;
}
