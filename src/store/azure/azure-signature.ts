/**
 * Shared access signatures (SAS) for one container of Azure: the one form of authorisation that carries its own expiry, so that a request which
 * was held up (by a paused process, a slow network) is refused by the store instead of taking effect late. After Azure's "Create a service
 * SAS" and "Create a user delegation SAS"; which time to sign for is the caller's business.
 *
 * Signed is the container, not the blob: what the name of a blob looks like on the wire then can't make a difference to the signature, and
 * requests of the same kind that expire in the same second share one.
 */

import { createHmac } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { encodeQuery } from "../http/percent-encoding.ts";

/** The version of the service whose rules hold for what is signed and for the request as a whole. */
export const serviceVersion = "2021-12-02";

/** What signs: an account's key, or one that Azure gave to an identity for some hours. */
export interface SasKey {
  readonly secret: Buffer;
  /** Of a user delegation key, which the signature has to name. */
  readonly delegation?: Delegation;
}

/** As Azure gave them. */
export interface Delegation {
  readonly objectId: string;
  readonly tenantId: string;
  readonly start: string;
  readonly expiry: string;
  readonly service: string;
  readonly version: string;
}

/** What a signature allows: to read, write, delete blobs, or to list them. */
export type Permission = "r" | "w" | "d" | "l";

export class SasSigner {
  /** `/blob/account/container`: also where the account is in the path of the URL, or in neither. */
  readonly #resource: string;
  readonly #last = new Map<Permission, { readonly key: SasKey; readonly endSeconds: number; readonly query: string }>();

  constructor(account: string, container: string) {
    this.#resource = `/blob/${account}/${container}`;
  }

  /**
   * The query that authorises a request.
   *
   * @param endSeconds until when, in whole seconds since 1970.
   */
  sign(key: SasKey, permission: Permission, endSeconds: number): string {
    const last = this.#last.get(permission);
    if (last !== undefined && last.key === key && last.endSeconds === endSeconds) return last.query;
    const query = this.#newQuery(key, permission, endSeconds);
    this.#last.set(permission, { key, endSeconds, query });
    return query;
  }

  #newQuery({ secret, delegation }: SasKey, permission: Permission, endSeconds: number): string {
    assert(Number.isInteger(endSeconds), "a signature ends with a whole second");
    const end = `${new Date(endSeconds * 1_000).toISOString().slice(0, 19)}Z`;
    const { objectId = "", tenantId = "", start = "", expiry = "", service = "", version = "" } = delegation ?? {};
    const by =
      delegation === undefined
        ? [""] // No stored access policy.
        : [objectId, tenantId, start, expiry, service, version, "", "", ""];
    // Without: start, addresses, protocol; snapshot, encryption scope, and five headers of the answer to replace.
    const lines = [permission, "", end, this.#resource, ...by, "", "", serviceVersion, "c", "", "", "", "", "", "", ""];
    const parameters = [
      ["sv", serviceVersion],
      ["sr", "c"],
      ["se", end],
      ["sp", permission],
      ...(delegation === undefined
        ? []
        : [
            ["skoid", objectId],
            ["sktid", tenantId],
            ["skt", start],
            ["ske", expiry],
            ["sks", service],
            ["skv", version],
          ]),
      ["sig", createHmac("sha256", secret).update(lines.join("\n")).digest("base64")],
    ] as [string, string][];
    return parameters.map(([name, value]) => `${name}=${encodeQuery(value)}`).join("&");
  }
}
