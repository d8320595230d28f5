/** Servers that do not know of versions of objects, and say so in their own ways: they can be used all the same. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { S3Store } from "../../src/store/s3-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";

const ports = { clock: systemClock, random: systemRandom };

/** Objects by path, with conditions, and nothing else. */
async function serverWith(status: number, body: string) {
  const objects = new Map<string, { readonly tag: string; readonly body: Buffer }>();
  let tags = 0;
  const server = createServer((request, response) => {
    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://store");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const end = (code: number, text: string | Buffer = "", headers: Record<string, string> = {}): void => {
        response.writeHead(code, { "content-length": String(text.length), ...headers });
        response.end(request.method === "HEAD" ? undefined : text);
      };
      const { "if-match": match, "if-none-match": noneMatch } = request.headers;
      const object = objects.get(path);
      if (searchParams.has("versioning")) return end(status, body);
      if (request.method === "GET" || request.method === "HEAD") {
        if (!object) return end(404, "<Error><Code>NoSuchKey</Code></Error>");
        return end(200, object.body, { etag: object.tag });
      }
      if ((noneMatch && object) || (match && match !== object?.tag))
        return end(412, "<Error><Code>PreconditionFailed</Code></Error>");
      if (request.method === "DELETE") {
        objects.delete(path);
        return end(204);
      }
      const tag = `"${++tags}"`;
      objects.set(path, { tag, body: Buffer.concat(chunks) });
      return end(200, "", { etag: tag });
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const keys = { region: "us-east-1", accessKeyId: "id", secretAccessKey: "key" };
  const store = new S3Store({ prefix: "", connections: 2, endpoint, bucket: "photos", ...keys }, ports);
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

describe("a server without versioning", () => {
  for (const [status, body] of [
    [404, "404 page not found"],
    [501, "<Error><Code>NotImplemented</Code></Error>"],
    [403, "<Error><Code>AccessDenied</Code></Error>"],
  ] as const) {
    it(`that answers ${status} is used, and it is said`, async () => {
      await using host = await serverWith(status, body);
      const { conditionalWrites, notes } = await host.store.probe({ deadlineMs: 2_000 });
      assert.equal(conditionalWrites, true);
      assert.match(notes.join(), /Whether the bucket keeps old versions is not known/);
    });
  }
});
