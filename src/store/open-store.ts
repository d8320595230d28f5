/** From a setting to a store. This is the one place that knows which kinds of store there are. */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { unreachable } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { AzureStore, type AzureStoreSettings } from "./azure/azure-store.ts";
import type { BlobStore, StorePorts } from "./blob-store.ts";
import { FileStore, type FileStoreSettings } from "./folder/file-store.ts";
import { ThreadWriter } from "./folder/thread-writer.ts";
import { S3Store, type S3StoreSettings } from "./s3/s3-store.ts";

export type StoreSettings =
  | ({ readonly type: "s3" } & S3StoreSettings)
  | ({ readonly type: "azure" } & AzureStoreSettings)
  | ({ readonly type: "file" } & FileStoreSettings);

/** As many as the flushes that run at a time by default. So a flush never waits for a connection. */
export const defaultConnections = 64;

/** The region of every S3 server but AWS's own. */
const defaultRegion = "us-east-1";

const maxConnections = 1_024;

const s3Parameters = ["connections", "endpoint", "forcePathStyle", "region"];
const azureParameters = ["account", "connections", "endpoint"];

export function openStore(settings: StoreSettings, ports: StorePorts): BlobStore {
  switch (settings.type) {
    case "s3":
      return new S3Store(settings, ports);
    case "azure":
      return new AzureStore(settings, ports);
    case "file":
      return new FileStore(settings, { ...ports, writer: new ThreadWriter(resolve(settings.path), ports.clock) });
    default:
      return unreachable(settings);
  }
}

/**
 * Reads the text of `WEIR_STORE`, which has one of these forms. Prefix and values are percent-encoded.
 * - `s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=…&connections=…`
 * - `azure://container/prefix?account=…&endpoint=…&connections=…`
 * - a folder's path, or `file:` and a path
 *
 * @throws OperatingError `config_invalid`, saying what would be right.
 */
export function parseStoreUrl(text: string): StoreSettings {
  if (text === "") throw invalid("it is empty");
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { type: "file", path: text };
  if (scheme === "file") return { type: "file", path: filePath(text) };
  if (scheme === "s3") return parseS3(text);
  if (scheme === "azure") return parseAzure(text);
  throw invalid(`there is no kind of store "${scheme}"`);
}

function filePath(text: string): string {
  const rest = text.slice("file:".length);
  if (rest === "") throw invalid("file: names no folder");
  if (!rest.startsWith("//")) return decode(rest);
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw invalid(`${text} names no folder of this host`, cause);
  }
}

function parseS3(text: string): StoreSettings {
  const { place, prefix, parameters } = parseAddress(text, s3Parameters, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(place))
    throw invalid(`"${place}" is not the name of a bucket`);
  const endpoint = parseEndpoint(parameters);
  const region = parameters.get("region") ?? (endpoint === undefined ? undefined : defaultRegion);
  const style = parameters.get("forcePathStyle");
  if (style !== null && style !== "true" && style !== "false") throw invalid("forcePathStyle must be true or false");
  return {
    type: "s3",
    bucket: place,
    prefix,
    connections: parseConnections(parameters.get("connections")),
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(style === null ? {} : { forcePathStyle: style === "true" }),
  };
}

function parseAzure(text: string): StoreSettings {
  const { place, prefix, parameters } = parseAddress(
    text,
    azureParameters,
    "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_KEY",
  );
  if (!/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(place)) throw invalid(`"${place}" is not the name of a container`);
  const endpoint = parseEndpoint(parameters);
  const account = parameters.get("account");
  return {
    type: "azure",
    container: place,
    prefix,
    connections: parseConnections(parameters.get("connections")),
    ...(account === null ? {} : { account }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** Reads `scheme://place/prefix?name=value&…`. */
function parseAddress(
  text: string,
  names: readonly string[],
  keyVariables: string,
): { readonly place: string; readonly prefix: string; readonly parameters: URLSearchParams } {
  const parts = /^\w+:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  const place = parts?.[1] ?? "";
  if (place.includes("@")) throw invalid(`keys don't belong in it; set ${keyVariables}, or use cluster.json`);
  const parameters = new URLSearchParams(parts?.[3] ?? "");
  for (const name of parameters.keys()) {
    if (!names.includes(name)) throw invalid(`"${name}" is none of ${names.join(", ")}`);
    if (parameters.getAll(name).length > 1) throw invalid(`"${name}" occurs more than once`);
  }
  return { place, prefix: decode(parts?.[2] ?? ""), parameters };
}

function parseEndpoint(parameters: URLSearchParams): string | undefined {
  const endpoint = parameters.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw invalid(`endpoint must be an http:// or https:// URL, not "${endpoint}"`);
  }
  return endpoint;
}

function parseConnections(text: string | null): number {
  if (text === null) return defaultConnections;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxConnections) {
    throw invalid(`connections must be a whole number from 1 to ${maxConnections}, not "${text}"`);
  }
  return count;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid(`"${text}" is not percent-encoded UTF-8`, cause);
  }
}

function invalid(reason: string, cause?: unknown): OperatingError {
  return new OperatingError(
    "config_invalid",
    `the store's address: ${reason}; write a folder's path, s3://BUCKET/PREFIX?endpoint=URL&region=NAME, or azure://CONTAINER/PREFIX?account=NAME`,
    { cause },
  );
}
