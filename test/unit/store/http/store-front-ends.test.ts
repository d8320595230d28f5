/**
 * For which time requests are signed, over real connections to front ends whose `Date` differs, and to a store that has
 * not been asked for long (F4).
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import type { Clock } from "../../../../src/base/clock.ts";
import { Complaints } from "../../../../src/base/complaints.ts";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { AzureStore } from "../../../../src/store/azure/azure-store.ts";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { S3Store } from "../../../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../../../src/system.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";

const deadlineMs = 9_000;
const content = { body: Buffer.from("x"), headers: {} };
const always = { kind: "always" } as const;

/** What a front end does: how far its clock is ahead, or that it answers nothing of its own. */
interface FrontEnd {
  readonly aheadMs: number;
  readonly status?: number;
}

interface Seen {
  readonly method: string;
  readonly url: URL;
}

/** A store behind front ends that take turns, for a client whose host's clock can be moved on. */
async function storeBehind(kind: "s3" | "azure", frontEnds: FrontEnd[]) {
  const seen: Seen[] = [];
  let next = 0;
  const server = createServer((request, response) => {
    const { method = "", url = "" } = request;
    seen.push({ method, url: new URL(url, "http://test") });
    const { aheadMs, status } = frontEnds[next++ % frontEnds.length] as FrontEnd;
    response.sendDate = false;
    response.setHeader("Date", new Date(Date.now() + aheadMs).toUTCString());
    response.setHeader("ETag", '"1"');
    response.statusCode = status ?? (method === "PUT" && kind === "azure" ? 201 : 200);
    request.resume().on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  let skippedMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    wallMs: () => systemClock.wallMs() + skippedMs,
  };
  const log = new RecordedLog();
  const ports = { clock, random: systemRandom, complaints: new Complaints(log, clock, 60_000) };
  const common = { prefix: "", connections: 4, endpoint };
  const store: BlobStore =
    kind === "s3"
      ? new S3Store({ ...common, region: "r", accessKeyId: "id", secretAccessKey: "key", bucket: "photos" }, ports)
      : new AzureStore({ ...common, account: "acc", accountKey: "a2V5", container: "photos" }, ports);
  return {
    store,
    seen,
    log,
    frontEnds,
    skip: (ms: number) => {
      skippedMs += ms;
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** When the signature of a request ends, milliseconds since 1970. */
function endOf({ url }: Seen): number {
  const query = url.searchParams;
  const azure = query.get("se");
  if (azure !== null) return Date.parse(azure);
  const basic = query.get("X-Amz-Date") ?? "";
  const iso = basic.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Date.parse(iso) + Number(query.get("X-Amz-Expires")) * 1_000;
}

for (const kind of ["s3", "azure"] as const) {
  describe(kind, () => {
    test("A store with a proxy that is 60 s ahead of the other front ends gets no request that is signed into the future", async () => {
      await using host = await storeBehind(kind, [{ aheadMs: 0 }, { aheadMs: 60_000 }, { aheadMs: 60_000 }]);
      for (let i = 0; i < 9; i += 1) {
        const latestEndMs = Date.now() + deadlineMs;
        await host.store.write(`k${i}`, content, always, { deadlineMs });
        await host.store.remove(`k${i}`, always, { deadlineMs }).catch(() => undefined);
        for (const request of host.seen.splice(0)) {
          const lateMs = endOf(request) - latestEndMs;
          assert(lateMs <= 300, `${request.method} ends ${lateMs} ms late`);
          assert(lateMs > -3_000, `${request.method} ends ${-lateMs} ms early`);
        }
      }
      assert(
        host.log
          .messages("warn")
          .includes("the store's answers differ in their time of day; requests are signed for the earliest"),
      );
    });

    test("A store with a front end that is behind gets requests that end by that front end's clock", async () => {
      await using host = await storeBehind(kind, [{ aheadMs: -20_000 }, { aheadMs: 0 }]);
      for (let i = 0; i < 2; i += 1) await host.store.write(`k${i}`, content, always, { deadlineMs });
      host.seen.length = 0;
      const latestEndMs = Date.now() - 20_000 + deadlineMs;
      await host.store.write("k", content, always, { deadlineMs });
      assert(endOf(host.seen[0] as Seen) <= latestEndMs + 300);
    });

    test("A store that was not asked for a minute is asked for its time before anything is signed", async () => {
      await using host = await storeBehind(kind, [{ aheadMs: 0 }]);
      await host.store.write("first", content, always, { deadlineMs });
      // The host's clock goes too fast: a day for it was 9 s less for the store.
      host.skip(86_400_000);
      host.frontEnds[0] = { aheadMs: 86_391_000 };
      host.seen.length = 0;
      const latestEndMs = Date.now() + 86_391_000 + deadlineMs;
      await Promise.all(["a", "b"].map((name) => host.store.write(name, content, always, { deadlineMs })));
      assert.deepEqual(
        host.seen.map(({ method }) => method),
        ["HEAD", "PUT", "PUT"],
      );
      for (const request of host.seen.slice(1)) {
        const lateMs = endOf(request) - latestEndMs;
        assert(lateMs <= 300, `it ends ${lateMs} ms late`);
      }
    });

    test("A store that was not asked for a minute, and does not tell its time, is sent nothing", async () => {
      await using host = await storeBehind(kind, [{ aheadMs: 0 }]);
      await host.store.write("first", content, always, { deadlineMs });
      host.skip(61_000);
      host.frontEnds[0] = { aheadMs: 0, status: 503 };
      host.seen.length = 0;
      const write = host.store.write("late", content, always, { deadlineMs });
      await assert.rejects(write, (error) => isOperatingError(error, "store_unavailable"));
      assert.deepEqual(
        host.seen.map(({ method }) => method),
        ["HEAD"],
      );
    });
  });
}
