/**
 * What a whole node waits for, and what is to be written, has its turn at the store, however many clients wait for a
 * connection to read (F19).
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { sleep } from "../../../../src/base/clock.ts";
import { Complaints } from "../../../../src/base/complaints.ts";
import { noHeaders } from "../../../../src/core/entry.ts";
import { viewName } from "../../../../src/core/view.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { AzureStore } from "../../../../src/store/azure/azure-store.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { StorePools } from "../../../../src/store/http/store-pools.ts";
import { MeteredStore } from "../../../../src/store/metered-store.ts";
import { S3Store } from "../../../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";

const clock = systemClock;
const ports = { clock, random: systemRandom };
const connections = 4;
/** As long as a lease. */
const leaseMs = 1_000;
const answerMs = 200;

describe("the pools of a store", () => {
  it("keep reads, writes and what is urgent apart", async () => {
    const pools = new StorePools("http://127.0.0.1:1", connections);
    for (const method of ["GET", "HEAD"] as const) assert.equal(pools.poolFor(method, {}), pools.reads);
    for (const method of ["PUT", "POST", "DELETE"] as const) assert.equal(pools.poolFor(method, {}), pools.writes);
    for (const method of ["GET", "PUT"] as const) assert.equal(pools.poolFor(method, { isUrgent: true }), pools.urgent);
    await pools.close();
  });

  it("are all closed, and what is under way in them fails", async () => {
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(server, "listening");
    const pools = new StorePools(`http://127.0.0.1:${(server.address() as { port: number }).port}`, connections);
    const all = [pools.reads, pools.writes, pools.urgent];
    const asked = all.map(async (pool) => {
      const answer = pool.request({ method: "GET", path: "/" });
      await assert.rejects(answer, { code: "UND_ERR_DESTROYED" });
    });
    try {
      for (const pool of all) await once(pool, "connect");
      await pools.close();
      assert.deepEqual(
        all.map((pool) => pool.destroyed),
        [true, true, true],
      );
    } finally {
      server.close();
      server.closeAllConnections();
      await Promise.allSettled(asked);
    }
    await Promise.all(asked);
  });
});

for (const kind of ["s3", "azure"] as const) {
  describe(`a store of kind ${kind}`, () => {
    it("has the view read and values written in time while many more reads of clients wait than there are connections", async () => {
      const server = createServer((request, response) => {
        const isView = request.url?.includes(viewName);
        const isWrite = request.method === "PUT";
        setTimeout(
          () => {
            if (isWrite) response.writeHead(kind === "s3" ? 200 : 201, { etag: '"t"', "content-length": 0 }).end();
            else {
              response.writeHead(404, { "x-ms-error-code": "BlobNotFound" });
              response.end("<Error><Code>NoSuchKey</Code></Error>");
            }
          },
          isView || isWrite ? 0 : answerMs,
        );
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
      const common = { prefix: "", connections, endpoint };
      const keys = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "key" };
      const inner: BlobStore =
        kind === "s3"
          ? new S3Store({ ...common, ...keys, bucket: "photos" }, ports)
          : new AzureStore({ ...common, account: "acc", accountKey: "a2V5", container: "photos" }, ports);
      await using store = new MeteredStore(inner, clock);
      const complaints = new Complaints(new RecordedLog(), clock, 10_000);
      const record = new ViewRecord({ store, ...ports, complaints });
      const reads = Array.from({ length: 10 * connections }, (_, i) => store.read(`k${i}`, 10, { deadlineMs: 10_000 }));
      try {
        assert.equal(await record.read(leaseMs), undefined);
        const content = { body: Buffer.from("x"), headers: noHeaders };
        const write = await store.write("k", content, { kind: "always" }, { deadlineMs: leaseMs });
        assert.equal(write.kind, "written");
        for (const read of reads) assert.equal((await read).kind, "missing");
      } finally {
        await Promise.allSettled(reads);
        server.close();
        server.closeAllConnections();
      }
    });

    it("has the view read in time for the lease while other parts of the node wait for it, whose requests hang", async () => {
      let requests = 0;
      const server = createServer((_request, response) => {
        // To settle, to drop, to leave, to take on a newer view.
        if (++requests <= 4) return;
        response.writeHead(404, { "x-ms-error-code": "BlobNotFound" });
        response.end("<Error><Code>NoSuchKey</Code></Error>");
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
      const common = { prefix: "", connections, endpoint };
      const keys = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "key" };
      await using store: BlobStore =
        kind === "s3"
          ? new S3Store({ ...common, ...keys, bucket: "photos" }, ports)
          : new AzureStore({ ...common, account: "acc", accountKey: "a2V5", container: "photos" }, ports);
      const complaints = new Complaints(new RecordedLog(), clock, 10_000);
      const record = new ViewRecord({ store, ...ports, complaints });
      const hung = [2_000, 2_000, 2_000, 2_000].map((deadlineMs) => record.read(deadlineMs));
      try {
        while (requests < 2) await sleep(clock, 10);
        await sleep(clock, 100);
        assert.equal(await record.read(leaseMs), undefined);
      } finally {
        await Promise.allSettled(hung);
        server.close();
        server.closeAllConnections();
      }
    });
  });
}
