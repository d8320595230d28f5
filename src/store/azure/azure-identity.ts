/**
 * The key that Azure gives to a host's identity for some hours ("user delegation key"). It is renewed while it is used.
 *
 * A token of the directory (Entra ID) could authorise each request by itself. But such a request never expires. So weir
 * buys keys with tokens, and signs with the keys.
 */

import type { Pool } from "undici";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { exchange, header } from "../http/exchange.ts";
import type { StoreTime } from "../http/store-time.ts";
import { elementIn } from "../http/xml.ts";
import { failureError, readFailure } from "./azure-errors.ts";
import { type SasKey, serviceVersion } from "./azure-signature.ts";
import type { AzureTarget } from "./azure-target.ts";

/**
 * How long a key is asked for, in milliseconds. An identity that loses its rights keeps them for as long at most.
 * Azure's limit is a week.
 */
const lifetimeMs = 2 * 3_600_000;

/** With less than this left, the key is renewed in the background. So the directory may be away for as long. */
const renewalMs = lifetimeMs / 2;

/** With less than this left, the key is not used any more. No signature is valid for as long. */
const leastMs = 10 * 60_000;

/** Milliseconds between two attempts in the background. */
const pauseMs = 30_000;

/** Milliseconds for each of the two requests of a renewal. */
const deadlineMs = 30_000;

const scope = "https://storage.azure.com/.default";
const advice =
  "give accountKey or connectionString, or run weir where Azure gives it an identity (a managed identity, a workload identity, a login of the Azure CLI)";

export class IdentityKey {
  readonly #target: AzureTarget;
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #time: StoreTime;
  #token: (() => Promise<string>) | undefined;
  #held: { readonly key: SasKey; readonly endMs: number } | undefined;
  #renewal: Promise<SasKey> | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;

  /** @param time The store's time. The store judges the key's expiry. */
  constructor(target: AzureTarget, pool: Pool, clock: Clock, time: StoreTime) {
    this.#target = target;
    this.#pool = pool;
    this.#clock = clock;
    this.#time = time;
  }

  /** A key that outlives any signature. */
  current(): SasKey | Promise<SasKey> {
    const now = this.#clock.now();
    const held = this.#held;
    const leftMs = held === undefined ? 0 : held.endMs - this.#time.at(now);
    if (held === undefined || leftMs < leastMs) return this.#renew();
    if (leftMs < renewalMs && now - this.#renewedAt >= pauseMs) {
      // If the renewal fails, the next request that needs a new key asks again and gets the error.
      this.#renew().catch(() => undefined);
    }
    return held.key;
  }

  #renew(): Promise<SasKey> {
    this.#renewal ??= this.#ask().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #ask(): Promise<SasKey> {
    this.#renewedAt = this.#clock.now();
    const token = await this.#newToken();
    // Never later than the store's own time, so the key is valid at once.
    const startMs = this.#time.at(this.#clock.now());
    const endMs = startMs + lifetimeMs;
    const validity = `<Start>${timeText(startMs)}</Start><Expiry>${timeText(endMs)}</Expiry>`;
    const sentAt = this.#clock.now();
    const answer = await exchange(this.#pool, this.#clock, {
      method: "POST",
      path: `${this.#target.accountPath}/?restype=service&comp=userdelegationkey`,
      headers: {
        host: this.#target.host,
        authorization: `Bearer ${token}`,
        "content-type": "application/xml",
        "x-ms-version": serviceVersion,
      },
      body: Buffer.from(`<?xml version="1.0" encoding="utf-8"?><KeyInfo>${validity}</KeyInfo>`),
      deadlineMs,
      maxBodyBytes: 65_536,
    });
    if (answer.status < 500) this.#time.learn(header(answer, "date"), sentAt);
    const body = answer.body?.toString() ?? "";
    if (answer.status !== 200) {
      throw failureError(readFailure(answer), `asking for a key of the account ${this.#target.account}`, "");
    }
    const key = parseKey(body);
    this.#held = { key, endMs };
    return key;
  }

  async #newToken(): Promise<string> {
    try {
      this.#token ??= await openIdentity();
      return await this.#token();
    } catch (cause) {
      const isFinal = /^(?:CredentialUnavailable|AuthenticationRequired|AggregateAuthentication)Error$/.test(
        (cause as Error).name,
      );
      const reason = `this host's identity can't be proved to Azure: ${(cause as Error).message}`;
      throw new OperatingError(isFinal ? "store_refused" : "store_unavailable", `${reason}; ${advice}`, { cause });
    }
  }
}

/**
 * Costs some 130 ms and 40 MiB, so it is loaded only if there is no other key. It caches its tokens until shortly
 * before they expire.
 */
async function openIdentity(): Promise<() => Promise<string>> {
  const { DefaultAzureCredential } = await import("@azure/identity");
  const credential = new DefaultAzureCredential();
  return async () => (await credential.getToken(scope, { requestOptions: { timeout: deadlineMs } })).token;
}

/** To the second. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function parseKey(xml: string): SasKey {
  const field = (name: string): string => {
    const value = elementIn(xml, name);
    if (!value) throw new OperatingError("store_unavailable", `the store's answer lacks ${name}`);
    return value;
  };
  return {
    secret: Buffer.from(field("Value"), "base64"),
    delegation: {
      objectId: field("SignedOid"),
      tenantId: field("SignedTid"),
      start: field("SignedStart"),
      expiry: field("SignedExpiry"),
      service: field("SignedService"),
      version: field("SignedVersion"),
    },
  };
}
