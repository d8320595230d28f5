/**
 * What AzureStore makes of answers that the servers of other tests do not give, by a server that answers as it is told.
 */

import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { uploadFolder } from "../../../../src/store/azure/azure-names.ts";
import { scriptedStore } from "../../../harness/scripted-store.ts";

const options = { deadlineMs: 2_000 };
const absent = { kind: "absent" } as const;
const always = { kind: "always" } as const;
const unchanged = { kind: "unchanged", tag: "t" } as const;
const content = { body: Buffer.from("x"), headers: {} };
const upload = { headers: {}, token: "t", id: "u", parts: ["cA=="], size: 1 };

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** @param answer - 200, 201 or 202 with a tag if it does nothing */
async function serverThat(answer: (asked: Asked, response: ServerResponse) => void) {
  const requests: Asked[] = [];
  const host = await scriptedStore("azure", (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { method = "", url = "" } = request;
      const asked = { method, path: new URL(url, "http://store").pathname, body };
      requests.push(asked);
      response.setHeader("etag", '"t"');
      answer(asked, response);
      if (!response.writableEnded) response.writeHead(method === "PUT" ? 201 : method === "DELETE" ? 202 : 200).end();
    });
  });
  return { ...host, requests };
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, code === "" ? {} : { "x-ms-error-code": code }).end();
}

describe("a write to Azure", () => {
  for (const [status, code] of [
    [412, "ConditionNotMet"],
    [409, "BlobAlreadyExists"],
    [412, ""],
  ] as const) {
    it(`that is answered with ${status} ${code} is a conflict if it had a condition, and refused if it had none`, async () => {
      await using host = await serverThat((_asked, response) => fail(response, status, code));
      assert.deepEqual(await host.store.write("k", content, unchanged, options), { kind: "conflict" });
      assert.deepEqual(await host.store.remove("k", unchanged, options), { kind: "conflict" });
      await assert.rejects(host.store.write("k", content, always, options), { code: "store_refused" });
      await assert.rejects(host.store.remove("k", always, options), { code: "store_refused" });
    });
  }

  for (const [status, code] of [
    [412, "LeaseIdMissing"],
    [409, "BlobImmutableDueToPolicy"],
    [409, "SnapshotsPresent"],
  ] as const) {
    it(`that is answered with ${status} ${code} is refused: no other version would go better`, async () => {
      await using host = await serverThat((_asked, response) => fail(response, status, code));
      await assert.rejects(host.store.write("k", content, absent, options), { code: "store_refused" });
      await assert.rejects(host.store.remove("k", unchanged, options), { code: "store_refused" });
    });
  }

  it("that is too much for the account is to be sent later, by its code or by its status", async () => {
    for (const [status, code] of [
      [503, "ServerBusy"],
      [429, ""],
    ] as const) {
      await using host = await serverThat((_asked, response) => fail(response, status, code));
      await assert.rejects(host.store.write("k", content, always, options), { code: "store_throttled" });
    }
  });
});

describe("the completion of an upload to Azure", () => {
  it("names blocks that were never completed, and forgets the upload", async () => {
    await using host = await serverThat(() => undefined);
    assert.deepEqual(await host.store.completeUpload("k", upload, absent, options), { kind: "written", tag: "t" });
    assert.deepEqual(
      host.requests.map(({ method }) => method),
      ["HEAD", "PUT", "DELETE"],
    );
    const [look, put, removal] = host.requests;
    assert.match(put?.body ?? "", /<BlockList><Uncommitted>cA==<\/Uncommitted><\/BlockList>$/);
    assert.equal(removal?.path, look?.path);
  });

  it("stands when the upload can't be forgotten", async () => {
    await using host = await serverThat(({ method }, response) => {
      if (method === "DELETE") fail(response, 403, "AuthorizationPermissionMismatch");
    });
    assert.deepEqual(await host.store.completeUpload("k", upload, absent, options), { kind: "written", tag: "t" });
  });

  it("comes to nothing when the upload is gone, or its blocks are", async () => {
    for (const [failing, status, code, kind] of [
      ["HEAD", 404, "BlobNotFound", "gone"],
      ["PUT", 400, "InvalidBlockList", "incomplete"],
    ] as const) {
      await using host = await serverThat(({ method }, response) => {
        if (method === failing) fail(response, status, code);
      });
      assert.deepEqual(await host.store.completeUpload("k", upload, absent, options), { kind });
      assert.equal(host.requests.at(-1)?.method, failing);
    }
  });

  it("that met another write is a conflict if it had a condition, and refused if it had none", async () => {
    await using host = await serverThat(({ method }, response) => {
      if (method === "PUT") fail(response, 412, "ConditionNotMet");
    });
    assert.deepEqual(await host.store.completeUpload("k", upload, unchanged, options), { kind: "conflict" });
    await assert.rejects(host.store.completeUpload("k", upload, always, options), { code: "store_refused" });
  });
});

describe("a part of a blob in Azure", () => {
  for (const [what, status, headers] of [
    ["of another version", 206, { etag: '"other"', "content-range": "bytes 3-6/10" }],
    ["that is another part", 206, { "content-range": "bytes 0-3/10" }],
    ["that is the whole", 200, {}],
  ] as const) {
    it(`${what} is not taken for it`, async () => {
      await using host = await serverThat((_asked, response) => {
        response.writeHead(status, { ...headers, "content-length": 4 }).end("3456");
      });
      const opened = await host.store.openBlob("k", "t", { start: 3, end: 7 }, options);
      assert.equal(opened.kind, "changed");
    });
  }
});

it("a blob that others have put among the uploads is no upload", async () => {
  const blob = (id: string, metadata: string): string =>
    `<Blob><Name>${uploadFolder}${id}</Name><Properties><Content-Length>0</Content-Length><Etag>t</Etag>` +
    `<Last-Modified>Mon, 30 Nov 2026 12:00:00 GMT</Last-Modified></Properties>${metadata}</Blob>`;
  const named = (name: string): string => `<Metadata><weir_name>${name}</weir_name></Metadata>`;
  const blobs = blob("ours", named("a%20b")) + blob("other", "") + blob("torn", named("%E0%A4"));
  await using host = await serverThat((_asked, response) => {
    response.writeHead(200).end(`<EnumerationResults><Blobs>${blobs}</Blobs><NextMarker/></EnumerationResults>`);
  });
  const found = await host.store.listUploads(options);
  assert.deepEqual(found, [{ name: "a b", id: "ours", startedMs: Date.UTC(2026, 10, 30, 12) }]);
});
