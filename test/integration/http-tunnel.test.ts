/** What node:http gives a connection up for, behind an answer that is a stream. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { noHeaders } from "../../src/core/entry.ts";
import type { ValueStream } from "../../src/core/operation.ts";
import { systemClock } from "../../src/system.ts";
import { HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";
import { rawRequest } from "../harness/raw-http.ts";

const size = 32 * 1024 * 1024;
const piece = 256 * 1024;

/** A value that is streamed, of which it is known whether it was let go. */
function streamIn(host: HttpHost): { disposed: boolean; given: number } {
  const state = { disposed: false, given: 0 };
  const info = { epoch: 1, seq: 1, headers: noHeaders, md5: "t", modifiedMs: 0, size };
  host.operations.read = () => Promise.resolve({ kind: "stored", info } as never);
  host.operations.open = (() => {
    async function* chunks() {
      for (; state.given < size; state.given += piece) yield Buffer.alloc(piece, "x");
    }
    const stream = Object.assign(chunks(), {
      [Symbol.asyncDispose]: () => {
        state.disposed = true;
        return Promise.resolve();
      },
    });
    return Promise.resolve(stream as unknown as ValueStream);
  }) as never;
  return state;
}

describe("behind an answer that is a stream", { timeout: hangMs }, () => {
  for (const [what, bytes] of [
    ["CONNECT", "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com\r\n\r\n"],
    ["no HTTP", "\x01\x02 nonsense\r\n\r\n"],
    ["GET", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ] as const) {
    test(`comes ${what}: the stream goes on to its end`, async () => {
      await using host = await HttpHost.start({ finishMs: 500 });
      const state = streamIn(host);
      await using connection = await host.connect();
      connection.send(Buffer.concat([rawRequest("GET", "/kv/large"), Buffer.from(bytes, "latin1")]));
      let received = 0;
      connection.socket.removeAllListeners("data");
      connection.socket.on("data", (chunk: Buffer) => (received += chunk.length));
      for (let tries = 0; tries < 60 && received < size; tries++) await sleep(systemClock, 50);
      assert.ok(received >= size, `received ${received} of ${size}; given ${state.given}; disposed ${state.disposed}`);
    });
  }
});
