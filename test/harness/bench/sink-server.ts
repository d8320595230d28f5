/**
 * The least of an S3 server that a cluster takes for one: it honours conditions on weir's own few objects and throws
 * all others away, so that what is measured is the cost of writing to a store, not a store. Prints its address.
 */

import { createHash } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** In the paths of the objects that are kept: the view and what a probe writes. */
const keptPath = "/.weir/";

interface Kept {
  readonly body: Buffer;
  readonly tag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const kept = new Map<string, Kept>();

function metadataOf(request: IncomingMessage): Record<string, string> {
  const all = Object.entries(request.headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

function put(path: string, request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  if (!path.includes(keptPath)) {
    response.writeHead(200, { ETag: '"00000000000000000000000000000001"' }).end();
    return;
  }
  const held = kept.get(path);
  const match = request.headers["if-match"];
  const isRefused = (request.headers["if-none-match"] === "*" && held) || (match !== undefined && match !== held?.tag);
  if (isRefused) {
    response.writeHead(412).end();
    return;
  }
  const tag = `"${createHash("md5").update(body).digest("hex")}"`;
  kept.set(path, { body, tag, metadata: metadataOf(request) });
  response.writeHead(200, { ETag: tag }).end();
}

const server = http.createServer((request, response) => {
  const target = request.url as string;
  const end = target.indexOf("?");
  const path = end < 0 ? target : target.slice(0, end);
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const held = kept.get(path);
    if (request.method === "PUT") put(path, request, response, Buffer.concat(chunks));
    else if (request.method === "DELETE") {
      const match = request.headers["if-match"];
      const isRefused = match !== undefined && match !== held?.tag;
      if (!isRefused) kept.delete(path);
      response.writeHead(isRefused ? 412 : 204).end();
    } else if (target.includes("versioning")) response.end("<VersioningConfiguration/>");
    else if (held === undefined) response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>");
    else {
      const headers = { ...held.metadata, ETag: held.tag, "Content-Length": held.body.length };
      response.writeHead(200, headers).end(held.body);
    }
  });
});

server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
