/**
 * The server of Azure's blob service that tests use: the emulator that `npm test` starts, or another, named by
 * `WEIR_TEST_AZURE_ENDPOINT`, `_ACCOUNT` and `_KEY`. Every test has a container of its own in it, looked at with
 * Azure's own client.
 */

import { ContainerClient as Client, type ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import type { AzureStoreSettings } from "../../src/store/azure/azure-store.ts";

export interface AzureServer {
  readonly endpoint: string;
  readonly account: string;
  readonly accountKey: string;
}

/**
 * The server that the environment names, or the reason why there is none. In continuous integration there must be one.
 */
export function azureServerFromEnvironment(): AzureServer | string {
  const { env } = process;
  const endpoint = env["WEIR_TEST_AZURE_ENDPOINT"];
  if (endpoint !== undefined) {
    return { endpoint, account: env["WEIR_TEST_AZURE_ACCOUNT"] ?? "", accountKey: env["WEIR_TEST_AZURE_KEY"] ?? "" };
  }
  const reason = "WEIR_TEST_AZURE_ENDPOINT is not set: npm test starts a server and sets it";
  if (env["CI"] !== undefined) throw new Error(reason);
  return reason;
}

/** A new container, as Azure's own client sees it. */
export async function freshContainer(server: AzureServer): Promise<ContainerClient> {
  const name = `weir-test-${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const client = containerClient(server, name);
  await client.create();
  return client;
}

export function containerClient(server: AzureServer, name: string): ContainerClient {
  const credential = new StorageSharedKeyCredential(server.account, server.accountKey);
  return new Client(`${server.endpoint}/${name}`, credential);
}

/** Settings of a store in the container. */
export function storeSettings(server: AzureServer, { containerName }: ContainerClient): AzureStoreSettings {
  return { ...server, container: containerName, prefix: "", connections: 16 };
}
