/**
 * The least that node:http can do for PUT and GET: bodies in a Map, nothing checked, nothing limited. What weir's
 * server costs is measured against it. `bare-server.ts [PORT]` prints its address.
 */

import http from "node:http";
import type { AddressInfo } from "node:net";

const values = new Map<string, Buffer>();

const server = http.createServer((request, response) => {
  const key = request.url as string;
  if (request.method === "GET") {
    const value = values.get(key);
    response.writeHead(value === undefined ? 404 : 200, { "Content-Length": value?.length ?? 0 });
    response.end(value);
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    values.set(key, Buffer.concat(chunks));
    response.writeHead(204);
    response.end();
  });
});

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
