/**
 * A store of S3's or Azure's kind over a server of the test's own, which answers as the test says: for answers that no
 * real store can be made to give.
 */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { AzureStore } from "../../src/store/azure/azure-store.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { S3Store } from "../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";

export interface ScriptedStore extends AsyncDisposable {
  readonly store: BlobStore;
}

const ports = { clock: systemClock, random: systemRandom };

/**
 * Its bucket, or container, is `photos`.
 *
 * @param prefix - the store's own, before every name
 */
export async function scriptedStore(
  kind: "s3" | "azure",
  answer: RequestListener,
  connections = 1,
  prefix = "",
): Promise<ScriptedStore> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const common = { prefix, connections, endpoint };
  const keys = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "key" };
  const store =
    kind === "s3"
      ? new S3Store({ ...common, ...keys, bucket: "photos" }, ports)
      : new AzureStore({ ...common, account: "acc", accountKey: "a2V5", container: "photos" }, ports);
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}
