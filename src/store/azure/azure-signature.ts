/**
 * Shared access signatures (SAS) for one container of Azure. They are the one form of authorisation that carries its
 * own expiry. A paused process or a slow network may hold a request up. The store then refuses it, so it cannot take
 * effect late.
 *
 * This follows Azure's "Create a service SAS" and "Create a user delegation SAS". The caller chooses the time to sign
 * for.
 *
 * The signature is over the container, not the blob. So a blob's name on the wire makes no difference to it. Requests
 * of one kind that expire in the same second share one signature.
 */

import { createHmac } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { encodeQuery } from "../http/percent-encoding.ts";

/** The version of the service whose rules hold for the signature and for the whole request. */
export const serviceVersion = "2021-12-02";

/** What signs: an account's key, or a key that Azure gave to an identity for some hours. */
export interface SasKey {
  readonly secret: Buffer;
  /** The delegation of a user delegation key. The signature has to name it. */
  readonly delegation?: Delegation;
}

/** The fields as Azure gave them. */
export interface Delegation {
  readonly objectId: string;
  readonly tenantId: string;
  readonly start: string;
  readonly expiry: string;
  readonly service: string;
  readonly version: string;
}

/** What a signature allows: to read, write or delete blobs, or to list them. */
export type Permission = "r" | "w" | "d" | "l";

export class SasSigner {
  /** `/blob/account/container`, even if the URL has the account in its path or nowhere. */
  readonly #resource: string;
  readonly #last = new Map<Permission, { readonly key: SasKey; readonly endSeconds: number; readonly query: string }>();

  constructor(account: string, container: string) {
    this.#resource = `/blob/${account}/${container}`;
  }

  /**
   * The query that authorises a request.
   *
   * @param endSeconds When the signature expires, in whole seconds since 1970.
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
        ? [""] // no stored access policy
        : [objectId, tenantId, start, expiry, service, version, "", "", ""];
    // The empty lines are the start, addresses and protocol, the snapshot, the encryption scope, and five headers of
    // the answer.
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
