/**
 * Answers that are not the store's own, but of what stands in front of it: a load balancer that has no route at the
 * moment, a page for people. Nothing of the store follows from them (F17).
 */

import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { systemClock } from "../../../../src/system.ts";
import { type ScriptedStore, scriptedStore } from "../../../harness/scripted-store.ts";

const options = { deadlineMs: 2_000 };
const always = { kind: "always" } as const;
const content = { body: Buffer.from("x"), headers: {}, version: "c.k.1.1" };

/** A store of either kind, over one connection to whoever answers so. */
function front(kind: "s3" | "azure", answer: RequestListener): Promise<ScriptedStore> {
  return scriptedStore(kind, (request, response) => {
    request.resume().on("end", () => answer(request, response));
  });
}

/** What Traefik, for one, says while the store's container restarts. */
function noRoute(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" });
  response.end("404 page not found\n");
}

async function unavailable(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert(isOperatingError(error, "store_unavailable"), String(error));
    return true;
  });
}

for (const kind of ["s3", "azure"] as const) {
  describe(`a store of kind ${kind}, behind a proxy that finds no way to it`, () => {
    it("does not take that for a missing blob", async () => {
      await using host = await front(kind, noRoute);
      await unavailable(host.store.read("k", 10, options));
      await unavailable(host.store.stat("k", options));
      await unavailable(host.store.openBlob("k", "t", { start: 0, end: 1 }, options));
    });

    it("does not take a blob for removed", async () => {
      await using host = await front(kind, noRoute);
      await unavailable(host.store.remove("k", always, options));
      await unavailable(host.store.remove("k", { kind: "unchanged", tag: "t" }, options));
    });

    it("does not take a write for refused, nor for a conflict", async () => {
      await using host = await front(kind, noRoute);
      await unavailable(host.store.write("k", content, always, options));
      await unavailable(host.store.write("k", content, { kind: "unchanged", tag: "t" }, options));
    });

    it("does not take an upload for gone", async () => {
      await using host = await front(kind, noRoute);
      const upload = { headers: {}, token: "t", id: "u", parts: ["p"], size: 1 };
      await unavailable(host.store.completeUpload("k", upload, { kind: "absent" }, options));
      await unavailable(host.store.abortUpload("k", "u", options));
    });

    it("frees the connection of an answer that is no blob's", async () => {
      let isPage = true;
      await using host = await front(kind, (request, response) => {
        if (!isPage) return noRoute(request, response);
        response.writeHead(206, { "content-type": "text/html", "content-range": "bytes 0-999999/1000000" });
        response.end(Buffer.alloc(1_000_000));
      });
      await unavailable(host.store.openBlob("k", "t", { start: 0, end: 1_000_000 }, options));
      isPage = false;
      const began = systemClock.now();
      await assert.rejects(host.store.read("k", 10, options));
      assert(systemClock.now() - began < options.deadlineMs / 2, "the next request has its turn");
    });
  });
}

describe("a failure that somebody else answers", () => {
  for (const failure of [502, 404]) {
    it(`does not tell the store's time with ${failure}: signatures would be valid for longer than their deadline`, async () => {
      const dates: (string | undefined)[] = [];
      const minutes = 10;
      await using host = await front("s3", ({ url }, response) => {
        dates.push(new URL(url ?? "", "http://store").searchParams.get("X-Amz-Date") ?? undefined);
        const isFirst = dates.length === 1;
        const date = new Date(Date.now() + (isFirst ? minutes * 60_000 : 0)).toUTCString();
        response.writeHead(isFirst ? failure : 200, { date, etag: '"t"' });
        response.end();
      });
      await unavailable(host.store.write("k", content, always, options));
      await host.store.write("k", content, always, options);
      const signedAt = Date.parse((dates[1] ?? "").replace(/(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)/, "$1-$2-$3:$4:$5"));
      assert.ok(signedAt < Date.now() + 60_000, `signed at ${dates[1]}`);
    });
  }
});
