/**
 * What S3Store makes of answers that the servers of other tests do not give, by a server that answers as it is told.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { type ScriptedStore, scriptedStore } from "../../../harness/scripted-store.ts";

const options = { deadlineMs: 2_000 };
const absent = { kind: "absent" } as const;
const always = { kind: "always" } as const;
const upload = { headers: {}, token: "token", id: "u", parts: ["p"], size: 1 };

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

function serverThat(answer: Answer): Promise<ScriptedStore> {
  return scriptedStore("s3", (request, response) => {
    request.resume().on("end", () => answer(request, response, new URL(request.url ?? "", "http://store")));
  });
}

function errorText(code: string): string {
  return `<Error><Code>${code}</Code><Message>why</Message></Error>`;
}

describe("a write to S3", () => {
  it("that met another one (409) is a conflict if it had a condition, and refused if it had none", async () => {
    await using host = await serverThat((_request, response) => {
      response.writeHead(409).end(errorText("ConditionalRequestConflict"));
    });
    const content = { body: Buffer.from("x"), headers: {} };
    assert.deepEqual(await host.store.write("k", content, absent, options), { kind: "conflict" });
    await assert.rejects(host.store.write("k", content, always, options), { code: "store_refused" });
  });

  it("that completes an upload and fails, with the upload gone, may have completed it", async () => {
    await using host = await serverThat((request, response) => {
      const [status, code] = request.method === "POST" ? [500, "InternalError"] : [404, "NoSuchUpload"];
      response.writeHead(status as number).end(errorText(code as string));
    });
    const result = await host.store.completeUpload("k", upload, absent, options);
    assert.deepEqual(result, { kind: "gone", isUnsure: true });
  });

  it("is done if the server says Created or No Content, as a part of an upload is, and no other success is", async () => {
    const content = { body: Buffer.from("x"), headers: {} };
    for (const [status, isDone] of [
      [200, true],
      [201, true],
      [204, true],
      [202, false],
      [302, false],
    ] as const) {
      await using host = await serverThat((_request, response) => response.writeHead(status, { etag: '"t"' }).end());
      const write = (): Promise<unknown> => host.store.write("k", content, always, options);
      const part = (): Promise<unknown> => host.store.sendPart("k", "u", { number: 1, body: content.body }, options);
      if (isDone) assert.deepEqual([await write(), await part()], [{ kind: "written", tag: "t" }, "t"], String(status));
      else for (const send of [write, part]) await assert.rejects(send(), { code: "store_refused" }, String(status));
    }
    // Nothing tells what is there.
    await using host = await serverThat((_request, response) => response.writeHead(204).end());
    await assert.rejects(host.store.write("k", content, always, options), { code: "store_unavailable" });
  });

  it("has its body's MD5 with it, a part of an upload too", async () => {
    const seen: unknown[] = [];
    await using host = await serverThat(({ headers, method }, response) => {
      seen.push(headers["content-md5"]);
      response.setHeader("etag", '"t"');
      response.end(method === "POST" ? "<UploadId>u</UploadId>" : undefined);
    });
    const body = Buffer.from("hello");
    await host.store.write("k", { body, headers: {} }, always, options);
    const open = await host.store.beginUpload("k", { headers: {}, token: "t" }, options);
    await open.sendPart({ number: 1, offset: 0, body }, options);
    const md5 = hash("md5", body, "base64");
    assert.deepEqual(seen, [md5, undefined, md5]);
  });

  it("that is given up does not keep its connection", async () => {
    let isFirst = true;
    await using host = await serverThat((_request, response) => {
      if (isFirst) isFirst = false;
      else response.setHeader("etag", '"t"').end();
    });
    const content = { body: Buffer.from("x"), headers: {} };
    await assert.rejects(host.store.write("k", content, always, { deadlineMs: 50 }), { code: "store_unavailable" });
    assert.equal((await host.store.write("k", content, always, options)).kind, "written");
  });
});

describe("the completion of an upload to S3", () => {
  it("tells an upload that is gone from one that lacks a part, and may have it later", async () => {
    for (const [status, code, kind] of [
      [404, "NoSuchUpload", "gone"],
      [400, "InvalidPart", "incomplete"],
      [400, "InvalidPartOrder", "incomplete"],
      [400, "EntityTooSmall", "incomplete"],
    ] as const) {
      await using host = await serverThat((_request, response) => response.writeHead(status).end(errorText(code)));
      assert.deepEqual(await host.store.completeUpload("k", upload, absent, options), { kind }, code);
    }
  });

  it("has failed if its 200 says so in the end", async () => {
    await using host = await serverThat(({ method }, response) => {
      response.end(method === "POST" ? errorText("InternalError") : "<ListPartsResult/>");
    });
    await assert.rejects(host.store.completeUpload("k", upload, absent, options), { code: "store_unavailable" });
  });

  for (const [token, expected] of [
    ["token", { kind: "written", tag: "t" }],
    ["another's", { kind: "conflict" }],
  ] as const) {
    it(`that tells no tag takes the object's, which has the token ${token}: ${expected.kind}`, async () => {
      await using host = await serverThat(({ method }, response) => {
        response.writeHead(200, { etag: '"t"', "x-amz-meta-weir-upload": token });
        response.end(method === "POST" ? "<CompleteMultipartUploadResult/>" : undefined);
      });
      assert.deepEqual(await host.store.completeUpload("k", upload, absent, options), expected);
    });
  }
});

it("the listing of uploads in S3 is read to its end", async () => {
  await using host = await serverThat((_request, response, { searchParams }) => {
    const page = searchParams.get("key-marker") === "a" && searchParams.get("upload-id-marker") === "1" ? "b" : "a";
    const next = "<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>";
    const initiated = "<Initiated>2030-01-01T00:00:00.000Z</Initiated>";
    response.end(
      `<R><IsTruncated>${page === "a"}</IsTruncated>${next}<Upload><Key>${page}</Key><UploadId>1</UploadId>${initiated}</Upload></R>`,
    );
  });
  const found = await host.store.listUploads(options);
  assert.deepEqual(
    found.map(({ name }) => name),
    ["a", "b"],
  );
});

it("the listing of S3 ends at its deadline, however many pages with nothing for the caller there are before it", async () => {
  let pages = 0;
  await using host = await serverThat((_request, response) => {
    const isLast = ++pages === 20;
    const token = isLast ? "" : "<NextContinuationToken>t</NextContinuationToken>";
    const text = `<ListBucketResult><IsTruncated>${!isLast}</IsTruncated>${token}</ListBucketResult>`;
    setTimeout(() => response.end(text), 50);
  });
  const query = { prefix: "", after: "", delimiter: "", limit: 10 };
  await assert.rejects(host.store.list(query, { deadlineMs: 300 }), { code: "store_unavailable" });
});

describe("a part of an object in S3", () => {
  const body = Buffer.from("0123456789");
  const span = { start: 3, end: 7 };

  async function read(answer: Answer): Promise<string> {
    await using host = await serverThat(answer);
    const opened = await host.store.openBlob("k", "t", span, options);
    assert.equal(opened.kind, "found");
    await using stream = opened.stream;
    let text = "";
    for await (const chunk of stream) text += Buffer.from(chunk).toString();
    return text;
  }

  it("is cut out of the whole where the server does not know of parts", async () => {
    const pieces = (_request: unknown, response: ServerResponse): void => {
      response.writeHead(200, { etag: '"t"', "content-length": body.length }).write(body.subarray(0, 2));
      setTimeout(() => response.write(body.subarray(2, 5)), 30);
      setTimeout(() => response.end(body.subarray(5)), 60);
    };
    assert.equal(await read(pieces), "3456");
  });

  it("that is shorter than it should be is an error, not an end", async () => {
    const short = (_request: unknown, response: ServerResponse): void => {
      response.writeHead(206, { etag: '"t"', "content-range": "bytes 3-6/10", "content-length": 2 });
      response.end(body.subarray(3, 5));
    };
    await assert.rejects(read(short), { code: "store_unavailable" });
  });

  it("that stops coming is given up", async () => {
    const stops = (_request: unknown, response: ServerResponse): void => {
      response.writeHead(206, { etag: '"t"', "content-range": "bytes 3-6/10", "content-length": 4 });
      response.write(body.subarray(3, 5));
    };
    await assert.rejects(read(stops), { code: "store_unavailable" });
  });
});

it("a listing of uploads in S3 that does not go on is no listing, and has an end", async () => {
  for (const next of ["", "<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>"]) {
    let pages = 0;
    await using host = await serverThat((_request, response) => {
      if (++pages > 10) response.writeHead(400).end(errorText("TooMany"));
      else response.end(`<R><IsTruncated>true</IsTruncated>${next}</R>`);
    });
    await assert.rejects(host.store.listUploads(options), { code: "store_unavailable", message: /how it goes on/ });
  }
});

it("an upload in S3 whose key is no value's is left to others", async () => {
  await using host = await serverThat((_request, response) => {
    const initiated = "<Initiated>2030-01-01T00:00:00.000Z</Initiated>";
    response.end(`<R><Upload><Key></Key><UploadId>1</UploadId>${initiated}</Upload></R>`);
  });
  assert.deepEqual(await host.store.listUploads(options), []);
});

it("an answer of S3 that leaves out how large the object is is no answer", async () => {
  await using host = await serverThat(({ method }, response) => {
    response.writeHead(200, { etag: '"t"', "transfer-encoding": "chunked" });
    response.end(method === "HEAD" ? undefined : "hello");
  });
  await assert.rejects(host.store.stat("k", options), { code: "store_unavailable", message: /how large/ });
  const read = await host.store.read("k", 10, options);
  assert(read.kind === "found");
  assert.equal(read.blob.size, 5);
});
