/**
 * What a store over HTTP sends for each call of the port, and what it makes of plain answers: seen by a server that
 * records what comes. The conformance suites see the same by a real store's behaviour, where there is one (F1, F4).
 */

import assert from "node:assert/strict";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import type { BlobStore, RequestOptions, WriteCondition } from "../../../../src/store/blob-store.ts";
import { type ScriptedStore, scriptedStore } from "../../../harness/scripted-store.ts";
import { within } from "../../../harness/within.ts";

type Kind = "s3" | "azure";

const options = { deadlineMs: 5_000 };
const always = { kind: "always" } as const;
const absent = { kind: "absent" } as const;
const unchanged = { kind: "unchanged", tag: "old" } as const;
const prefix = "team/";
const headers = { "content-type": "text/plain", "x-weir-meta-owner": "ada" };
const content = { body: Buffer.from("hello"), headers, version: "c.k.1.1" };
const completed = { headers, token: "token", id: "u", parts: ["cA=="], size: 1 };
const part = { number: 1, offset: 0, body: Buffer.from("x") };
const query = { prefix: "a", after: "", delimiter: "", limit: 10 };

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Recorded extends ScriptedStore {
  readonly requests: Asked[];
  /** Those that change something. */
  changes(): readonly Asked[];
}

const emptyListing = {
  s3: "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
  azure: "<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>",
};

/** What a real store answers when all is well. */
function well(kind: Kind, { method, url }: Asked, response: ServerResponse): void {
  response.setHeader("etag", '"new"');
  const isListing = url.searchParams.has("list-type") || url.searchParams.get("comp") === "list";
  const text = isListing || url.searchParams.has("uploads") ? emptyListing[kind] : "";
  if (method === "POST") response.end("<UploadId>u</UploadId><ETag>new</ETag>");
  else if (method === "PUT") response.writeHead(kind === "s3" ? 200 : 201).end();
  else if (method === "DELETE") response.writeHead(kind === "s3" ? 204 : 202).end();
  else if (method === "HEAD") response.setHeader("content-length", 0).end();
  else response.end(text);
}

/** A store under a prefix, on a server that answers so, or as if all were well. */
async function recorded(
  kind: Kind,
  answer: (asked: Asked, response: ServerResponse) => void = (asked, response) => well(kind, asked, response),
): Promise<Recorded> {
  const requests: Asked[] = [];
  const listen = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers: sent } = request;
      const body = Buffer.concat(chunks).toString();
      const asked = { method, url: new URL(url, "http://store"), headers: sent, body };
      requests.push(asked);
      answer(asked, response);
    });
  };
  const host = await scriptedStore(kind, listen, 16, prefix);
  const changes = (): readonly Asked[] => requests.filter(({ method }) => method !== "GET" && method !== "HEAD");
  return { ...host, requests, changes };
}

/** Every call of the port that changes something, and those that do not. */
function callsOf(store: BlobStore) {
  const sendPart = async (limits: RequestOptions): Promise<string> => {
    const upload = await store.beginUpload("k", { headers, token: "token" }, options);
    return await upload.sendPart(part, limits);
  };
  return {
    changing: {
      write: (limits: RequestOptions) => store.write("k", content, always, limits),
      remove: (limits: RequestOptions) => store.remove("k", always, limits),
      beginUpload: (limits: RequestOptions) => store.beginUpload("k", { headers, token: "token" }, limits),
      sendPart,
      beginParted: (limits: RequestOptions) => store.beginParted("k", { headers, token: "token" }, limits),
      sendPartedPart: (limits: RequestOptions) => store.sendPart("k", "u", part, limits),
      completeUpload: (limits: RequestOptions) => store.completeUpload("k", completed, always, limits),
      abortUpload: (limits: RequestOptions) => store.abortUpload("k", "u", limits),
    },
    reading: {
      read: (limits: RequestOptions) => store.read("k", 100, limits),
      stat: (limits: RequestOptions) => store.stat("k", limits),
      list: (limits: RequestOptions) => store.list(query, limits),
      listUploads: (limits: RequestOptions) => store.listUploads(limits),
      openBlob: (limits: RequestOptions) => store.openBlob("k", "new", { start: 0, end: 1 }, limits),
    },
  };
}

/** The calls that take a condition, and which request of each carries it. */
function conditionalCalls(store: BlobStore, condition: WriteCondition) {
  return {
    write: () => store.write("k", content, condition, options),
    remove: () => store.remove("k", condition, options),
    completeUpload: () => store.completeUpload("k", completed, condition, options),
  };
}

for (const kind of ["s3", "azure"] as const) {
  test(`${kind}: each change asks for the caller's consent once, and without it nothing is sent`, async () => {
    await using host = await recorded(kind);
    const refusal = new OperatingError("not_ready", "the lease is gone");
    for (const [name, call] of Object.entries(callsOf(host.store).changing)) {
      let asked = 0;
      const refuse = (): never => {
        asked += 1;
        throw refusal;
      };
      // A part needs an upload, which is begun with consent.
      const before = name === "sendPart" ? 1 : 0;
      host.requests.length = 0;
      await assert.rejects(call({ ...options, authorize: refuse }), (error) => error === refusal, name);
      assert.deepEqual([asked, host.changes().length], [1, before], `${name}: times asked, and requests sent`);
      asked = 0;
      await call({ ...options, authorize: () => void asked++ });
      assert.equal(asked, 1, `${name} asks once`);
    }
  });

  test(`${kind}: each change carries its condition, and none where there is none`, async () => {
    await using host = await recorded(kind);
    for (const [condition, expected] of [
      [always, [undefined, undefined]],
      [absent, ["*", undefined]],
      [unchanged, [undefined, '"old"']],
    ] as const) {
      for (const [name, call] of Object.entries(conditionalCalls(host.store, condition))) {
        host.requests.length = 0;
        await call();
        const sent = host.changes()[0]?.headers;
        const found = [sent?.["if-none-match"], sent?.["if-match"]];
        assert.deepEqual(found, expected, `${name} under the condition ${condition.kind}`);
      }
    }
  });

  test(`${kind}: a condition that does not hold is a conflict, and a failure of the store is none`, async () => {
    for (const [status, code] of [
      [500, "store_unavailable"],
      [403, "store_refused"],
      [429, "store_throttled"],
      [412, undefined],
    ] as const) {
      await using host = await recorded(kind, (asked, response) => {
        const isChange = asked.method === "PUT" || asked.method === "POST" || asked.method === "DELETE";
        if (isChange) response.writeHead(status).end();
        else well(kind, asked, response);
      });
      for (const condition of [absent, unchanged]) {
        for (const [name, call] of Object.entries(conditionalCalls(host.store, condition))) {
          const what = `${name} answered ${status}`;
          if (code === undefined) assert.deepEqual(await call(), { kind: "conflict" }, what);
          else await assert.rejects(call(), { code }, what);
        }
      }
    }
  });

  test(`${kind}: everything lies under the store's prefix, and nothing else is asked for`, async () => {
    await using host = await recorded(kind);
    const { changing, reading } = callsOf(host.store);
    for (const [name, call] of Object.entries({ ...changing, ...reading })) {
      host.requests.length = 0;
      const result: unknown = await call(options);
      if (typeof result === "object" && result !== null && "stream" in result) {
        await (result.stream as AsyncDisposable)[Symbol.asyncDispose]();
      }
      assert.ok(host.requests.length > 0, name);
      for (const { url } of host.requests) {
        const inBucket = url.pathname.replace(/^(?:\/acc)?\/photos\/?/, "");
        const place = inBucket === "" ? (url.searchParams.get("prefix") ?? "") : decodeURIComponent(inBucket);
        assert.ok(place.startsWith(prefix), `${name} asks for ${url.pathname}${url.search}`);
      }
    }
  });

  test(`${kind}: each request is given up at its deadline while the store says nothing`, async () => {
    await using host = await recorded(kind, ({ method, url }, response) => {
      // A part needs an upload, which is begun in time.
      const isBegin = url.searchParams.has("uploads") && method === "POST";
      if (isBegin) response.end("<UploadId>u</UploadId>");
      else if (kind === "azure" && method === "PUT" && url.pathname.includes(".weir")) response.writeHead(201).end();
    });
    const { changing, reading } = callsOf(host.store);
    const { beginUpload: _begun, beginParted: _parted, ...others } = { ...changing, ...reading };
    const outcomes = Object.entries(others).map(async ([name, call]) => {
      const began = performance.now();
      const ended = call({ deadlineMs: 150 }).then(
        () => "an answer",
        (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
      );
      const outcome = await within(ended, 2_000);
      assert.equal(outcome, "store_unavailable", `${name} got ${outcome}`);
      assert.ok(performance.now() - began > 100, `${name} was given up early`);
    });
    await Promise.all(outcomes);
  });

  test(`${kind}: a write carries the body, its headers, its metadata and its version`, async () => {
    await using host = await recorded(kind);
    assert.deepEqual(await host.store.write("k", content, always, options), { kind: "written", tag: "new" });
    const sent = host.requests[0];
    assert.equal(sent?.body, "hello");
    const meta = kind === "s3" ? "x-amz-meta-" : "x-ms-meta-";
    assert.equal(sent.headers[`${meta}owner`], "ada");
    assert.equal(sent.headers[`${meta}weir${kind === "s3" ? "-" : "_"}version`], "c.k.1.1");
    assert.equal(sent.headers[kind === "s3" ? "content-type" : "x-ms-blob-content-type"], "text/plain");
    assert.ok(sent.headers["content-md5"] !== undefined, "a body that is torn on its way must be noticed");
  });

  test(`${kind}: a read gives the blob with all that is known of it, and not its body if that is too long`, async () => {
    const meta = kind === "s3" ? "x-amz-meta-" : "x-ms-meta-";
    const dash = kind === "s3" ? "-" : "_";
    await using host = await recorded(kind, (asked, response) => {
      response.writeHead(200, {
        etag: '"new"',
        "content-length": 5,
        "content-type": "text/plain",
        "last-modified": "Mon, 03 Dec 2029 10:00:00 GMT",
        [`${meta}owner`]: "ada",
        [`${meta}weir${dash}version`]: "c.k.1.1",
        [`${meta}weir${dash}upload`]: "token",
      });
      response.end(asked.method === "HEAD" ? undefined : "hello");
    });
    const info = {
      tag: "new",
      size: 5,
      headers,
      version: "c.k.1.1",
      upload: "token",
      modifiedMs: Date.UTC(2029, 11, 3, 10),
    };
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    const found = await host.store.read("k", 5, options);
    assert.ok(found.kind === "found");
    const { body, ...rest } = found.blob;
    assert.equal(body.toString(), "hello");
    assert.equal(body.buffer.byteLength, body.length, "the body's buffer holds other memory alive");
    assert.deepEqual(plain(rest), info);
    assert.deepEqual(plain(await host.store.stat("k", options)), info);
    assert.deepEqual(plain(await host.store.read("k", 4, options)), { kind: "too_large", info });
  });

  test(`${kind}: a blob that is not there is missing, and is removed without complaint`, async () => {
    await using host = await recorded(kind, ({ method }, response) => {
      response.writeHead(404, { "x-ms-error-code": "BlobNotFound" });
      response.end(method === "HEAD" ? undefined : "<Error><Code>NoSuchKey</Code></Error>");
    });
    assert.deepEqual(await host.store.read("k", 10, options), { kind: "missing" });
    assert.equal(await host.store.stat("k", options), undefined);
    assert.deepEqual(await host.store.openBlob("k", "t", { start: 0, end: 1 }, options), { kind: "changed" });
    assert.deepEqual(await host.store.remove("k", always, options), { kind: "written", tag: "" });
    assert.deepEqual(await host.store.remove("k", unchanged, options), { kind: "conflict" });
  });

  test(`${kind}: a 404 that is not the store's own says nothing of a blob`, async () => {
    await using host = await recorded(kind, (_asked, response) => {
      response.writeHead(404, { "content-type": "text/plain" }).end("no route to it");
    });
    const { changing, reading } = callsOf(host.store);
    const {
      beginUpload: _begun,
      sendPart: _sent,
      list: _list,
      listUploads: _uploads,
      ...calls
    } = {
      ...changing,
      ...reading,
    };
    for (const [name, call] of Object.entries(calls)) {
      await assert.rejects(call(options), { code: "store_unavailable" }, name);
    }
  });
}
