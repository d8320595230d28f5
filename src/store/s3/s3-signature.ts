/**
 * AWS Signature Version 4 in the query string ("presigned"). It is the one form of signature that carries its own
 * expiry. A paused process or a slow network may hold a request up. The store then refuses it, so it cannot take effect
 * late.
 *
 * This is the arithmetic only, after AWS's "Authenticating Requests: Using Query Parameters". The caller chooses the
 * time to sign for.
 */

import { createHmac, hash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { encodeQuery } from "../http/percent-encoding.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The token of temporary credentials. */
  readonly sessionToken?: string;
}

export interface SigningRequest {
  readonly method: string;
  /** As it goes on the wire: see `encodePath`. */
  readonly path: string;
  /** The request's own parameters, unencoded, such as `[["versioning", ""]]`. */
  readonly query?: readonly (readonly [string, string])[];
  /**
   * The headers to sign, `host` among them. Names are in lower case and ascending. Values are printable ASCII, without
   * spaces at either end or in a row. The signature is over trimmed values, and servers differ in how they trim.
   */
  readonly headers: readonly (readonly [string, string])[];
  /** When the validity begins, milliseconds since 1970, cut to the second. */
  readonly timeMs: number;
  /** How long the validity lasts: a whole number of seconds from 1 to 604,800 (a week, S3's limit). */
  readonly expiresSeconds: number;
}

const maxExpiresSeconds = 604_800;

/**
 * Signs for one region of S3 with one key at a time. It keeps the day's signing key, which costs more than the rest.
 */
export class QuerySigner {
  readonly #region: string;
  #secret = "";
  #day = "";
  #key: Buffer = Buffer.alloc(0);

  constructor(region: string) {
    this.#region = region;
  }

  /**
   * The path with its complete query. It must be sent with exactly the headers that were signed. Others may be added.
   */
  sign(request: SigningRequest, credentials: Credentials): string {
    const { expiresSeconds, headers } = request;
    assert(
      Number.isInteger(expiresSeconds) && expiresSeconds >= 1 && expiresSeconds <= maxExpiresSeconds,
      "a signature is valid for 1 to 604,800 whole seconds",
    );
    const time = basicTime(request.timeMs);
    const day = time.slice(0, 8);
    const scope = `${day}/${this.#region}/s3/aws4_request`;
    let names = "";
    let lines = "";
    for (const [name, value] of headers) {
      names += names === "" ? name : `;${name}`;
      lines += `${name}:${value}\n`;
    }
    const query: [string, string][] = [
      ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
      ["X-Amz-Credential", `${credentials.accessKeyId}/${scope}`],
      ["X-Amz-Date", time],
      ["X-Amz-Expires", String(expiresSeconds)],
    ];
    if (credentials.sessionToken !== undefined) query.push(["X-Amz-Security-Token", credentials.sessionToken]);
    query.push(["X-Amz-SignedHeaders", names]);
    const queryText = formatQuery(request.query === undefined ? query : sorted([...query, ...request.query]));
    const canonical = `${request.method}\n${request.path}\n${queryText}\n${lines}\n${names}\nUNSIGNED-PAYLOAD`;
    const signature = createHmac("sha256", this.#signingKey(credentials.secretAccessKey, day))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash("sha256", canonical)}`)
      .digest("hex");
    return `${request.path}?${queryText}&X-Amz-Signature=${signature}`;
  }

  #signingKey(secret: string, day: string): Buffer {
    if (secret !== this.#secret || day !== this.#day) {
      const steps = [day, this.#region, "s3", "aws4_request"];
      this.#key = steps.reduce<Buffer>((key, step) => hmac(key, step), Buffer.from(`AWS4${secret}`));
      this.#secret = secret;
      this.#day = day;
    }
    return this.#key;
  }
}

function formatQuery(parameters: readonly (readonly [string, string])[]): string {
  return parameters.map(([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`).join("&");
}

/** By encoded name. None of our requests repeats one. */
function sorted(parameters: [string, string][] | (readonly [string, string])[]): (readonly [string, string])[] {
  return parameters.toSorted(([a], [b]) => (encodeQuery(a) < encodeQuery(b) ? -1 : 1));
}

/** Such as `20130524T000000Z`. */
function basicTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
