/** What S3 and Azure are asked of a parted upload: which part counts, at which place. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import type { BlobStore } from "../../../../src/store/blob-store.ts";
import { scriptedStore } from "../../../harness/scripted-store.ts";

const options = { deadlineMs: 2_000 };
const always = { kind: "always" } as const;
const content = { headers: {}, token: "t" };
const body = Buffer.from("x");

interface Asked {
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function recorded(kind: "s3" | "azure", answer: (asked: Asked, response: ServerResponse) => void) {
  const requests: Asked[] = [];
  const host = await scriptedStore(kind, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://store");
      const asked = { url, headers: request.headers, body: Buffer.concat(chunks).toString() };
      requests.push(asked);
      answer(asked, response);
    });
  });
  return { ...host, requests };
}

/** What the completion of these parts asks for. */
async function completed(
  host: { readonly store: BlobStore; readonly requests: readonly Asked[] },
  parts: readonly { readonly number: number; readonly tag: string }[],
): Promise<string> {
  const listed = parts.map((part) => ({ ...part, size: 1 }));
  const assembled = await host.store.assembleUpload("k", "u", listed, options);
  assert.ok(assembled.kind === "assembled");
  const upload = { ...content, id: "u", parts: assembled.parts, size: parts.length };
  assert.equal((await host.store.completeUpload("k", upload, always, options)).kind, "written");
  return host.requests.findLast((asked) => asked.body.startsWith("<"))?.body ?? "";
}

const toS3 = () =>
  recorded("s3", ({ url }, response) => {
    response.setHeader("etag", '"p"');
    const isBegin = url.searchParams.has("uploads");
    response.end(
      isBegin ? "<UploadId>u</UploadId>" : url.searchParams.has("partNumber") ? "" : "<R><ETag>e</ETag></R>",
    );
  });

function listOf(parts: readonly (readonly [number, string])[]): string {
  const items = parts.map(([number, tag]) => `<Part><PartNumber>${number}</PartNumber><ETag>"${tag}"</ETag></Part>`);
  return `<CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`;
}

test("S3 is told the numbers of the parts, which may have gaps, whatever their tags look like", async () => {
  await using host = await toS3();
  const [first, second, last] = [
    { number: 2, tag: "a" },
    { number: 3, tag: "7/b" },
    { number: 10_000, tag: "c" },
  ];
  assert.equal(
    await completed(host, [first, second, last]),
    listOf([
      [2, "a"],
      [3, "7/b"],
      [10_000, "c"],
    ]),
  );
  const plain = [
    { number: 1, tag: "a" },
    { number: 2, tag: "8/b" },
  ];
  assert.equal(
    await completed(host, plain),
    listOf([
      [1, "a"],
      [2, "8/b"],
    ]),
  );
});

test("S3 gets the parts of an upload of one body with their numbers, whatever their tags look like", async () => {
  await using host = await recorded("s3", ({ url }, response) => {
    response.setHeader("etag", '"3/p"');
    response.end(url.searchParams.has("uploads") ? "<UploadId>u</UploadId>" : "<R><ETag>e</ETag></R>");
  });
  const upload = await host.store.beginUpload("k", content, options);
  const parts = [await upload.sendPart({ number: 1, offset: 0, body }, options)];
  await host.store.completeUpload("k", { ...content, id: "u", parts, size: 1 }, always, options);
  assert.equal(host.requests.at(-1)?.body, listOf([[1, "3/p"]]));
});

test("S3 gets a part under its number and upload, with the MD5 that the caller knows", async () => {
  await using host = await toS3();
  const id = await host.store.beginParted("k", content, options);
  assert.equal(await host.store.sendPart("k", id, { number: 7, body, md5: "known" }, options), "p");
  const sent = host.requests.at(-1);
  assert.deepEqual(
    [sent?.url.searchParams.get("partNumber"), sent?.url.searchParams.get("uploadId"), sent?.headers["content-md5"]],
    ["7", "u", "known"],
  );
  await host.store.sendPart("k", id, { number: 8, body }, options);
  assert.equal(host.requests.at(-1)?.headers["content-md5"], hash("md5", body, "base64"));
});

test("Azure's blocks have ids of one length, and a part that is sent again is another block", async () => {
  await using host = await recorded("azure", (_asked, response) => {
    response.writeHead(201, { etag: '"e"' }).end();
  });
  const open = await host.store.beginUpload("k", content, options);
  const ordinary = await open.sendPart({ number: 1, offset: 0, body }, options);
  const id = await host.store.beginParted("k", content, options);
  const send = (number: number): Promise<string> => host.store.sendPart("k", id, { number, body }, options);
  const tags = [await send(2), await send(2), await send(10_000)];
  assert.equal(new Set(tags).size, 3);
  for (const tag of [ordinary, ...tags]) {
    assert.equal(tag.length, ordinary.length);
    assert.ok(Buffer.from(tag, "base64").length <= 64);
    assert.ok(host.requests.some(({ url }) => url.searchParams.get("blockid") === tag));
  }
});

test("Azure gets no empty block, and the list of blocks leaves an empty part out", async () => {
  await using host = await recorded("azure", ({ url }, response) => {
    const isLook = url.searchParams.get("comp") === null;
    response.writeHead(isLook ? 200 : 201, { etag: '"e"' }).end();
  });
  const tag = await host.store.sendPart("k", "u", { number: 3, body: Buffer.alloc(0) }, options);
  assert.equal(host.requests.length, 0);
  const text = await completed(host, [
    { number: 1, tag: "b25l" },
    { number: 3, tag },
  ]);
  assert.match(text, /<BlockList><Uncommitted>b25l<\/Uncommitted><\/BlockList>$/);
});
