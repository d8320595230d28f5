/**
 * Where a container is reached, and what signs its requests. That is an account's key, or a key that Azure gives to an
 * identity of its directory (Entra ID). Azure has rules of its own for a host's identity: managed identities, workload
 * identities, a developer's login. So Azure's library finds the identity. It is loaded only if there is no account key.
 */

import { OperatingError } from "../../base/errors.ts";
import { encodePath } from "../http/percent-encoding.ts";
import type { SasKey } from "./azure-signature.ts";

export interface AzureLocation {
  readonly container: string;
  /** Otherwise the connection string's account, or AZURE_STORAGE_ACCOUNT. */
  readonly account?: string | undefined;
  /** Base URL, by default Azure's. Its path names the account if the host's name does not. */
  readonly endpoint?: string | undefined;
  /** In base64, as Azure gives it. Otherwise AZURE_STORAGE_KEY, or else the host's identity. */
  readonly accountKey?: string | undefined;
  /** Replaces all of these. If none of them is given, it is AZURE_STORAGE_CONNECTION_STRING. */
  readonly connectionString?: string | undefined;
}

export interface AzureTarget {
  /** Such as `https://photos.blob.core.windows.net`. */
  readonly origin: string;
  /** The `Host` header. */
  readonly host: string;
  /** The path of the account: empty, or such as `/devstoreaccount1`. */
  readonly accountPath: string;
  /** The path of the container, without a slash at its end. */
  readonly containerPath: string;
  readonly account: string;
  /** Undefined if the host's identity must be asked for a key. */
  readonly key: SasKey | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const accountAdvice =
  "give account and accountKey, or connectionString, or account alone to have the host's identity used";

/** The account that every emulator of the service has. Its key is no secret. */
const emulator =
  "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;" +
  "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/**
 * @throws OperatingError `store_refused` when no account is named, or the settings that name it cannot be understood.
 */
export function resolveTarget(location: AzureLocation, env: Environment): AzureTarget {
  const { container } = location;
  const { account, endpoint, accountKey } = resolveAccount(location, env);
  if (account === undefined) throw refused(`no account is named; ${accountAdvice}`);
  const url = URL.parse(endpoint ?? `https://${account}.blob.core.windows.net`);
  if (url === null || !/^https?:$/.test(url.protocol)) throw refused("the endpoint is not an http:// or https:// URL");
  const key = accountKey === undefined ? undefined : { secret: Buffer.from(accountKey, "base64") };
  // Node accepts any text as base64, so the key must come out as it went in. Azure's keys have 64 bytes.
  if (key !== undefined && key.secret.toString("base64") !== accountKey)
    throw refused("the account's key is not base64");
  if (key === undefined && url.protocol !== "https:") {
    throw refused(
      "without a key the host's identity is used, which is proved over https:// only; correct the endpoint",
    );
  }
  const accountPath = url.pathname.replace(/\/$/, "");
  const containerPath = `${accountPath}/${encodePath(container)}`;
  return { origin: url.origin, host: url.host, accountPath, containerPath, account, key };
}

type Account = Pick<AzureLocation, "account" | "endpoint" | "accountKey">;

function resolveAccount(location: AzureLocation, env: Environment): Account {
  const { connectionString, account, endpoint, accountKey } = location;
  const isBare = account === undefined && endpoint === undefined && accountKey === undefined;
  const text = connectionString ?? (isBare ? env["AZURE_STORAGE_CONNECTION_STRING"] : undefined);
  if (text) return parseConnectionString(text);
  return {
    account: account ?? env["AZURE_STORAGE_ACCOUNT"],
    endpoint,
    accountKey: accountKey ?? env["AZURE_STORAGE_KEY"],
  };
}

/** Reads `AccountName=…;AccountKey=…;…` as the portal gives it. Its values are secrets: no message has one. */
function parseConnectionString(text: string): Account {
  const fields = new Map<string, string>();
  for (const part of text.split(";")) {
    const [, name, value] = /^\s*(\w+)=(.*)$/.exec(part) ?? [];
    if (name !== undefined) fields.set(name.toLowerCase(), value as string);
    else if (part.trim() !== "") throw refused("the connection string is not NAME=VALUE;NAME=VALUE;…");
  }
  if (fields.get("usedevelopmentstorage") === "true") return parseConnectionString(emulator);
  if (fields.has("sharedaccesssignature")) {
    throw refused(
      "the connection string has a shared access signature in place of the account's key: weir signs each request by itself, so that none takes effect late; use one with AccountKey",
    );
  }
  const account = fields.get("accountname");
  const accountKey = fields.get("accountkey");
  if (account === undefined || accountKey === undefined) {
    throw refused("the connection string lacks AccountName or AccountKey");
  }
  const protocol = fields.get("defaultendpointsprotocol") ?? "https";
  const suffix = fields.get("endpointsuffix") ?? "core.windows.net";
  return { account, accountKey, endpoint: fields.get("blobendpoint") ?? `${protocol}://${account}.blob.${suffix}` };
}

function refused(reason: string): OperatingError {
  return new OperatingError("store_refused", `can't find out how to reach the container: ${reason}`);
}
