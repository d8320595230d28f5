/**
 * Answers whose body is a stream, as fast as the client takes it. If the stream breaks off, the head is already out. So
 * the connection is cut: the client sees that there should be more.
 */

import type { ServerResponse } from "node:http";
import { free } from "../../base/memory.ts";
import type { ValueStream } from "../../core/operation.ts";
import { type Exchange, type HeaderList, isLast } from "./exchange.ts";

/** `headers` must contain `Content-Length`. Disposes of the stream. */
export async function answerStream(
  exchange: Exchange,
  status: number,
  headers: HeaderList,
  stream: ValueStream,
): Promise<void> {
  const { response } = exchange;
  await using _ = stream;
  if (response.destroyed) return;
  if (isLast(exchange)) headers.push("Connection", "close");
  headers.push(...exchange.always);
  response.writeHead(status, headers);
  // A client that has cut the connection knows. A failure of the store goes to the caller, who cuts the connection too.
  for await (const chunk of stream) {
    if (!write(response, chunk)) await writable(response);
    if (response.destroyed) return;
  }
  response.end();
}

/** False if there is no room for more. The chunk is freed once it has been sent. */
function write(response: ServerResponse, chunk: Uint8Array): boolean {
  return response.write(chunk, (error) => {
    if (!error) free(chunk);
  });
}

/** Resolves when there is room for more, or the connection is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
    if (response.destroyed) done();
  });
}
